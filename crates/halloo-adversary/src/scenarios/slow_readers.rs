//! Clients that do not read what they get.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::context::{Context, Target};
use crate::peer::{PING, PONG, Peer, Received, TIMEOUT};
use crate::process::MemoryWatch;
use crate::scenario::{Finding, Run, Scenario};

pub(super) const STALLED: Scenario = Scenario {
    name: "stalled-reader",
    attack: "one stalled reader among 200 clients; 10,000 messages of 64 KiB to all",
    promised: "memory at most the limit of an outbox (8 MiB) + 4 MiB; the other 199 lose nothing",
    run: Run::Own(stalled),
};

pub(super) const STATUS_REQUESTS: Scenario = Scenario {
    name: "status-requests",
    attack: "2,000 requests for the status of 1,000 clients, whose responses are not read",
    promised: "memory at most 64 MiB + 8 MiB; new clients are accepted within 1 s throughout",
    run: Run::Shared(status_requests),
};

/// Bytes of a message to all.
const SIZE: usize = 64 * 1024 - 16;

fn stalled(context: &Context) -> Result<Finding> {
    let (readers, messages) = (context.size(199, 49), context.size(10_000, 300));
    let mut server = context.server(&[])?;
    server.drain_output()?;
    let stalled = Peer::join(server.port)?;
    let peers = (0..readers).map(|_| Peer::join(server.port)).collect::<Result<Vec<_>>>()?;
    let got: Arc<Vec<AtomicUsize>> = Arc::new((0..readers).map(|_| AtomicUsize::new(0)).collect());
    let (stop, mut threads) = (Arc::new(AtomicBool::new(false)), Vec::new());
    // A few threads for all clients, so that they use little CPU time.
    let mut shares: [Vec<(usize, Peer)>; 4] = Default::default();
    peers.into_iter().enumerate().for_each(|(number, peer)| shares[number % 4].push((number, peer)));
    for share in shares {
        let (got, stop) = (Arc::clone(&got), Arc::clone(&stop));
        threads.push(std::thread::spawn(move || read(share, &got, &stop)));
    }
    let before = server.usage()?.memory_kib;
    let (watch, start) = (MemoryWatch::start(server.pid()), Instant::now());
    let line = vec![b'x'; SIZE];
    for sent in 0..messages {
        server.send_to_all(&line)?;
        // As fast as the slowest client that reads, with a few messages in flight.
        wait_for(&got, (sent + 1).saturating_sub(8))?;
    }
    wait_for(&got, messages)?;
    let (most, seconds) = (watch.stop(), start.elapsed().as_secs_f64());
    let status = server.status()?;
    stop.store(true, Ordering::SeqCst);
    threads.into_iter().for_each(|thread| drop(thread.join()));
    drop(stalled);
    let (growth, dropped) = (most.saturating_sub(before), &status["halloo"]["messages_dropped"]);
    let left = status["connected_clients"].as_u64().unwrap_or(0);
    let held = growth <= 12 * 1024 && left as usize == readers;
    let measured = format!(
        "{messages} messages to {readers} in {seconds:.0} s, none lost; +{growth} KiB; the stalled reader was disconnected, {dropped} dropped"
    );
    Ok(Finding { measured, held })
}

fn read(mut share: Vec<(usize, Peer)>, got: &[AtomicUsize], stop: &AtomicBool) {
    // Does not block, so that no client waits for another.
    if share.iter().any(|(_, peer)| peer.stream.set_nonblocking(true).is_err()) {
        return;
    }
    while !stop.load(Ordering::SeqCst) {
        let mut idle = true;
        for (number, peer) in &mut share {
            loop {
                match peer.next(Duration::ZERO) {
                    Received::Frame { opcode: PING, payload } => drop(peer.send(PONG, &payload)),
                    Received::Frame { payload, .. } if payload.len() == SIZE => {
                        _ = got[*number].fetch_add(1, Ordering::Relaxed)
                    }
                    Received::Frame { .. } => {}
                    Received::Timeout | Received::Closed => break,
                }
                idle = false;
            }
        }
        if idle {
            std::thread::sleep(Duration::from_micros(200));
        }
    }
}

/// Waits until every client has got so many messages.
fn wait_for(got: &[AtomicUsize], messages: usize) -> Result<()> {
    let start = Instant::now();
    while got.iter().any(|count| count.load(Ordering::Relaxed) < messages) {
        if start.elapsed() > TIMEOUT {
            let least = got.iter().map(|count| count.load(Ordering::Relaxed)).min();
            bail!("a client that reads got only {least:?} of {messages} messages");
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    Ok(())
}

fn status_requests(target: &Target) -> Result<Finding> {
    let clients = (0..target.size(1000, 300)).map(|_| Peer::join(target.port)).collect::<Result<Vec<_>>>()?;
    let before = target.usage()?.memory_kib;
    let watch = target.watch_memory();
    let request = format!("GET /status HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n", target.port);
    let (mut requests, mut slowest) = (Vec::new(), Duration::ZERO);
    for number in 0..target.size(2000, 600) {
        let mut peer = Peer::open(target.port)?;
        socket2::SockRef::from(&peer.stream).set_recv_buffer_size(4096)?;
        peer.write(request.as_bytes())?;
        requests.push(peer);
        if number % 50 == 0 {
            let start = Instant::now();
            Peer::join(target.port)?;
            slowest = slowest.max(start.elapsed());
        }
    }
    let growth = watch.stop().saturating_sub(before);
    drop(clients);
    let held = growth <= (64 + 8) * 1024 && target.in_time(slowest, Duration::from_secs(1));
    let measured = format!("+{growth} KiB; the slowest new client was accepted after {} ms", slowest.as_millis());
    Ok(Finding { measured, held })
}
