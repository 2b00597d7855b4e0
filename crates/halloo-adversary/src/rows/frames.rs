//! Frames within the grammar and beyond all measure.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::context::{Finding, Ground, Row, Run};
use crate::honest::Neighbour;
use crate::peer::{BINARY, FIN, PING, Peer, TEXT, frame};

pub(super) const LENGTH: Row = Row {
    name: "length",
    attack: "100 frames that declare 2^63-1 bytes",
    promised: "1009; memory +1 MiB at most",
    run: Run::Beside(length),
};

pub(super) const MAX_FRAGMENTS: Row = Row {
    name: "fragments",
    attack: "10^6 empty and 10^6 one-byte fragments",
    promised: "1008; a neighbour's p99 at most 10 ms",
    run: Run::Beside(fragments),
};

pub(super) const PINGS: Row = Row {
    name: "pings",
    attack: "ping flood for 60 s by one that never reads and comes back at once",
    promised: "1008; memory +4 MiB at most; a neighbour's p99 at most 10 ms",
    run: Run::Beside(pings),
};

pub(super) const MESSAGES_UNDER_WAY: Row = Row {
    name: "under-way",
    attack: "500 clients, each with 1 MiB less a byte of a message that never ends",
    promised: "memory at most 64 MiB + 8 MiB; who is cut gets 1013; a neighbour's p99 at most 20 ms",
    run: Run::Beside(messages_under_way),
};

/// A verdict comes at once, or not at all.
const VERDICT: Duration = Duration::from_secs(5);

fn length(ground: &Ground) -> Result<Finding> {
    let before = ground.vitals()?.memory_kib;
    let watch = ground.watch();
    let mut codes = BTreeMap::new();
    for _ in 0..100 {
        let mut peer = Peer::join(ground.port)?;
        peer.write(&[FIN | BINARY, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4])?;
        let _ = peer.write(&vec![0; 4096]);
        *codes.entry(peer.close_code(VERDICT)).or_insert(0) += 1;
    }
    let growth = watch.end().saturating_sub(before);
    let held = codes.keys().eq([&Some(1009)]) && growth <= 1024;
    Ok(Finding { measured: format!("{}; +{growth} KiB", told(&codes)), held })
}

fn fragments(ground: &Ground) -> Result<Finding> {
    let neighbour = Neighbour::start(ground.port)?;
    let (mut codes, each) = (BTreeMap::new(), ground.size(1_000_000, 50_000));
    for payload in [&b""[..], b"x"] {
        // More than are allowed, so that the last of them are the server's to throw away.
        let burst = [frame(TEXT, payload), frame(0, payload).repeat(1999)].concat();
        for _ in 0..each / 2000 {
            let mut peer = Peer::join(ground.port)?;
            let _ = peer.write(&burst);
            *codes.entry(peer.close_code(VERDICT)).or_insert(0) += 1;
        }
    }
    let p99 = neighbour.end()?;
    let held = codes.keys().eq([&Some(1008)]) && ground.in_time(p99, Duration::from_millis(10));
    Ok(Finding { measured: format!("{}; p99 {}", told(&codes), millis(p99)), held })
}

fn pings(ground: &Ground) -> Result<Finding> {
    let neighbour = Neighbour::start(ground.port)?;
    std::thread::sleep(Duration::from_millis(200));
    let before = ground.vitals()?.memory_kib;
    let watch = ground.watch();
    let (begin, span) = (Instant::now(), Duration::from_secs(ground.size(60, 3) as u64));
    let (burst, mut sent, mut cut, mut codes) = (frame(FIN | PING, &[7; 125]).repeat(100), 0u64, 0u64, BTreeMap::new());
    while begin.elapsed() < span {
        let mut peer = Peer::join(ground.port)?;
        // Who is read no further does not wait for it.
        peer.stream.set_write_timeout(Some(Duration::from_millis(50)))?;
        while peer.write(&burst).is_ok() {
            sent += 100;
        }
        cut += 1;
        // Every tenth looks at last what it was told.
        if cut % 10 == 0 {
            *codes.entry(peer.close_code(VERDICT)).or_insert(0) += 1;
        }
    }
    let (growth, p99) = (watch.end().saturating_sub(before), neighbour.end()?);
    let held = growth <= 4096 && ground.in_time(p99, Duration::from_millis(10));
    let measured = format!("{sent} pings, {cut} times cut off; +{growth} KiB; p99 {}", millis(p99));
    Ok(Finding { measured, held })
}

fn messages_under_way(ground: &Ground) -> Result<Finding> {
    let neighbour = Neighbour::start(ground.port)?;
    std::thread::sleep(Duration::from_millis(200));
    let before = ground.vitals()?.memory_kib;
    let watch = ground.watch();
    let clients = ground.size(500, 120);
    let message = frame(FIN | BINARY, &vec![7; (1 << 20) - 1]);
    let mut peers = Vec::new();
    for _ in 0..clients {
        let mut peer = Peer::join(ground.port)?;
        // Whoever is cut off meanwhile cannot say more.
        let _ = peer.write(&message[..message.len() - 1]);
        peers.push(peer);
    }
    let mut codes = BTreeMap::new();
    for peer in &mut peers {
        *codes.entry(peer.close_code(Duration::from_millis(1))).or_insert(0) += 1;
    }
    let (growth, p99) = (watch.end().saturating_sub(before), neighbour.end()?);
    let held = growth <= (64 + 8) * 1024 && ground.in_time(p99, Duration::from_millis(20));
    Ok(Finding { measured: format!("+{growth} KiB; {}; p99 {}", told(&codes), millis(p99)), held })
}

/// How many were told what.
pub(super) fn told(codes: &BTreeMap<Option<u16>, usize>) -> String {
    let told = codes.iter().map(|(code, count)| match code {
        Some(code) => format!("{count} times {code}"),
        None => format!("{count} times no code"),
    });
    told.collect::<Vec<_>>().join(", ")
}

pub(super) fn millis(span: Duration) -> String {
    format!("{:.1} ms", span.as_secs_f64() * 1000.0)
}
