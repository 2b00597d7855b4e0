//! Running the engine without a screen, in a network of its own, and never for ever.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::command::succeeds;

/// An error in a script leaves the engine running, so every run has an end set from outside.
const PATIENCE: Duration = Duration::from_secs(300);

/// What the engine prints, with a good exit status, when something is broken.
const BAD_SIGNS: [&str; 3] = ["SCRIPT ERROR", "Can't open dynamic library", "ObjectDB instances leaked"];

/// A network with one other machine's worth of addresses and nobody in it: every port is free, broadcasts are heard,
/// and nothing leaves this machine.
const NETWORK: &str = "ip link set lo up && ip link add name left type veth peer name right && \
     ip addr add 192.168.77.1/24 dev left && ip link set left up && ip link set right up && \
     ip route add default dev left";

/// Everything that runs in there dies with the program that made it.
const NAMESPACE: [&str; 7] = ["--user", "--map-root-user", "--net", "--mount-proc", "--pid", "--fork", "--kill-child"];

/// A Godot whose runs are watched.
pub(crate) struct Engine {
    program: PathBuf,
    /// Where it keeps what it would otherwise keep in the home directory.
    home: PathBuf,
}

/// What a run printed and how it ended.
pub(crate) struct Outcome {
    pub(crate) lines: Vec<String>,
    /// Why it was no good; `None` when all is well.
    pub(crate) complaint: Option<String>,
}

impl Engine {
    /// The engine `program`, or `None`, said loudly, where it cannot be given a network of its own; then with `CI=true`
    /// in the environment an error.
    pub(crate) fn new(program: &Path, directory: &Path) -> Result<Option<Engine>> {
        let home = directory.join("home");
        fs::create_dir_all(&home)?;
        if succeeds(Command::new("unshare").args(NAMESPACE).args(["sh", "-c", NETWORK])) {
            return Ok(Some(Engine { program: program.to_owned(), home }));
        }
        let missing = "no network namespace can be made here: Linux, `unshare`, `ip` and user namespaces are needed";
        if std::env::var_os("CI").is_some_and(|value| value == "true") {
            bail!("{missing}");
        }
        eprintln!("SKIPPED: the addon was NOT tested: {missing}");
        Ok(None)
    }

    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// Runs the engine on `project` with further `arguments`.
    pub(crate) fn run(&self, project: &Path, arguments: &[&str]) -> Result<Outcome> {
        let mut command = Command::new("unshare");
        command.args(NAMESPACE).args(["sh", "-c", &format!("{NETWORK} && exec \"$0\" \"$@\"")]);
        command.arg(&self.program).arg("--headless").arg("--path").arg(project).args(arguments);
        for variable in ["XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"] {
            command.env(variable, &self.home);
        }
        watch(command, PATIENCE)
    }
}

/// Runs `command` to its end, or kills it when `patience` is over.
fn watch(mut command: Command, patience: Duration) -> Result<Outcome> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.as_mut().map_err(|error| anyhow::anyhow!("cannot start the engine: {error}"))?;
    let (sender, receiver) = channel();
    pass_on(child.stdout.take(), sender.clone());
    pass_on(child.stderr.take(), sender);
    let mut lines = Vec::new();
    let status = collect(child, &receiver, &mut lines, Instant::now() + patience)?;
    let complaint = match status {
        None => Some(format!("it was still running after {} s, and was killed", patience.as_secs())),
        Some(status) if !status.success() => Some(format!("the engine ended with {status}")),
        Some(_) => None,
    };
    let sign = BAD_SIGNS.iter().find(|sign| lines.iter().any(|line| line.contains(**sign)));
    let complaint = complaint.or(sign.map(|sign| format!("it printed: {sign}")));
    Ok(Outcome { lines, complaint })
}

/// Reads until the output ends; `None` when the child had to be killed.
fn collect(
    child: &mut Child,
    receiver: &Receiver<String>,
    lines: &mut Vec<String>,
    deadline: Instant,
) -> Result<Option<ExitStatus>> {
    loop {
        match receiver.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => lines.push(line),
            Err(RecvTimeoutError::Disconnected) => return Ok(Some(child.wait()?)),
            Err(RecvTimeoutError::Timeout) => {
                child.kill().context("cannot kill the engine")?;
                child.wait()?;
                return Ok(None);
            }
        }
    }
}

fn pass_on(stream: Option<impl Read + Send + 'static>, sender: Sender<String>) {
    thread::spawn(move || {
        for line in stream.into_iter().flat_map(|stream| BufReader::new(stream).split(b'\n')).map_while(Result::ok) {
            if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                break;
            }
        }
    });
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    fn shell(script: &str, patience: Duration) -> Outcome {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        watch(command, patience).unwrap()
    }

    #[test]
    fn a_good_run_has_no_complaint() {
        let outcome = shell("echo one; echo two >&2", PATIENCE);
        assert_eq!(outcome.lines.len(), 2);
        assert_eq!(outcome.complaint, None);
    }

    #[test]
    fn errors_are_seen_in_the_status_and_in_the_output() {
        assert!(shell("exit 3", PATIENCE).complaint.unwrap().contains('3'));
        assert_eq!(shell("echo 'SCRIPT ERROR: x'", PATIENCE).complaint.unwrap(), "it printed: SCRIPT ERROR");
    }

    #[test]
    fn one_that_hangs_is_killed() {
        let outcome = shell("echo begun; exec sleep 600", Duration::from_millis(300));
        assert_eq!(outcome.lines, ["begun"]);
        assert!(outcome.complaint.unwrap().contains("killed"));
    }
}
