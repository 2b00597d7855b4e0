//! Ends of connections, and too many beginnings.

use std::net::Shutdown;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::{RECOVERY, Scene, fault, survived};
use crate::context::{Finding, Row, Stage};
use crate::peer::{Peer, TEXT, frame};
use crate::server::signal;

pub(super) const HALF_CLOSE: Row = fault(
    "half-close",
    "ten clients say something and shut their side",
    "heard, and gone at once; the others stay",
    half_close,
);
pub(super) const RESET: Row =
    fault("reset", "ten clients reset in the middle of a message", "gone at once; the others stay", reset);
pub(super) const FULL_QUEUE: Row = fault(
    "full-queue",
    "a suspended server whose listen queue is full of 5,000 connections that stay",
    "all ten clients before stay; a new one is let in within 16 s of its waking",
    full_queue,
);

fn half_close(stage: &Stage) -> Result<Finding> {
    struck(stage, |peer, number| {
        peer.send(TEXT, format!("last words of {number}").as_bytes())?;
        peer.stream.shutdown(Shutdown::Write)?;
        Ok(())
    })
}

fn reset(stage: &Stage) -> Result<Finding> {
    struck(stage, |peer, _| {
        let whole = frame(0x82, &vec![7; 100_000]);
        peer.write(&whole[..50_000])?;
        // Dropping it resets it.
        *peer = Peer::open_at(peer.stream.peer_addr()?)?;
        Ok(())
    })
}

fn struck(stage: &Stage, strike: impl Fn(&mut Peer, usize) -> Result<()>) -> Result<Finding> {
    let mut scene = Scene::new(stage)?;
    scene.connect(&stage.halloo, scene.server.port, 10)?;
    let mut peers = (0..10).map(|_| Peer::join(scene.server.port)).collect::<Result<Vec<_>>>()?;
    scene.server.wait_for_clients(20, RECOVERY)?;
    for (number, peer) in peers.iter_mut().enumerate() {
        strike(peer, number)?;
    }
    let begin = Instant::now();
    scene.server.wait_for_clients(10, RECOVERY)?;
    let gone = begin.elapsed();
    let heard = scene.exchange(RECOVERY)?;
    Ok(survived(10, gone.max(heard), &format!("; {} of the others came back", scene.came_back())))
}

fn full_queue(stage: &Stage) -> Result<Finding> {
    let mut scene = Scene::new(stage)?;
    scene.connect(&stage.halloo, scene.server.port, 10)?;
    signal(scene.server.pid(), "STOP")?;
    let (mut queue, begin) = (Vec::new(), Instant::now());
    // The system lets in as many as the queue holds; whoever finds it full waits, and is not waited for.
    for _ in 0..stage.size(5000, 1500) {
        let address = (std::net::Ipv4Addr::LOCALHOST, scene.server.port).into();
        match std::net::TcpStream::connect_timeout(&address, Duration::from_millis(20)) {
            Ok(stream) => queue.push(stream),
            Err(_) if begin.elapsed() > Duration::from_secs(5) => break,
            Err(_) => {}
        }
    }
    signal(scene.server.pid(), "CONT")?;
    let woken = Instant::now();
    Peer::join(scene.server.port)?.round_trip(b"in")?;
    let let_in = woken.elapsed();
    scene.exchange(RECOVERY)?;
    Ok(survived(10, let_in, &format!(", with {} in the queue; {} came back", queue.len(), scene.came_back())))
}
