//! A device on the network that forges datagrams of discovery, with the addresses of others as their sources.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::context::Context;
use crate::halloo_client::lines;
use crate::namespaces::{Device, Output, run_in_namespace, shell};
use crate::peer::TIMEOUT;
use crate::process;
use crate::scenario::{Finding, Run, Scenario};
use crate::server::Server;

pub(super) const GOODBYES: Scenario = Scenario {
    name: "forged-goodbyes",
    attack: "forged goodbyes and beacons with the address and id of a server, and beacons with its id from another address, 10/s and 1,000/s for 20 s each",
    promised: "a browser lists the server at its address all the time; a real goodbye removes it within 0.7 s",
    run: Run::Own(goodbyes),
};

pub(super) const MADE_UP: Scenario = Scenario {
    name: "made-up-servers",
    attack: "beacons of 64 made-up servers from each of 4 and of 1,000 addresses, 3,000/s; a server starts meanwhile",
    promised: "found within 1 s and within 10 s; the browser grows by at most 4 MiB",
    run: Run::Own(made_up),
};

const BROWSER: &str = "10.66.0.1";
const SERVER: &str = "10.66.0.2";
const ATTACKER: &str = "10.66.0.66";
/// The first of the addresses that the attacker makes up.
const MADE_UP_ADDRESSES: Ipv4Addr = Ipv4Addr::new(10, 66, 128, 0);

fn goodbyes(context: &Context) -> Result<Finding> {
    let seconds = if context.quick { "2" } else { "20" };
    Finding::from_line(&run_in_namespace(&context.halloo, &["forged-goodbyes", seconds])?)
}

fn made_up(context: &Context) -> Result<Finding> {
    let seconds = if context.quick { "2" } else { "10" };
    let mut finding = Finding::from_line(&run_in_namespace(&context.halloo, &["made-up-servers", seconds])?)?;
    finding.held |= !context.timed && !finding.measured.contains("not found");
    Ok(finding)
}

/// A server and an attacker on one switch with this machine, on which a browser runs.
struct Network {
    server: Device,
    attacker: Device,
}

impl Network {
    fn new() -> Result<Network> {
        shell(&format!("ip link add switch type bridge; ip addr add {BROWSER}/16 dev switch; ip link set switch up"))?;
        let device = |name: &str, address: &str| {
            let device = Device::new(name, "192.0.2.1/32", &[&format!("{address}/16")])?;
            shell(&format!("ip addr flush dev {name}; ip link set {name} master switch"))?;
            anyhow::Ok(device)
        };
        let network = Network { server: device("server", SERVER)?, attacker: device("attacker", ATTACKER)? };
        // It sends from these addresses, but neither answers for them nor announces them.
        network.attacker.shell(&format!(
            "for name in all eth0; do
                 echo 1 > /proc/sys/net/ipv4/conf/$name/arp_ignore
                 echo 2 > /proc/sys/net/ipv4/conf/$name/arp_announce
             done
             ip route add local {SERVER}/32 dev lo; ip route add local {MADE_UP_ADDRESSES}/20 dev lo"
        ))?;
        Ok(network)
    }

    fn start_server(&self, halloo: &Path) -> Result<Server> {
        let arguments = ["--bind", "0.0.0.0", "--no-mdns", "--discovery-port", "8766", "--name", "den"];
        let mut server = Server::start_with(self.server.command(halloo), &arguments)?;
        server.drain_output()?;
        Ok(server)
    }
}

/// `halloo discover --watch`.
struct Watch {
    child: Child,
    events: Output,
}

impl Watch {
    fn start(halloo: &Path) -> Result<Watch> {
        let mut command = std::process::Command::new(halloo);
        command.args(["discover", "--watch", "--json", "--no-mdns"]).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn()?;
        let events = Output::new(lines(child.stdout.take().context("no output")?));
        Ok(Watch { child, events })
    }

