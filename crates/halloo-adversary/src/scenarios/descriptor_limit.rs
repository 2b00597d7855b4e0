//! A server with a low limit on open files.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::context::Context;
use crate::peer::Peer;
use crate::scenario::{Finding, Run, Scenario};
use crate::server::Server;

pub(super) const DESCRIPTORS: Scenario = Scenario {
    name: "descriptor-limit",
    attack: "`ulimit -n 64`, and 200 connections that stay open",
    promised: "CPU below 5 %; accepts again within 2 s of their release",
    run: Run::Own(run),
};

fn run(context: &Context) -> Result<Finding> {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 64; exec \"$0\" \"$@\""]).arg(&context.halloo);
    let mut server = Server::start_with(command, &[])?;
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
