//! The servers to compare, and how they are started.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::certificate;
use crate::load::{self, Protocol, Target};

/// How long a server may take until it accepts connections.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// The list that `cargo xtask bench` prepared.
#[derive(Debug, Deserialize)]
pub(crate) struct Prepared {
    pub(crate) peers: Vec<Peer>,
    pub(crate) left_out: Vec<LeftOut>,
    /// Files whose size is reported, by what they are.
    pub(crate) files: BTreeMap<String, PathBuf>,
}

/// A server, and the command that starts it; its role and port are appended.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Peer {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) protocol: Protocol,
    /// Whether it has TLS when the path of a certificate follows the port.
    #[serde(default)]
    pub(crate) tls: bool,
    command: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
}

/// A peer or a scenario that is left out of the report.
#[derive(Clone, Debug, Deserialize, serde::Serialize)]
pub(crate) struct LeftOut {
    pub(crate) name: String,
    pub(crate) why: String,
}

/// Reads the list of peers.
pub(crate) fn read(path: &Path) -> Result<Prepared> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not a list of peers", path.display()))
}

/// A running server, which is killed when this value is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    pub(crate) target: Target,
    /// The time from its start to the end of its first handshake.
    pub(crate) started_in: Duration,
}

impl Peer {
    /// Returns a server of this program, which `command` starts.
    pub(crate) fn new(name: &str, command: Vec<String>) -> Peer {
        let (version, env) = Default::default();
        Peer { name: name.to_owned(), version, protocol: Protocol::WebSocket, tls: false, command, env }
    }

    /// Starts the server on the core of this thread and waits until it accepts connections.
    pub(crate) fn start(&self, role: &str, secure: bool) -> Result<Running> {
        let port = free_port()?;
        let mut words = self.command.iter();
        let mut command = Command::new(words.next().context("the command of a peer is empty")?);
        command.args(words).args([role, &port.to_string()]).envs(&self.env);
        if secure {
            command.arg(certificate::create(&certificate::directory())?);
        }
        command.stdin(Stdio::null()).stdout(log(&self.name)?).stderr(log(&self.name)?);
        let start = Instant::now();
        let child = command.spawn().with_context(|| format!("cannot start {}", self.name))?;
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let target = Target { addr, protocol: self.protocol, secure, pid: Some(child.id()) };
        let mut running = Running { child, target, started_in: Duration::ZERO };
        running.wait_until_accepting()?;
        running.started_in = start.elapsed();
        Ok(running)
    }
}

impl Running {
    fn wait_until_accepting(&mut self) -> Result<()> {
        let end = Instant::now() + START_TIMEOUT;
        while TcpStream::connect(self.target.addr).is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("the server ended with {status}; its output is in {}", log_directory().display());
            }
            if Instant::now() > end {
                bail!("the server did not accept a connection within {START_TIMEOUT:?}");
            }
            std::thread::sleep(Duration::from_micros(100));
        }
        load::connect(&self.target, 1).map(drop)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended before, which the measurement has noticed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn log_directory() -> PathBuf {
    PathBuf::from("target/bench/logs")
}

fn log(name: &str) -> Result<File> {
    fs::create_dir_all(log_directory())?;
    let path = log_directory().join(format!("{name}.log"));
    File::options().create(true).append(true).open(&path).with_context(|| format!("cannot write {}", path.display()))
}
