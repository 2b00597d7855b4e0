//! Handshakes that never end, and heads that are too large.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use crate::context::{Finding, Ground, Row, Run};
use crate::peer::{Peer, request};

pub(super) const SLOWLORIS: Row = Row {
    name: "slowloris",
    attack: "slowloris, 500 sockets at 1 byte/s, each anew when it is closed",
    promised: "an honest connect's p99 at most 200 ms",
    run: Run::Beside(slowloris),
};

pub(super) const HEADS: Row = Row {
    name: "heads",
    attack: "100 heads of 20 MB, 100 of 10,000 headers, and 1,000 that stop at 8,000 bytes",
    promised: "431; at most 64 KiB kept of each",
    run: Run::Beside(heads),
};

pub(super) const GUESTS: Row = Row {
    name: "guests",
    attack: "3,000 sockets that are refused and stay, each anew when it is closed",
    promised: "everybody else is let in; a connect's p99 at most 200 ms",
    run: Run::Beside(guests),
};

fn slowloris(ground: &Ground) -> Result<Finding> {
    let (port, stop) = (ground.port, Arc::new(AtomicBool::new(false)));
    let stopped = Arc::clone(&stop);
    let head = request("/", &format!("127.0.0.1:{port}"), "");
    let attacker = std::thread::spawn(move || {
        let mut sockets: Vec<Option<(Peer, usize)>> = (0..500).map(|_| None).collect();
        while !stopped.load(Ordering::SeqCst) {
            for socket in &mut sockets {
                match socket {
                    None => *socket = Peer::open(port).ok().map(|peer| (peer, 0)),
                    Some((peer, at)) => {
                        *at += 1;
                        if peer.write(&head.as_bytes()[*at - 1..*at]).is_err() {
                            *socket = None;
                        }
                    }
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        }
    });
    let outcome = honest_connects(ground);
    stop.store(true, Ordering::SeqCst);
    attacker.join().map_err(|_| anyhow!("the attacker panicked"))?;
    outcome
}

/// Lets clients in for a while, one after the other.
fn honest_connects(ground: &Ground) -> Result<Finding> {
    let mut connects = Vec::new();
    let (begin, span) = (Instant::now(), Duration::from_secs(ground.size(20, 3) as u64));
    while begin.elapsed() < span {
        let start = Instant::now();
        Peer::join(ground.port)?;
        connects.push(start.elapsed());
        std::thread::sleep(Duration::from_millis(20));
    }
    connects.sort_unstable();
    let p99 = connects[connects.len() * 99 / 100];
    let measured = format!("{} connects, p99 {:.1} ms", connects.len(), p99.as_secs_f64() * 1000.0);
    Ok(Finding { measured, held: ground.in_time(p99, Duration::from_millis(200)) })
}

fn guests(ground: &Ground) -> Result<Finding> {
    let (port, stop) = (ground.port, Arc::new(AtomicBool::new(false)));
    let stopped = Arc::clone(&stop);
    let refused = move || -> std::io::Result<Peer> {
        let mut peer = Peer::open(port)?;
        peer.write(request("/", "evil.com", "").as_bytes())?;
        Ok(peer)
    };
    let mut sockets: Vec<Peer> = (0..3000).filter_map(|_| refused().ok()).collect();
    let attacker = std::thread::spawn(move || {
        let mut next = 0;
        while !stopped.load(Ordering::SeqCst) {
            // All of them within the three seconds that the server waits for their end.
            next = (next + 1) % sockets.len();
            if let Ok(peer) = refused() {
                sockets[next] = peer;
            }
            std::thread::sleep(Duration::from_micros(900));
        }
    });
    let outcome = honest_connects(ground);
    stop.store(true, Ordering::SeqCst);
    attacker.join().map_err(|_| anyhow!("the attacker panicked"))?;
    outcome
}

fn heads(ground: &Ground) -> Result<Finding> {
    let count = ground.size(100, 10);
    let before = ground.vitals()?.memory_kib;
    let watch = ground.watch();
    let host = format!("127.0.0.1:{}", ground.port);
    let (mut right, mut asked) = (0, 0);
    let headers: String = (0..10_000).map(|number| format!("X-{number}: x\r\n")).collect();
    let large = request("/", &host, &format!("X: {}\r\n", "x".repeat(20_000_000)));
    let many = request("/", &host, &headers);
    for head in [&large, &many] {
        for _ in 0..count {
            let mut peer = Peer::open(ground.port)?;
            // The answer comes long before the end of the request.
            let _ = peer.stream.write_all(&head.as_bytes()[..head.len().min(1 << 20)]);
            right += usize::from(peer.response().is_ok_and(|head| head.starts_with("HTTP/1.1 431")));
            asked += 1;
        }
    }
    let unfinished: String =
        request("/", &host, &format!("X: {}\r\n", "x".repeat(10_000))).chars().take(8000).collect();
    let kept = ground.size(1000, 100);
    let held_open = (0..kept).map(|_| {
        let mut peer = Peer::open(ground.port)?;
        peer.write(unfinished.as_bytes())?;
        Ok(peer)
    });
    let held_open = held_open.collect::<Result<Vec<_>>>()?;
    std::thread::sleep(Duration::from_secs(1));
    drop(held_open);
    let growth = watch.end().saturating_sub(before);
    let each = growth as f64 / kept as f64;
    let measured =
        format!("{right} of {asked} got 431; {growth} KiB more in all, {each:.0} KiB for each that was kept");
    Ok(Finding { measured, held: right == asked && each <= 64.0 })
}
