//! Network namespaces for scenarios that need links and addresses of their own. No packet leaves this machine.

use std::io::{BufRead, BufReader, Read};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::cores;
use crate::flooder::{self, Sent};
use crate::forger;
use crate::halloo_client::lines;
use crate::peer::{Peer, TIMEOUT};

/// Another device: a namespace at the other end of a virtual cable.
pub(crate) struct Device {
    /// Keeps the namespace alive until its standard input is closed.
    holder: Child,
    helpers: Vec<Child>,
}

/// A helper process on a device.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Helper {
    /// Connect `each` clients to a server from each of the source addresses
    Clients { server: SocketAddr, each: usize, sources: Vec<IpAddr> },
    /// Print a line for each datagram on a UDP port
    Listener { port: u16 },
    /// Send packets of multicast DNS from each of the source addresses in turn, and print what was sent
    MulticastDns { seconds: u64, megabytes: f64, sources: Vec<Ipv4Addr> },
    /// Send probes that are too small to be answered, and print what was sent
    SmallProbes { seconds: u64, per_second: f64, to: SocketAddr, sources: Vec<Ipv4Addr> },
    /// Ask for servers by multicast DNS, and print a line for each response of `server`
    Querier { source: Ipv4Addr, server: Ipv4Addr },
    /// Send goodbyes and beacons with the address of a server, and beacons with its id from an own address
    Goodbyes { target: SocketAddr, server: Ipv4Addr, own: Ipv4Addr, id: String, port: u16, rate: u32 },
    /// Send beacons of made-up servers from several addresses
    MadeUp { target: SocketAddr, first: Ipv4Addr, addresses: u32, each: u32, rate: u32 },
}

/// The lines that a helper prints.
pub(crate) struct Output(Receiver<String>);

impl Output {
    pub(crate) fn new(lines: Receiver<String>) -> Output {
        Output(lines)
    }

    pub(crate) fn line(&self, timeout: Duration) -> Option<String> {
        self.0.recv_timeout(timeout).ok()
    }

    /// Drops the lines that have been printed so far, and returns their number.
    pub(crate) fn skip(&self) -> usize {
        self.0.try_iter().count()
    }
}

/// Runs this program as root of a new network and mount namespace, which has only loopback, and returns its output.
pub(crate) fn run_in_namespace(halloo: &Path, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new("unshare");
    command.args(["-Urnm", "sh", "-c", "ip link set lo up && exec \"$0\" \"$@\""]).arg(std::env::current_exe()?);
    command.arg("--halloo").arg(halloo);
    if let Some(core) = cores::server_core() {
        command.args(["--server-core", &core.to_string()]);
    }
    command.arg("in-namespace").args(arguments).stderr(Stdio::inherit());
    let output = command.output().context("cannot run `unshare`; `unshare` and `ip` are needed")?;
    if !output.status.success() {
        bail!(
            "cannot create a network namespace, or the scenario failed in it: {}",
            String::from_utf8_lossy(&output.stdout)
        );
    }
    Ok(String::from_utf8(output.stdout)?)
}

impl Device {
    /// Adds a device: a cable leads from the new interface `name` here, with the address `local`, to `eth0` there, with
    /// the addresses `remote`.
    pub(crate) fn new(name: &str, local: &str, remote: &[&str]) -> Result<Device> {
        let mut holder = Command::new("unshare");
        holder.args(["-n", "sh", "-c", "echo ready; exec cat"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut device = Device { holder: holder.spawn()?, helpers: Vec::new() };
        let mut line = String::new();
        // Until it prints this line, the process may still be in the namespace of its parent.
        BufReader::new(device.holder.stdout.take().context("no output")?).read_line(&mut line)?;
        shell(&format!("ip link add {name} type veth peer name eth0 netns {}", device.holder.id()))?;
        for address in remote {
            device.shell(&format!("ip addr add {address} dev eth0"))?;
        }
        device.shell("ip link set lo up; ip link set eth0 up")?;
        shell(&format!("ip addr add {local} dev {name}; ip link set {name} up"))?;
        Ok(device)
    }

    /// Runs shell commands on the device.
    pub(crate) fn shell(&self, commands: &str) -> Result<()> {
        succeed(self.command("sh".as_ref()).args(["-ec", commands]))
    }

    /// Returns a command that runs a program on the device.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.holder.id().to_string(), "-n"]).arg(program);
        command
    }

    /// Stops the helpers on the device.
    pub(crate) fn stop_helpers(&mut self) {
        for mut child in self.helpers.drain(..) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts a helper on the device and waits until it is ready.
    pub(crate) fn start_helper(&mut self, arguments: &[&str]) -> Result<Output> {
        let mut command = self.command(&std::env::current_exe()?);
        command.arg("helper").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let output = Output(lines(child.stdout.take().context("no output")?));
        self.helpers.push(child);
        output.line(TIMEOUT).context("a helper process did not get ready")?;
        Ok(output)
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.stop_helpers();
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// Runs shell commands in the namespace of this process.
pub(crate) fn shell(commands: &str) -> Result<()> {
    succeed(Command::new("sh").args(["-ec", commands]))
}

fn succeed(command: &mut Command) -> Result<()> {
    let status = command.status()?;
    if status.success() { Ok(()) } else { bail!("{command:?} ended with {status}") }
}

/// Runs a helper until its standard input ends.
pub(crate) fn run_helper(helper: &Helper) -> Result<()> {
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    match helper {
        Helper::Clients { server, each, sources } => {
            let mut peers = Vec::new();
            for source in sources {
                for _ in 0..*each {
                    peers.push(Peer::join_from(*source, *server)?);
                }
            }
            println!("ready");
            loop {
                for peer in &mut peers {
                    peer.answer_pings(Duration::from_millis(1));
                }
            }
        }
        Helper::Listener { port } => {
            let socket = UdpSocket::bind(("0.0.0.0", *port))?;
            println!("ready");
            loop {
                let (length, from) = socket.recv_from(&mut [0; 2048])?;
                println!("{length} bytes from {from}");
            }
        }
        Helper::MulticastDns { seconds, megabytes, sources } => {
            flood(|| flooder::multicast_dns(Duration::from_secs(*seconds), *megabytes, sources))
        }
        Helper::SmallProbes { seconds, per_second, to, sources } => {
            flood(|| flooder::small_probes(Duration::from_secs(*seconds), *per_second, *to, sources))
        }
        Helper::Querier { source, server } => {
            println!("ready");
            flooder::query_services(*source, *server, || println!("found"))
        }
        Helper::Goodbyes { target, server, own, id, port, rate } => {
            println!("ready");
            forger::send_goodbyes(*target, *server, *own, id, *port, *rate)
        }
        Helper::MadeUp { target, first, addresses, each, rate } => {
            println!("ready");
            forger::send_made_up(*target, *first, *addresses, *each, *rate)
        }
    }
}

/// Sends a flood, prints what was sent, and stays until the helper is ended.
fn flood(send: impl FnOnce() -> Result<Sent>) -> Result<()> {
    cores::lower_priority();
    println!("ready");
    println!("{}", send()?.to_line());
    loop {
        std::thread::park();
    }
}

/// Checks `condition` every 50 ms until it is true, and returns how long that took; `None` after `timeout`.
pub(crate) fn time_until(timeout: Duration, mut condition: impl FnMut() -> Result<bool>) -> Result<Option<Duration>> {
    let start = Instant::now();
    while start.elapsed() < timeout {
        if condition()? {
            return Ok(Some(start.elapsed()));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(None)
}
