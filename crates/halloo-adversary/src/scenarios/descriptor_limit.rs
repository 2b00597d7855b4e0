//! A server with a low limit on open files.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::context::Context;
use crate::namespaces::{Device, run_in_namespace, shell, time_until};
use crate::peer::{Peer, TIMEOUT};
use crate::scenario::{Finding, Run, Scenario};
use crate::server::Server;

pub(super) const DESCRIPTORS: Scenario = Scenario {
    name: "descriptor-limit",
    attack: "`ulimit -n 64`, and 200 connections that stay open",
    promised: "CPU below 5 %; accepts again within 2 s of their release",
    run: Run::Own(run),
};

pub(super) const ADDRESSES: Scenario = Scenario {
    name: "descriptor-limit-addresses",
    attack: "the same while the addresses of the machine change ten times a second",
    promised: "no address is withdrawn that the machine has; all are known within 2 s of the release",
    run: Run::Own(run_with_addresses),
};

/// Returns a command that runs the program with at most 64 descriptors.
fn limited(halloo: &Path) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 64; exec \"$0\" \"$@\""]).arg(halloo);
    command
}

fn run(context: &Context) -> Result<Finding> {
    let mut server = Server::start_with(limited(&context.halloo), &[])?;
    server.drain_output()?;
    let peers = (0..200).map(|_| Peer::open(server.port)).collect::<Result<Vec<_>, _>>()?;
    std::thread::sleep(Duration::from_millis(500));
    // Connections that are silent for a second are closed in favour of a client that sends a request.
    let start = Instant::now();
    let client = Peer::join(server.port);
    let meanwhile = match &client {
        Ok(_) => format!("a client is accepted after {} ms", start.elapsed().as_millis()),
        Err(error) => format!("a client is not accepted: {error:#}"),
    };
    // With so few descriptors, the server has a place for one client only.
    drop(client);
    let (before, start) = (server.usage()?, Instant::now());
    // Opened again as the server closes them, so that it stays out of descriptors.
    let mut peers = peers;
    while start.elapsed() < Duration::from_secs(context.size(8, 2) as u64) {
        std::thread::sleep(Duration::from_millis(100));
        peers.extend((0..10).filter_map(|_| Peer::open(server.port).ok()));
    }
    let after = server.usage()?;
    let share = 100.0 * (after.cpu - before.cpu).as_secs_f64() / start.elapsed().as_secs_f64();
    drop(peers);
    let release = Instant::now();
    while Peer::join(server.port).is_err() {
        if release.elapsed() > Duration::from_secs(10) {
            bail!("no client is accepted 10 s after the release: {}", server.log());
        }
    }
    let again = release.elapsed();
    server.check_alive()?;
    let held = (share < 5.0 || !context.timed) && context.in_time(again, Duration::from_secs(2));
    let measured = format!(
        "{} of 64 descriptors; {meanwhile}; CPU {share:.1} %; another client {} ms after the release",
        after.descriptors,
        again.as_millis()
    );
    Ok(Finding { measured, held })
}

fn run_with_addresses(context: &Context) -> Result<Finding> {
    let seconds = context.seconds(20, 2).to_string();
    let mut finding = Finding::from_line(&run_in_namespace(&context.halloo, &[ADDRESSES.name, &seconds])?)?;
    if let Some(rest) = finding.measured.strip_prefix("late: ") {
        (finding.held, finding.measured) = (!context.timed, rest.to_owned());
    }
    Ok(finding)
}

/// Runs in the namespace. A result whose time alone is too long begins with `late: `.
pub(crate) fn change_addresses(halloo: &Path, seconds: &str) -> Result<Finding> {
    const OWN: &str = "10.68.0.1";
    const LAST: &str = "10.99.0.1";
    let _device = Device::new("first", &format!("{OWN}/16"), &["10.68.1.1/16"])?;
    let _other = Device::new("second", "10.98.0.1/24", &["10.98.0.2/24"])?;
    let mut server = Server::start_with(limited(halloo), &["--bind", "::", "--discovery-port", "8766", "--json"])?;
    // The system reports a new cable as connected within a second.
    time_until(TIMEOUT, || Ok(server.announced_addresses()?.contains(OWN)))?.context("it does not know its address")?;
    let changes = follow_addresses(&mut server)?;
    let time = Duration::from_secs(seconds.parse()?);
    let (mut peers, mut changed, start) = (Vec::new(), 0, Instant::now());
    // While a client is connected, no beacon causes a look at the interfaces.
    let _client = Peer::join(server.port)?;
    while start.elapsed() < time {
        peers.extend((0..20).filter_map(|_| Peer::open(server.port).ok()));
        let address = format!("10.97.{}.1/24", changed % 200);
        shell(&format!("ip addr add {address} dev second"))?;
        std::thread::sleep(Duration::from_millis(100));
        shell(&format!("ip addr del {address} dev second"))?;
        changed += 2;
    }
    shell(&format!("ip addr add {LAST}/24 dev second"))?;
    let (known, release) = (changes.try_iter().collect::<Vec<_>>(), Instant::now());
    let withdrawn = known.iter().filter(|addresses| !addresses.contains(OWN)).count();
    drop(peers);
    let knows_last = |addresses: &String| addresses.contains(LAST) && addresses.contains(OWN);
    let missing = "the last address was not announced within 10 s";
    while !knows_last(&changes.recv_timeout(Duration::from_secs(10)).context(missing)?) {}
    let again = release.elapsed();
    server.check_alive()?;
    let late = again > Duration::from_secs(2);
    let measured = format!(
        "{}{changed} changes, {} of them noticed meanwhile; {withdrawn} withdrew another address; all known {} ms after the release",
        if late && withdrawn == 0 { "late: " } else { "" },
        known.len(),
        again.as_millis()
    );
    Ok(Finding { measured, held: withdrawn == 0 && !late })
}

/// Returns the addresses of each change that the server reports, as one text.
fn follow_addresses(server: &mut Server) -> Result<std::sync::mpsc::Receiver<String>> {
    let (sender, receiver) = std::sync::mpsc::channel();
    let output = BufReader::new(server.take_output()?);
    std::thread::spawn(move || {
        for line in output.lines().map_while(Result::ok) {
            let Ok(event) = serde_json::from_str::<Value>(&line) else { continue };
            if event["event"] == "addresses_changed" {
                let _ = sender.send(event["addresses"].to_string());
            }
        }
    });
    Ok(receiver)
}
