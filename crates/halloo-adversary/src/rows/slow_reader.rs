//! Those who ask and do not take.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::context::{Finding, Ground, Row, Run, Stage};
use crate::peer::{Got, PATIENCE, PING, PONG, Peer};
use crate::server::Watch;

pub(super) const STALLED: Row = Row {
    name: "stalled",
    attack: "one stalled reader of 200, 64 KiB x 10,000 to all",
    promised: "memory at most the cap of an outbox (1 MiB) + 4 MiB; the other 199 lose nothing",
    run: Run::Alone(stalled),
};

pub(super) const PAGES: Row = Row {
    name: "pages",
    attack: "2,000 requests for the status of 1,000 clients by those who read nothing",
    promised: "memory at most 64 MiB + 8 MiB; a new client is let in within 1 s all the while",
    run: Run::Beside(pages),
};

const SIZE: usize = 64 * 1024 - 16;

fn stalled(stage: &Stage) -> Result<Finding> {
    let (readers, messages) = (stage.size(199, 49), stage.size(10_000, 300));
    let mut server = stage.server(&[])?;
    server.drain_output()?;
    let stalled = Peer::join(server.port)?;
    let peers = (0..readers).map(|_| Peer::join(server.port)).collect::<Result<Vec<_>>>()?;
    let got: Arc<Vec<AtomicUsize>> = Arc::new((0..readers).map(|_| AtomicUsize::new(0)).collect());
    let (stop, mut threads) = (Arc::new(AtomicBool::new(false)), Vec::new());
    // A few threads for all: what is measured is the server.
    let mut shares: [Vec<(usize, Peer)>; 4] = Default::default();
    peers.into_iter().enumerate().for_each(|(number, peer)| shares[number % 4].push((number, peer)));
    for share in shares {
        let (got, stop) = (Arc::clone(&got), Arc::clone(&stop));
        threads.push(std::thread::spawn(move || read(share, &got, &stop)));
    }
    let before = server.vitals()?.memory_kib;
    let (watch, begin) = (Watch::start(server.pid()), Instant::now());
    let line = vec![b'x'; SIZE];
    for sent in 0..messages {
        server.send_to_all(&line)?;
        // As fast as the slowest of those who do read, with a few on their way.
        wait_for(&got, (sent + 1).saturating_sub(8))?;
    }
    wait_for(&got, messages)?;
    let (most, seconds) = (watch.end(), begin.elapsed().as_secs_f64());
    let status = server.status()?;
    stop.store(true, Ordering::SeqCst);
    threads.into_iter().for_each(|thread| drop(thread.join()));
    drop(stalled);
    let (growth, dropped) = (most.saturating_sub(before), &status["halloo"]["messages_dropped"]);
    let left = status["connected_clients"].as_u64().unwrap_or(0);
    let held = growth <= 5 * 1024 && left as usize == readers;
    let measured = format!(
        "{messages} messages to {readers} in {seconds:.0} s, none lost; +{growth} KiB; the stalled one was cut off, {dropped} dropped"
    );
    Ok(Finding { measured, held })
}

fn read(mut share: Vec<(usize, Peer)>, got: &[AtomicUsize], stop: &AtomicBool) {
    // Who has nothing is not waited for while others have something.
    if share.iter().any(|(_, peer)| peer.stream.set_nonblocking(true).is_err()) {
        return;
    }
    while !stop.load(Ordering::SeqCst) {
        let mut idle = true;
        for (number, peer) in &mut share {
            loop {
                match peer.next(Duration::ZERO) {
                    Got::Frame { opcode: PING, payload } => drop(peer.send(PONG, &payload)),
                    Got::Frame { payload, .. } if payload.len() == SIZE => {
                        _ = got[*number].fetch_add(1, Ordering::Relaxed)
                    }
                    Got::Frame { .. } => {}
                    Got::Nothing | Got::End => break,
                }
                idle = false;
            }
        }
        if idle {
            std::thread::sleep(Duration::from_micros(200));
        }
    }
}

fn wait_for(got: &[AtomicUsize], wanted: usize) -> Result<()> {
    let begin = Instant::now();
    while got.iter().any(|count| count.load(Ordering::Relaxed) < wanted) {
        if begin.elapsed() > PATIENCE {
            let least = got.iter().map(|count| count.load(Ordering::Relaxed)).min();
            bail!("a client that reads got {least:?} of {wanted} messages");
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    Ok(())
}

fn pages(ground: &Ground) -> Result<Finding> {
    let clients = (0..ground.size(1000, 300)).map(|_| Peer::join(ground.port)).collect::<Result<Vec<_>>>()?;
    let before = ground.vitals()?.memory_kib;
    let watch = ground.watch();
    let ask = format!("GET /status HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n", ground.port);
    let (mut asked, mut slowest) = (Vec::new(), Duration::ZERO);
    for number in 0..ground.size(2000, 600) {
        let mut peer = Peer::open(ground.port)?;
        socket2::SockRef::from(&peer.stream).set_recv_buffer_size(4096)?;
        peer.write(ask.as_bytes())?;
        asked.push(peer);
        if number % 50 == 0 {
            let begin = Instant::now();
            Peer::join(ground.port)?;
            slowest = slowest.max(begin.elapsed());
        }
    }
    let growth = watch.end().saturating_sub(before);
    drop(clients);
    let held = growth <= (64 + 8) * 1024 && ground.in_time(slowest, Duration::from_secs(1));
    let measured = format!("+{growth} KiB; the slowest of the others was let in after {} ms", slowest.as_millis());
    Ok(Finding { measured, held })
}
