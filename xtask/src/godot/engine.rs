//! Runs the engine without a display, in a network namespace, with a time limit.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};

use crate::ci::or_skip;
use crate::command::succeeds;

/// The time limit of a run: after an error in a script, the engine goes on running.
const TIMEOUT: Duration = Duration::from_secs(300);

/// What the engine prints when something is broken, although its exit status is zero.
const ERRORS: [&str; 3] = ["SCRIPT ERROR", "Can't open dynamic library", "ObjectDB instances leaked"];

/// Sets up an interface and a default route in the namespace. Every port is free, broadcasts are received, and no packet
/// leaves this machine.
const NETWORK: &str = "ip link set lo up && ip link add name left type veth peer name right && \
     ip addr add 192.168.77.1/24 dev left && ip link set left up && ip link set right up && \
     ip route add default dev left";

/// The options of `unshare`. Every process in the namespace ends with the first one.
const NAMESPACE: [&str; 7] = ["--user", "--map-root-user", "--net", "--mount-proc", "--pid", "--fork", "--kill-child"];

/// A Godot engine.
pub(crate) struct Engine {
    program: PathBuf,
    /// Replaces the home directory.
    home: PathBuf,
}

/// The result of a run.
pub(crate) struct Outcome {
    pub(crate) lines: Vec<String>,
    /// What went wrong, if anything.
    pub(crate) error: Option<String>,
}

impl Outcome {
    /// Returns whether the run printed this line.
    pub(super) fn printed(&self, line: &str) -> bool {
        self.lines.iter().any(|printed| printed == line)
    }
}

impl Engine {
    /// Returns the engine; `None` if network namespaces are not available, which is an error in a CI service.
    pub(crate) fn new(program: &Path, directory: &Path) -> Result<Option<Engine>> {
        let home = directory.join("home");
        fs::create_dir_all(&home)?;
        if succeeds(Command::new("unshare").args(NAMESPACE).args(["sh", "-c", NETWORK])) {
            return Ok(Some(Engine { program: program.to_owned(), home }));
        }
        let missing = Err(anyhow!("cannot create a network namespace; Linux, `unshare` and `ip` are needed"));
        or_skip(missing, |error| format!("the addon was NOT tested: {error}"))
    }

    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// Runs the engine on `project` with more `arguments`.
    pub(crate) fn run(&self, project: &Path, arguments: &[&str]) -> Result<Outcome> {
        let mut command = Command::new("unshare");
        command.args(NAMESPACE).args(["sh", "-c", &format!("{NETWORK} && exec \"$0\" \"$@\"")]);
        command.arg(&self.program).arg("--headless").arg("--path").arg(project).args(arguments);
        for variable in ["XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"] {
            command.env(variable, &self.home);
        }
        run_with_timeout(command, TIMEOUT)
    }
}

/// Runs `command` to its end, or kills it after `timeout`.
fn run_with_timeout(mut command: Command, timeout: Duration) -> Result<Outcome> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.as_mut().map_err(|error| anyhow!("cannot start the engine: {error}"))?;
    let (sender, receiver) = channel();
    send_lines(child.stdout.take(), sender.clone());
    send_lines(child.stderr.take(), sender);
    let mut lines = Vec::new();
    let status = collect(child, &receiver, &mut lines, Instant::now() + timeout)?;
    let error = match status {
        None => Some(format!("the engine was killed, because it ran for more than {} s", timeout.as_secs())),
        Some(status) if !status.success() => Some(format!("the engine ended with {status}")),
        Some(_) => None,
    };
    let printed = lines.iter().find_map(|line| error_in(line));
    let error = error.or(printed.map(|text| format!("the engine printed: {text}")));
    Ok(Outcome { lines, error })
}

/// Returns whether the engine prints `line` only if something is broken.
pub(super) fn is_error(line: &str) -> bool {
    error_in(line).is_some()
}

fn error_in(line: &str) -> Option<&'static str> {
    ERRORS.into_iter().find(|text| line.contains(text))
}

/// Reads until the output ends. Returns `None` if the child was killed.
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

fn send_lines(stream: Option<impl Read + Send + 'static>, sender: Sender<String>) {
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

    fn shell(script: &str, timeout: Duration) -> Outcome {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        run_with_timeout(command, timeout).unwrap()
    }

    #[test]
    fn a_successful_run_has_no_error() {
        let outcome = shell("echo one; echo two >&2", TIMEOUT);
        assert_eq!(outcome.lines.len(), 2);
        assert_eq!(outcome.error, None);
    }

    #[test]
    fn errors_are_found_in_the_status_and_in_the_output() {
        assert!(shell("exit 3", TIMEOUT).error.unwrap().contains('3'));
        assert_eq!(shell("echo 'SCRIPT ERROR: x'", TIMEOUT).error.unwrap(), "the engine printed: SCRIPT ERROR");
    }

    #[test]
    fn a_run_that_hangs_is_killed() {
        let outcome = shell("echo begun; exec sleep 600", Duration::from_millis(300));
        assert_eq!(outcome.lines, ["begun"]);
        assert!(outcome.error.unwrap().contains("killed"));
    }
}