    /// Returns the next event about the server `den`, and its kind; `None` after `timeout`.
    fn next(&self, timeout: Duration) -> Result<Option<(String, Value)>> {
        let end = Instant::now() + timeout;
        while let Some(line) = self.events.line(end.saturating_duration_since(Instant::now())) {
            let event: Value = serde_json::from_str(&line)?;
            if event["name"] == "den" {
                return Ok(Some((event["event"].as_str().unwrap_or_default().to_owned(), event)));
            }
        }
        Ok(None)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs in the namespace, for `seconds` at each rate.
pub(crate) fn forge_goodbyes(halloo: &Path, seconds: &str) -> Result<Finding> {
    let mut network = Network::new()?;
    let watch = Watch::start(halloo)?;
    let mut server = network.start_server(halloo)?;
    let url = format!("ws://{SERVER}:{}", server.port);
    let (_, found) = watch.next(TIMEOUT)?.context("the server was not found")?;
    let id = found["id"].as_str().context("no id")?.to_owned();
    let (mut lost, mut elsewhere) = (0, 0);
    for rate in [10, 1000] {
        let (rate, port) = (rate.to_string(), server.port.to_string());
        let target = format!("{BROWSER}:8766");
        let arguments = ["goodbyes", &target, SERVER, ATTACKER, &id, &port, &rate];
        let forger = network.attacker.start_helper(&arguments)?;
        let end = Instant::now() + Duration::from_secs(seconds.parse()?);
        while let Some((kind, event)) = watch.next(end.saturating_duration_since(Instant::now()))? {
            lost += usize::from(kind == "lost" && event["id"] == *id);
            elsewhere += usize::from(kind != "lost" && event["url"] != url);
        }
        drop(forger);
        network.attacker.stop_helpers();
    }
    let start = Instant::now();
    server.interrupt()?;
    let gone = loop {
        match watch.next(TIMEOUT)? {
            Some((kind, _)) if kind == "lost" => break Some(start.elapsed()),
            Some(_) => {}
            None => break None,
        }
    };
    let removed = gone.map_or("not removed".into(), |after| format!("removed after {} ms", after.as_millis()));
    let held = lost == 0 && elsewhere == 0 && gone.is_some_and(|after| after <= Duration::from_millis(700));
    Ok(Finding {
        measured: format!("lost {lost} times, elsewhere {elsewhere} times; after its goodbye {removed}"),
        held,
    })
}

/// Runs in the namespace: floods the browser for `seconds` before the server starts.
pub(crate) fn make_up_servers(halloo: &Path, seconds: &str) -> Result<Finding> {
    let mut network = Network::new()?;
    let (mut figures, mut held) = (Vec::new(), true);
    for (addresses, limit) in [(4, 1), (1000, 10)] {
        let watch = Watch::start(halloo)?;
        std::thread::sleep(Duration::from_secs(1));
        let before = process::usage(watch.child.id())?.memory_kib;
        let (target, first) = (format!("{BROWSER}:8766"), MADE_UP_ADDRESSES.to_string());
        let forger =
            network.attacker.start_helper(&["made-up", &target, &first, &addresses.to_string(), "64", "3000"])?;
        let _ = watch.next(Duration::from_secs(seconds.parse()?))?;
        let server = network.start_server(halloo)?;
        let start = Instant::now();
        let found = watch.next(TIMEOUT.max(Duration::from_secs(30)))?.map(|_| start.elapsed());
        let grown = process::usage(watch.child.id())?.memory_kib.saturating_sub(before);
        held &= found.is_some_and(|after| after <= Duration::from_secs(limit)) && grown <= 4096;
        let found = found.map_or("not found".into(), |after| format!("found after {} ms", after.as_millis()));
        figures.push(format!("{addresses} addresses: {found}, +{grown} KiB"));
        drop((forger, server));
        network.attacker.stop_helpers();
    }
    Ok(Finding { measured: figures.join("; "), held })
}
