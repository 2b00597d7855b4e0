//! Faults of the network between client and server.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::recovery::{MAX_RECOVERY, Setup, fault, recovered};
use crate::context::Context;
use crate::forwarder::{Forwarder, Link};
use crate::peer::{Peer, TEXT};
use crate::scenario::{Finding, Scenario};

pub(super) const LATENCY: Scenario = fault(
    "latency",
    "200 ms of latency in both directions",
    "10 of 10 clients connect, stay connected, and their messages arrive",
    latency,
);
pub(super) const SLOW: Scenario = fault(
    "slow-network",
    "a message of 256 KiB from each client over a link of 64 KiB/s",
    "10 of 10 arrive complete; no client is disconnected",
    slow,
);
pub(super) const ONE_BYTE_PACKETS: Scenario = fault(
    "one-byte-packets",
    "one byte in each packet, in both directions",
    "10 of 10 clients connect, and their messages and pongs arrive",
    one_byte_packets,
);
pub(super) const BLACK_HOLE: Scenario = fault(
    "black-hole",
    "established connections become black holes, without FIN or RST; new ones work",
    "10 of 10 reconnect within 16 s; no client is counted twice for longer",
    black_hole,
);

fn latency(context: &Context) -> Result<Finding> {
    let mut setup = Setup::new(context)?;
    let link = Forwarder::start(setup.server.port, Link::Delayed(Duration::from_millis(200)))?;
    setup.connect(&context.halloo, link.port, 10)?;
    // Longer than the heartbeat, so that the server has sent a ping to every client.
    std::thread::sleep(Duration::from_secs(context.size(7, 1) as u64));
    let exchange = setup.exchange(MAX_RECOVERY)?;
    Ok(recovered(10, exchange, &format!(", {} reconnected", setup.reconnected())))
}

fn slow(context: &Context) -> Result<Finding> {
    let mut setup = Setup::new(context)?;
    let link = Forwarder::start(setup.server.port, Link::Chunked(640, Duration::from_millis(10)))?;
    let start = Instant::now();
    let senders: Vec<_> = (0..10)
        .map(|number| {
            let (port, size) = (link.port, context.size(256, 32) * 1024);
            std::thread::spawn(move || -> Result<Peer> {
                let mut peer = Peer::join(port)?;
                let mut text = format!("{number} ");
                text.extend(std::iter::repeat_n('x', size));
                peer.send(TEXT, text.as_bytes())?;
                peer.round_trip(b"after it")?;
                Ok(peer)
            })
        })
        .collect();
    let peers: Vec<_> =
        senders.into_iter().map(|sender| sender.join().map_err(|_| anyhow::anyhow!("a sender panicked"))?).collect();
    ensure!(peers.iter().all(Result::is_ok), "{peers:?}");
    for number in 0..10 {
        // The pong may arrive before the line.
        let line = setup.lines.recv_timeout(MAX_RECOVERY).with_context(|| format!("{number} of 10 arrived"))?;
        ensure!(line.len() > context.size(256, 32) * 1024, "only {} bytes of a message arrived", line.len());
    }
    setup.server.check_alive()?;
    Ok(Finding { measured: format!("10 of 10 complete after {:.1} s", start.elapsed().as_secs_f64()), held: true })
}

fn one_byte_packets(context: &Context) -> Result<Finding> {
    let mut setup = Setup::new(context)?;
    let link = Forwarder::start(setup.server.port, Link::Chunked(1, Duration::ZERO))?;
    setup.connect(&context.halloo, link.port, 10)?;
    let exchange = setup.exchange(MAX_RECOVERY)?;
    let mut peer = Peer::join(link.port)?;
    peer.send(TEXT, "ä".repeat(2000).as_bytes())?;
    peer.round_trip(b"after it")?;
    Ok(recovered(10, exchange, ""))
}

fn black_hole(context: &Context) -> Result<Finding> {
    let mut setup = Setup::new(context)?;
    let link = Forwarder::start(setup.server.port, Link::Good)?;
    setup.connect(&context.halloo, link.port, 10)?;
    link.drop_everything();
    let start = Instant::now();
    // Messages that a client sends into the black hole may be lost; messages after it has reconnected must arrive.
    for client in &setup.clients {
        client.wait_for("\"connected\"")?;
    }
    let reconnected = start.elapsed();
    setup.exchange(MAX_RECOVERY)?;
    setup.server.wait_for_clients(10, MAX_RECOVERY)?;
    Ok(recovered(10, reconnected, &format!("; counted correctly after {:.1} s", start.elapsed().as_secs_f64())))
}
