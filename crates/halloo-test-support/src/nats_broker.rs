//! A broker of NATS.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;

use crate::foreign::prepared;
use crate::{ChildProcess, TEST_TIMEOUT, TempDir};

/// A running broker on loopback. It is killed when this is dropped.
#[derive(Debug)]
pub struct NatsBroker {
    process: ChildProcess,
    _directory: TempDir,
    port: u16,
}

impl NatsBroker {
    /// Starts one on a free port with further lines of configuration; `None` with a note if it was not fetched.
    pub fn start(configuration: &str) -> Option<NatsBroker> {
        NatsBroker::start_on(configuration, 0)
    }

    /// Starts one on this port; 0 for a free one.
    pub fn start_on(configuration: &str, port: u16) -> Option<NatsBroker> {
        let program = prepared("HALLOO_TEST_NATS")?;
        let directory = TempDir::new(&std::env::temp_dir().to_string_lossy());
        let file = directory.path().join("nats.conf");
        let port = if port == 0 { -1 } else { i32::from(port) };
        std::fs::write(&file, format!("listen: \"127.0.0.1:{port}\"\n{configuration}\n")).unwrap();
        let mut command = Command::new(program);
        command.arg("--config").arg(&file).stderr(Stdio::piped());
        let mut process = ChildProcess::start(&mut command);
        let port = bound_port(&mut process);
        Some(NatsBroker { process, _directory: directory, port })
    }

    /// Returns its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns its address.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Kills it, and starts it again on the same port with this configuration.
    pub fn restart(&mut self, configuration: &str) {
        self.kill();
        *self = NatsBroker::start_on(configuration, self.port).expect("it was there before");
    }

    /// Kills it.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Stops the process, without ending it: its connections stay and nothing answers.
    pub fn suspend(&self) {
        self.signal("-STOP");
    }

    /// Lets a stopped process continue.
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").arg(signal).arg(self.process.id().to_string()).status().unwrap();
        assert!(sent.success());
    }
}

/// Returns the port that the log of the broker names, and discards the rest of its log.
fn bound_port(process: &mut ChildProcess) -> u16 {
    let (sender, lines) = channel();
    let log = BufReader::new(process.take_stderr());
    std::thread::spawn(move || log.lines().map_while(Result::ok).for_each(|line| drop(sender.send(line))));
    let (mut port, mut log) = (None, Vec::new());
    while let Ok(line) = lines.recv_timeout(TEST_TIMEOUT) {
        if let Some((_, address)) = line.split_once("Listening for client connections on 127.0.0.1:") {
            port = address.trim().parse().ok();
        }
        if let Some(port) = port.filter(|_| line.contains("Server is ready")) {
            return port;
        }
        log.push(line);
    }
    panic!("the broker does not start: {log:#?}")
}
