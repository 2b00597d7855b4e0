//! The program under attack: started, watched, stopped.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::cores;
use crate::peer::{PATIENCE, Peer};

/// Ticks of the processor clock in a second, which Linux tells to programs as this number on every architecture.
const TICKS: u64 = 100;

/// A running `halloo serve`.
pub(crate) struct Server {
    child: Child,
    pub(crate) input: Option<ChildStdin>,
    output: Option<ChildStdout>,
    pub(crate) port: u16,
    log: Arc<Mutex<Vec<u8>>>,
}

impl Server {
    /// On a free port of this machine, without discovery unless `arguments` turn it on.
    pub(crate) fn start(halloo: &Path, arguments: &[&str]) -> Result<Server> {
        Server::start_by(Command::new(halloo), arguments)
    }

    /// The same through another command, whose last argument is the program.
    pub(crate) fn start_by(mut command: Command, arguments: &[&str]) -> Result<Server> {
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
        let mut child = cores::on_servers(|| command.spawn()).context("cannot start the server")?;
        let (input, output, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (log, lines) = keep_log(stderr.context("no standard error")?);
        let mut server = Server { child, input, output, port: 0, log };
        server.port = server.find_port(&lines)?;
        Ok(server)
    }

    fn find_port(&mut self, lines: &Receiver<String>) -> Result<u16> {
        let deadline = Instant::now() + PATIENCE;
        while let Ok(line) = lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            if let Some(port) = line.trim_end().rsplit_once("server started on port ").map(|(_, port)| port) {
                return port.parse().with_context(|| format!("no port in {line:?}"));
            }
        }
        bail!("the server does not say where it is: {}", self.log())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Standard output, once.
    pub(crate) fn take_output(&mut self) -> Result<ChildStdout> {
        self.output.take().context("the output is taken")
    }

    /// Reads and forgets all that the server writes.
    pub(crate) fn drain_output(&mut self) -> Result<()> {
        let mut output = self.take_output()?;
        std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
        Ok(())
    }

    /// A line to all clients.
    pub(crate) fn send_to_all(&mut self, line: &[u8]) -> Result<()> {
        let input = self.input.as_mut().context("the input is closed")?;
        input.write_all(line)?;
        input.write_all(b"\n").context("the server does not read its input")
    }

    /// What it wrote to standard error so far.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&self.log.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    /// Its answer to `GET /status`.
    pub(crate) fn status(&self) -> Result<Value> {
        status(self.port)
    }

    /// Waits until `expected` clients are counted.
    pub(crate) fn wait_for_clients(&self, expected: u64, patience: Duration) -> Result<()> {
        let deadline = Instant::now() + patience;
        loop {
            let counted = self.status()?["connected_clients"].as_u64();
            if counted == Some(expected) {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("{counted:?} clients are counted instead of {expected}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn vitals(&self) -> Result<Vitals> {
        vitals(self.pid())
    }

    /// Asks it to end, as Ctrl-C does.
    pub(crate) fn interrupt(&mut self) -> Result<()> {
        signal(self.pid(), "INT")
    }

    /// Ends it as a crash would.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// It still runs, and nothing in its log speaks of a failure.
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

/// Keeps the last MiB of the log, and hands out its first lines.
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
            // Whoever waited for the port has it and listens no more.
            let _ = sender.try_send(String::from_utf8_lossy(&line).into_owned());
            line.clear();
        }
    });
    (log, lines)
}

pub(crate) fn status(port: u16) -> Result<Value> {
    let mut peer = Peer::open(port)?;
    peer.write(format!("GET /status HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n").as_bytes())?;
    let head = peer.response().context("no status")?;
    if !head.starts_with("HTTP/1.1 200") {
        bail!("no status: {head}");
    }
    serde_json::from_slice(&peer.rest()).context("the status is not JSON")
}

/// Sends a signal by its name.
pub(crate) fn signal(pid: u32, name: &str) -> Result<()> {
    let status = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status().context("no `kill`")?;
    if status.success() { Ok(()) } else { bail!("cannot send {name} to {pid}") }
}

/// What a process takes of its machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vitals {
    pub(crate) memory_kib: u64,
    pub(crate) descriptors: u64,
    pub(crate) cpu: Duration,
}

/// Asks the system about a process.
pub(crate) fn vitals(pid: u32) -> Result<Vitals> {
    let read = |name: &str| {
        std::fs::read_to_string(format!("/proc/{pid}/{name}"))
            .with_context(|| format!("cannot read /proc/{pid}/{name}"))
    };
    let status = read("status")?;
    let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let stat = read("stat")?;
    // The name of the program, in parentheses, may hold spaces.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    Ok(Vitals {
        memory_kib: memory.trim().trim_end_matches("kB").trim().parse().context("no VmRSS")?,
        descriptors: std::fs::read_dir(format!("/proc/{pid}/fd"))?.count() as u64,
        cpu: Duration::from_millis((ticks(11) + ticks(12)) * 1000 / TICKS),
    })
}

/// The most memory a process takes while something else happens.
pub(crate) struct Watch {
    stop: mpsc::Sender<()>,
    thread: std::thread::JoinHandle<u64>,
}

impl Watch {
    pub(crate) fn start(pid: u32) -> Watch {
        let (stop, stopped) = mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            let mut most = 0;
            loop {
                most = most.max(vitals(pid).map_or(0, |vitals| vitals.memory_kib));
                if stopped.recv_timeout(Duration::from_millis(20)) != Err(mpsc::RecvTimeoutError::Timeout) {
                    return most;
                }
            }
        });
        Watch { stop, thread }
    }

    /// The most, in KiB.
    pub(crate) fn end(self) -> u64 {
        drop(self.stop);
        self.thread.join().unwrap_or(0)
    }
}
