//! Counts the system calls of a running server.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::peer::Running;

/// How long `strace` may take to attach.
const ATTACH_TIMEOUT: Duration = Duration::from_secs(5);

/// Returns the system calls per message of `load`, which runs for the given time and returns the number of its messages.
///
/// The load runs twice, the first time for no time at all, so that the cost of connecting is left out.
pub(crate) fn calls_per_message(
    server: &Running,
    time: Duration,
    load: impl Fn(Duration) -> Result<u64>,
) -> Result<f64> {
    let pid = server.target.pid.context("the server must be a process of its own")?;
    let path = PathBuf::from("target/bench/logs/strace");
    let count = |time| -> Result<(u64, u64)> {
        let tracer = Tracer::attach(pid, &path)?;
        let messages = load(time)?;
        Ok((messages, tracer.detach(&path)?))
    };
    let (few, calls_for_few) = count(Duration::ZERO)?;
    let (many, calls_for_many) = count(time)?;
    if many <= few {
        bail!("no message arrived in time, because strace slows the server down");
    }
    Ok(calls_for_many.saturating_sub(calls_for_few) as f64 / (many - few) as f64)
}

/// A running `strace`, which detaches from the server when it is killed.
struct Tracer {
    strace: Child,
}

impl Tracer {
    fn attach(pid: u32, path: &Path) -> Result<Tracer> {
        let mut command = Command::new("strace");
        command.args(["-f", "-c", "-p", &pid.to_string(), "-o"]).arg(path);
        let strace = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut tracer = Tracer { strace: strace.context("cannot start strace; is it installed?")? };
        let end = Instant::now() + ATTACH_TIMEOUT;
        while !is_traced(pid) {
            if tracer.strace.try_wait()?.is_some() || Instant::now() > end {
                bail!(
                    "strace cannot attach to the server; run as root, or set the sysctl kernel.yama.ptrace_scope to 0"
                );
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(tracer)
    }

    fn detach(mut self, path: &Path) -> Result<u64> {
        // It writes its table when it gets SIGINT.
        Command::new("kill").args(["-INT", &self.strace.id().to_string()]).status().context("cannot run kill")?;
        self.strace.wait()?;
        total_calls(&fs::read_to_string(path)?).context("strace printed no total")
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        // After `detach`, it has already ended.
        let _ = self.strace.kill();
        let _ = self.strace.wait();
    }
}

/// Returns whether every thread of the process is traced.
fn is_traced(pid: u32) -> bool {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return false };
    tasks.flatten().all(|task| {
        let status = fs::read_to_string(task.path().join("status")).unwrap_or_default();
        status.lines().any(|line| line.strip_prefix("TracerPid:").is_some_and(|pid| pid.trim() != "0"))
    })
}

/// Parses the number of calls in the last line of `strace -c`.
fn total_calls(table: &str) -> Option<u64> {
    let total = table.lines().rev().find(|line| line.trim_end().ends_with("total"))?;
    total.split_whitespace().nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_parsed() {
        let table = "% time     seconds  usecs/call     calls    errors syscall\n\
                     ------ ----------- ----------- --------- --------- ----------------\n\
                     60.00    0.000100           1       700           write\n\
                     100.00    0.000200           1      1234        5 total\n";
        assert_eq!(total_calls(table), Some(1234));
        assert_eq!(total_calls("nothing"), None);
    }
}
