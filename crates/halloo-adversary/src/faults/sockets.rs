//! Connections that end abruptly, and too many that begin.

use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::time::{Duration, Instant};

use anyhow::Result;

use super::recovery::{MAX_RECOVERY, Setup, fault, recovered};
use crate::context::Context;
use crate::peer::{Peer, TEXT, frame};
use crate::process::signal;
use crate::scenario::{Finding, Scenario};

pub(super) const HALF_CLOSE: Scenario = fault(
    "half-close",
    "ten clients send a message and shut down their sending side",
    "the messages arrive; the clients are removed at once; the others stay",
    half_close,
);
pub(super) const RESET: Scenario = fault(
    "reset",
    "ten clients reset their connection in the middle of a message",
    "they are removed at once; the others stay",
    reset,
);
pub(super) const FULL_ACCEPT_QUEUE: Scenario = fault(
    "full-accept-queue",
    "a suspended server whose accept queue is full of 5,000 connections that stay open",
    "all ten earlier clients stay; a new one is accepted within 16 s after the server continues",
    full_accept_queue,
);

fn half_close(context: &Context) -> Result<Finding> {
    disconnect(context, |peer, number| {
        peer.send(TEXT, format!("the last message of {number}").as_bytes())?;
        peer.stream.shutdown(Shutdown::Write)?;
        Ok(())
    })
}

fn reset(context: &Context) -> Result<Finding> {
    disconnect(context, |peer, _| {
        let whole = frame(0x82, &vec![7; 100_000]);
        peer.write(&whole[..50_000])?;
        // The connection that is replaced and dropped is reset.
        *peer = Peer::open_at(peer.stream.peer_addr()?)?;
        Ok(())
    })
}

/// Connects ten more clients, ends each with `end`, and checks that the others stay.
fn disconnect(context: &Context, end: impl Fn(&mut Peer, usize) -> Result<()>) -> Result<Finding> {
    let mut setup = Setup::new(context)?;
    setup.connect(&context.halloo, setup.server.port, 10)?;
    let mut peers = (0..10).map(|_| Peer::join(setup.server.port)).collect::<Result<Vec<_>>>()?;
    setup.server.wait_for_clients(20, MAX_RECOVERY)?;
    for (number, peer) in peers.iter_mut().enumerate() {
        end(peer, number)?;
    }
    let start = Instant::now();
    setup.server.wait_for_clients(10, MAX_RECOVERY)?;
    let removed = start.elapsed();
    let exchange = setup.exchange(MAX_RECOVERY)?;
    Ok(recovered(10, removed.max(exchange), &format!("; {} of the others reconnected", setup.reconnected())))
}

fn full_accept_queue(context: &Context) -> Result<Finding> {
    let mut setup = Setup::new(context)?;
    setup.connect(&context.halloo, setup.server.port, 10)?;
    signal(setup.server.pid(), "STOP")?;
    let (mut queue, start) = (Vec::new(), Instant::now());
    // The system completes as many connections as fit into the queue. Further attempts time out and are dropped.
    for _ in 0..context.size(5000, 1500) {
        let address = (Ipv4Addr::LOCALHOST, setup.server.port).into();
        match TcpStream::connect_timeout(&address, Duration::from_millis(20)) {
            Ok(stream) => queue.push(stream),
            Err(_) if start.elapsed() > Duration::from_secs(5) => break,
            Err(_) => {}
        }
    }
    signal(setup.server.pid(), "CONT")?;
    let continued = Instant::now();
    Peer::join(setup.server.port)?.round_trip(b"in")?;
    let accepted = continued.elapsed();
    setup.exchange(MAX_RECOVERY)?;
    Ok(recovered(10, accepted, &format!(", with {} in the queue; {} reconnected", queue.len(), setup.reconnected())))
}
