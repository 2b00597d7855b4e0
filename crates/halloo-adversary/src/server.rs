//! The program under attack, as a child process.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::cores;
use crate::peer::{Peer, TIMEOUT};
use crate::process::{self, Usage, signal};

/// A running `halloo serve`.
pub(crate) struct Server {
    child: Child,
    pub(crate) input: Option<ChildStdin>,
    output: Option<ChildStdout>,
    pub(crate) port: u16,
    log: Arc<Mutex<Vec<u8>>>,
}

impl Server {
    /// Starts a server on a free port of the loopback interface, without discovery unless `arguments` set its port.
    pub(crate) fn start(halloo: &Path, arguments: &[&str]) -> Result<Server> {
        Server::start_with(Command::new(halloo), arguments)
    }

    /// Starts a server through another command, whose last argument is the program.
    pub(crate) fn start_with(mut command: Command, arguments: &[&str]) -> Result<Server> {
        command.arg("serve").args(arguments);
        if !arguments.contains(&"--port") {
            command.args(["--port", "0"]);
        }
        if !arguments.contains(&"--bind") {
            command.args(["--bind", "127.0.0.1"]);
        }
        if !arguments.contains(&"--discovery-port") {
            command.arg("--no-discovery");
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = cores::on_server_core(|| command.spawn()).context("cannot start the server")?;
        let (input, output, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (log, lines) = keep_log(stderr.context("no standard error")?);
        let mut server = Server { child, input, output, port: 0, log };
        server.port = server.find_port(&lines)?;
        Ok(server)
    }

    fn find_port(&mut self, lines: &Receiver<String>) -> Result<u16> {
        let deadline = Instant::now() + TIMEOUT;
        while let Ok(line) = lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            if let Some(port) = line.trim_end().rsplit_once("server started on port ").map(|(_, port)| port) {
                return port.parse().with_context(|| format!("no port in {line:?}"));
            }
        }
        bail!("the server did not log its port: {}", self.log())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Takes standard output, which can be taken once.
    pub(crate) fn take_output(&mut self) -> Result<ChildStdout> {
        self.output.take().context("the output of the server was already taken")
    }

    /// Reads and discards everything that the server writes to standard output.
    pub(crate) fn drain_output(&mut self) -> Result<()> {
        let mut output = self.take_output()?;
        std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
        Ok(())
    }

    /// Sends a line to all clients.
    pub(crate) fn send_to_all(&mut self, line: &[u8]) -> Result<()> {
        let input = self.input.as_mut().context("the input of the server is closed")?;
        input.write_all(line)?;
        input.write_all(b"\n").context("the server does not read its input")
    }

    /// Returns the log so far: what the server wrote to standard error.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&self.log.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    /// Returns the response to `GET /status`.
    pub(crate) fn status(&self) -> Result<Value> {
        status(self.port)
    }

    /// Returns what the server announces, as text, with its addresses.
    pub(crate) fn announced_addresses(&self) -> Result<String> {
        let mut peer = Peer::open(self.port)?;
        peer.write(format!("GET /discovery.json HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n", self.port).as_bytes())?;
        peer.response().context("no response to GET /discovery.json")?;
        Ok(String::from_utf8_lossy(&peer.read_to_end()).into_owned())
    }

    /// Waits until the server counts `expected` clients.
    pub(crate) fn wait_for_clients(&self, expected: u64, timeout: Duration) -> Result<()> {
        let deadline = Instant::now() + timeout;
        loop {
            let counted = self.status()?["connected_clients"].as_u64();
            if counted == Some(expected) {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("the server counts {counted:?} clients instead of {expected}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn usage(&self) -> Result<Usage> {
        process::usage(self.pid())
    }

    /// Asks the server to shut down, as Ctrl-C does.
    pub(crate) fn interrupt(&mut self) -> Result<()> {
        signal(self.pid(), "INT")
    }

    /// Kills the server, as a crash would end it.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Checks that the server still runs and has logged no failure.
    pub(crate) fn check_alive(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("the server ended with {status}: {}", self.log());
        }
        let log = self.log();
        if log.contains("panicked") || log.contains("server failed") {
            bail!("the server failed: {log}");
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Keeps up to the last MiB of the log, and sends its first lines.
fn keep_log(stderr: impl Read + Send + 'static) -> (Arc<Mutex<Vec<u8>>>, Receiver<String>) {
    let log: Arc<Mutex<Vec<u8>>> = Arc::default();
    let (kept, (sender, lines)) = (Arc::clone(&log), mpsc::sync_channel(64));
    std::thread::spawn(move || {
        let (mut stderr, mut line) = (BufReader::new(stderr), Vec::new());
        while stderr.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() + line.len() > 1 << 20 {
                kept.clear();
            }
            kept.extend_from_slice(&line);
            // Nothing receives the lines after the one with the port.
            let _ = sender.try_send(String::from_utf8_lossy(&line).into_owned());
            line.clear();
        }
    });
    (log, lines)
}

/// Requests `GET /status` of a server on this machine.
pub(crate) fn status(port: u16) -> Result<Value> {
    let mut peer = Peer::open(port)?;
    peer.write(format!("GET /status HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n").as_bytes())?;
    let head = peer.response().context("no response to GET /status")?;
    if !head.starts_with("HTTP/1.1 200") {
        bail!("GET /status failed: {head}");
    }
    serde_json::from_slice(&peer.read_to_end()).context("the status is not JSON")
}
