//! What the tests of the program share.

#![allow(dead_code, reason = "no test program uses all of it")]

pub(crate) mod documents;

use std::ops::{Deref, DerefMut};
use std::process::{Child, Command, Output, Stdio};

use halloo_test_support::ChildProcess;
use serde_json::Value;

/// A server in JSON mode on loopback, on any free port and without discovery.
pub(crate) const LOCAL_SERVER: [&str; 7] = ["serve", "--json", "--bind", "127.0.0.1", "--port", "0", "--no-discovery"];

/// Returns a command that runs the program.
pub(crate) fn halloo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_halloo"));
    command.args(arguments);
    command
}

/// Runs the program without input until it exits.
pub(crate) fn run(arguments: &[&str]) -> Output {
    halloo(arguments).stdin(Stdio::null()).output().unwrap()
}

/// Returns the standard output of a program as text.
pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Returns the standard error of a program as text.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Sends a signal, such as `-INT`, to a process.
#[cfg(unix)]
pub(crate) fn send_signal(signal: &str, process_id: u32) {
    assert!(Command::new("kill").args([signal, &process_id.to_string()]).status().unwrap().success());
}

/// A program that prints a JSON object per line, which has the key `event`.
pub(crate) struct JsonProcess(ChildProcess);

impl Deref for JsonProcess {
    type Target = ChildProcess;

    fn deref(&self) -> &ChildProcess {
        &self.0
    }
}

impl DerefMut for JsonProcess {
    fn deref_mut(&mut self) -> &mut ChildProcess {
        &mut self.0
    }
}

impl JsonProcess {
    pub(crate) fn start(command: &mut Command) -> JsonProcess {
        JsonProcess(ChildProcess::start(command))
    }

    /// Returns the next event.
    #[track_caller]
    pub(crate) fn next_event(&mut self) -> Value {
        serde_json::from_str(&self.next_line()).unwrap()
    }

    /// Returns the next event of this kind, and discards the events before it.
    #[track_caller]
    pub(crate) fn next_of(&mut self, kind: &str) -> Value {
        self.next_matching(|event| event["event"] == kind)
    }

    /// Returns the next event that matches, and discards the events before it.
    #[track_caller]
    pub(crate) fn next_matching(&mut self, matches: impl Fn(&Value) -> bool) -> Value {
        loop {
            let event = self.next_event();
            if matches(&event) {
                return event;
            }
        }
    }

    /// Returns the remaining events, until the program closes its standard output.
    #[track_caller]
    pub(crate) fn remaining_events(&mut self) -> Vec<Value> {
        self.remaining_lines().iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Stops a server with a command, and waits until it exits.
    #[track_caller]
    pub(crate) fn stop(&mut self) {
        self.write_line(r#"{"cmd":"stop"}"#);
        self.next_of("stopped");
        assert!(self.wait().success());
    }
}

/// A running server in JSON mode.
pub(crate) struct JsonServer {
    pub(crate) process: JsonProcess,
    /// The first event.
    pub(crate) ready: Value,
    pub(crate) port: u16,
}

impl JsonServer {
    /// Starts a server, and expects that it becomes ready.
    #[track_caller]
    pub(crate) fn start(command: &mut Command) -> JsonServer {
        let mut process = JsonProcess::start(command);
        let ready = process.next_event();
        assert_eq!(ready["event"], "ready", "{ready}");
        let port = ready["port"].as_u64().unwrap().try_into().unwrap();
        JsonServer { process, ready, port }
    }

    /// Starts a server on loopback, on any free port and without discovery.
    #[track_caller]
    pub(crate) fn start_local(arguments: &[&str]) -> JsonServer {
        JsonServer::start(halloo(&LOCAL_SERVER).args(arguments).stderr(Stdio::piped()))
    }

    /// Starts a server on loopback that is announced on `discovery_port`.
    #[track_caller]
    pub(crate) fn start_announced(discovery_port: u16, arguments: &[&str]) -> JsonServer {
        let discovery_port = discovery_port.to_string();
        let mut command = halloo(&["serve", "--json", "--bind", "127.0.0.1", "--discovery-port", &discovery_port]);
        if !arguments.contains(&"--port") {
            command.args(["--port", "0"]);
        }
        JsonServer::start(command.args(arguments).stderr(Stdio::piped()))
    }

    /// Returns the URL of the server.
    pub(crate) fn url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.port)
    }
}

/// A process that is killed when this is dropped.
pub(crate) struct KilledOnDrop(pub(crate) Child);

impl Drop for KilledOnDrop {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
