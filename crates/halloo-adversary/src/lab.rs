//! Networks of its own for what needs cables and addresses: namespaces from which nothing leaves this machine.

use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::peer::{PATIENCE, Peer};

/// Another device: a namespace of its own at the other end of a cable.
pub(crate) struct Neighbour {
    /// Lives as long as its input is open, and the namespace with it.
    holder: Child,
    players: Vec<Child>,
}

/// A part that a process plays in a namespace of a neighbour.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Part {
    /// So many clients of that server, from each of these addresses
    Clients { server: SocketAddr, each: usize, sources: Vec<std::net::IpAddr> },
    /// Tells of every datagram on this port
    Ears { port: u16 },
}

/// What a part tells, line by line.
pub(crate) struct Told(Receiver<String>);

impl Told {
    pub(crate) fn line(&self, patience: Duration) -> Option<String> {
        self.0.recv_timeout(patience).ok()
    }

    /// Forgets what was told so far.
    pub(crate) fn skip(&self) {
        while self.0.try_recv().is_ok() {}
    }
}

/// Runs this program again as the root of a namespace with nothing but loopback, and mounts of its own, and answers what it printed.
pub(crate) fn inside(halloo: &Path, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new("unshare");
    command.args(["-Urnm", "sh", "-c", "ip link set lo up && exec \"$0\" \"$@\""]).arg(std::env::current_exe()?);
    command.arg("--halloo").arg(halloo).args(arguments).stderr(Stdio::inherit());
    let output = command.output().context("`unshare` and `ip` are needed")?;
    if !output.status.success() {
        bail!("no namespace can be made here, or what ran in it failed: {}", String::from_utf8_lossy(&output.stdout));
    }
    Ok(String::from_utf8(output.stdout)?)
}

impl Neighbour {
    /// Lays a cable from our new interface `name` with the address `ours` to a new neighbour's `eth0` with `theirs`.
    pub(crate) fn new(name: &str, ours: &str, theirs: &[&str]) -> Result<Neighbour> {
        let mut holder = Command::new("unshare");
        holder.args(["-n", "sh", "-c", "echo in; exec cat"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut neighbour = Neighbour { holder: holder.spawn()?, players: Vec::new() };
        let mut line = String::new();
        // It tells when it is in its namespace, before which its process is still in ours.
        BufReader::new(neighbour.holder.stdout.take().context("no output")?).read_line(&mut line)?;
        shell(&format!("ip link add {name} type veth peer name eth0 netns {}", neighbour.holder.id()))?;
        for address in theirs {
            neighbour.shell(&format!("ip addr add {address} dev eth0"))?;
        }
        neighbour.shell("ip link set lo up; ip link set eth0 up")?;
        shell(&format!("ip addr add {ours} dev {name}; ip link set {name} up"))?;
        Ok(neighbour)
    }

    /// Runs lines of a shell there.
    pub(crate) fn shell(&self, lines: &str) -> Result<()> {
        succeed(self.enter("sh".as_ref()).args(["-ec", lines]))
    }

    /// A program there.
    pub(crate) fn enter(&self, program: &Path) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.holder.id().to_string(), "-n"]).arg(program);
        command
    }

    /// Has a part played there; its first line has come.
    pub(crate) fn play(&mut self, arguments: &[&str]) -> Result<Told> {
        let mut command = self.enter(&std::env::current_exe()?);
        command.arg("play").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let output = BufReader::new(child.stdout.take().context("no output")?);
        self.players.push(child);
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let told = Told(lines);
        told.line(PATIENCE).context("a part is not played")?;
        Ok(told)
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        for child in self.players.iter_mut().chain([&mut self.holder]) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Runs lines of a shell in this namespace.
pub(crate) fn shell(lines: &str) -> Result<()> {
    succeed(Command::new("sh").args(["-ec", lines]))
}

fn succeed(command: &mut Command) -> Result<()> {
    let status = command.status()?;
    if status.success() { Ok(()) } else { bail!("{command:?} ended with {status}") }
}

/// Plays a part until standard input ends.
pub(crate) fn play(part: &Part) -> Result<()> {
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    match part {
        Part::Clients { server, each, sources } => {
            let mut peers = Vec::new();
            for source in sources {
                for _ in 0..*each {
                    peers.push(Peer::join_from(*source, *server)?);
                }
            }
            println!("ready");
            loop {
                for peer in &mut peers {
                    peer.linger(Duration::from_millis(1));
                }
            }
        }
        Part::Ears { port } => {
            let socket = UdpSocket::bind(("0.0.0.0", *port))?;
            println!("ready");
            loop {
                let (length, from) = socket.recv_from(&mut [0; 2048])?;
                println!("{length} bytes from {from}");
            }
        }
    }
}

/// How long until `done`, which is asked every 50 ms.
pub(crate) fn time_until(patience: Duration, mut done: impl FnMut() -> Result<bool>) -> Result<Option<Duration>> {
    let begin = Instant::now();
    while begin.elapsed() < patience {
        if done()? {
            return Ok(Some(begin.elapsed()));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(None)
}
