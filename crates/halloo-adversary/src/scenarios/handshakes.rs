//! Handshakes that never end, heads that are too large, and sockets that stay after a refusal.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use crate::context::Target;
use crate::latency::millis;
use crate::peer::{Peer, request};
use crate::scenario::{Finding, Run, Scenario};

pub(super) const SLOWLORIS: Scenario = Scenario {
    name: "slowloris",
    attack: "slowloris: 500 sockets at 1 byte/s, opened again when they are closed",
    promised: "p99 of other connects at most 200 ms",
    run: Run::Shared(slowloris),
};

pub(super) const OVERSIZED_HEADS: Scenario = Scenario {
    name: "oversized-heads",
    attack: "100 request heads of 20 MB, 100 with 10,000 headers, and 1,000 that stop after 8,000 bytes",
    promised: "431; at most 64 KiB kept of each",
    run: Run::Shared(oversized_heads),
};

pub(super) const REFUSED: Scenario = Scenario {
    name: "refused-connections",
    attack: "3,000 sockets that are refused and stay open, opened again when they are closed",
    promised: "other clients are accepted; p99 of their connects at most 200 ms",
    run: Run::Shared(refused_connections),
};

fn slowloris(target: &Target) -> Result<Finding> {
    let (port, stop) = (target.port, Arc::new(AtomicBool::new(false)));
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
    let outcome = other_connects(target);
    stop.store(true, Ordering::SeqCst);
    attacker.join().map_err(|_| anyhow!("the attacker panicked"))?;
    outcome
}

/// Connects other clients for a while, one after the other, and measures how long that takes.
fn other_connects(target: &Target) -> Result<Finding> {
    let mut connects = Vec::new();
    let (begin, time) = (Instant::now(), Duration::from_secs(target.size(20, 3) as u64));
    while begin.elapsed() < time {
        let start = Instant::now();
        Peer::join(target.port)?;
        connects.push(start.elapsed());
        std::thread::sleep(Duration::from_millis(20));
    }
    connects.sort_unstable();
    let p99 = connects[connects.len() * 99 / 100];
    let measured = format!("{} connects, p99 {}", connects.len(), millis(p99));
    Ok(Finding { measured, held: target.in_time(p99, Duration::from_millis(200)) })
}

fn refused_connections(target: &Target) -> Result<Finding> {
    let (port, stop) = (target.port, Arc::new(AtomicBool::new(false)));
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
            // Replaces all of them within the three seconds that the server waits for them to close.
            next = (next + 1) % sockets.len();
            if let Ok(peer) = refused() {
                sockets[next] = peer;
            }
            std::thread::sleep(Duration::from_micros(900));
        }
    });
    let outcome = other_connects(target);
    stop.store(true, Ordering::SeqCst);
    attacker.join().map_err(|_| anyhow!("the attacker panicked"))?;
    outcome
}

fn oversized_heads(target: &Target) -> Result<Finding> {
    let count = target.size(100, 10);
    let before = target.usage()?.memory_kib;
    let watch = target.watch_memory();
    let host = format!("127.0.0.1:{}", target.port);
    let (mut refused, mut sent) = (0, 0);
    let headers: String = (0..10_000).map(|number| format!("X-{number}: x\r\n")).collect();
    let large = request("/", &host, &format!("X: {}\r\n", "x".repeat(20_000_000)));
    let many = request("/", &host, &headers);
    for head in [&large, &many] {
        for _ in 0..count {
            let mut peer = Peer::open(target.port)?;
            // The response arrives long before the end of the request.
            let _ = peer.stream.write_all(&head.as_bytes()[..head.len().min(1 << 20)]);
            refused += usize::from(peer.response().is_ok_and(|head| head.starts_with("HTTP/1.1 431")));
            sent += 1;
        }
    }
    let unfinished: String =
        request("/", &host, &format!("X: {}\r\n", "x".repeat(10_000))).chars().take(8000).collect();
    let kept = target.size(1000, 100);
    let open = (0..kept).map(|_| {
        let mut peer = Peer::open(target.port)?;
        peer.write(unfinished.as_bytes())?;
        Ok(peer)
    });
    let open = open.collect::<Result<Vec<_>>>()?;
    std::thread::sleep(Duration::from_secs(1));
    drop(open);
    let growth = watch.stop().saturating_sub(before);
    let each = growth as f64 / kept as f64;
    let measured = format!("{refused} of {sent} got 431; +{growth} KiB, {each:.0} KiB for each unfinished head");
    Ok(Finding { measured, held: refused == sent && each <= 64.0 })
}
