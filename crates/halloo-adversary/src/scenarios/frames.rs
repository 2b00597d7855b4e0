//! Valid frames that exceed a limit.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::context::Target;
use crate::latency::millis;
use crate::peer::{BINARY, FIN, PING, Peer, TEXT, frame};
use crate::probe_client::ProbeClient;
use crate::scenario::{Finding, Run, Scenario};

pub(super) const OVERSIZED: Scenario = Scenario {
    name: "oversized-frames",
    attack: "100 frames that declare 2^63-1 bytes",
    promised: "1009; memory at most +1 MiB",
    run: Run::Shared(oversized),
};

pub(super) const FRAGMENTS: Scenario = Scenario {
    name: "fragment-flood",
    attack: "10^6 empty and 10^6 one-byte fragments",
    promised: "1008; p99 of the probe client at most 10 ms",
    run: Run::Shared(fragments),
};

pub(super) const PINGS: Scenario = Scenario {
    name: "ping-flood",
    attack: "ping flood for 60 s by a client that never reads and reconnects at once",
    promised: "1008; memory at most +4 MiB; p99 of the probe client at most 10 ms",
    run: Run::Shared(pings),
};

pub(super) const PARTIAL_MESSAGES: Scenario = Scenario {
    name: "partial-messages",
    attack: "500 clients that each send all but the last byte of a message of 1 MiB",
    promised: "memory at most 64 MiB + 8 MiB; clients that are cut off get 1013; p99 of the probe client at most 20 ms",
    run: Run::Shared(partial_messages),
};

/// How long to wait for a close frame, which comes at once or not at all.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

fn oversized(target: &Target) -> Result<Finding> {
    let before = target.usage()?.memory_kib;
    let watch = target.watch_memory();
    let mut codes = BTreeMap::new();
    for _ in 0..100 {
        let mut peer = Peer::join(target.port)?;
        peer.write(&[FIN | BINARY, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4])?;
        let _ = peer.write(&vec![0; 4096]);
        *codes.entry(peer.close_code(CLOSE_TIMEOUT)).or_insert(0) += 1;
    }
    let growth = watch.stop().saturating_sub(before);
    let held = codes.keys().eq([&Some(1009)]) && growth <= 1024;
    Ok(Finding { measured: format!("{}; +{growth} KiB", count_codes(&codes)), held })
}

fn fragments(target: &Target) -> Result<Finding> {
    let probe = ProbeClient::start(target.port)?;
    let (mut codes, each) = (BTreeMap::new(), target.size(1_000_000, 50_000));
    for payload in [&b""[..], b"x"] {
        // More than are allowed, so that the server has to discard the last of them.
        let burst = [frame(TEXT, payload), frame(0, payload).repeat(1999)].concat();
        for _ in 0..each / 2000 {
            let mut peer = Peer::join(target.port)?;
            let _ = peer.write(&burst);
            *codes.entry(peer.close_code(CLOSE_TIMEOUT)).or_insert(0) += 1;
        }
    }
    let p99 = probe.stop()?;
    let held = codes.keys().eq([&Some(1008)]) && target.in_time(p99, Duration::from_millis(10));
    Ok(Finding { measured: format!("{}; p99 {}", count_codes(&codes), millis(p99)), held })
}

fn pings(target: &Target) -> Result<Finding> {
    let probe = ProbeClient::start(target.port)?;
    std::thread::sleep(Duration::from_millis(200));
    let before = target.usage()?.memory_kib;
    let watch = target.watch_memory();
    let (start, time) = (Instant::now(), Duration::from_secs(target.size(60, 3) as u64));
    let (burst, mut sent, mut cut, mut codes) = (frame(FIN | PING, &[7; 125]).repeat(100), 0u64, 0u64, BTreeMap::new());
    while start.elapsed() < time {
        let mut peer = Peer::join(target.port)?;
        // Once the server stops reading, the client gives up.
        peer.stream.set_write_timeout(Some(Duration::from_millis(50)))?;
        while peer.write(&burst).is_ok() {
            sent += 100;
        }
        cut += 1;
        // Every tenth client reads its close frame in the end.
        if cut % 10 == 0 {
            *codes.entry(peer.close_code(CLOSE_TIMEOUT)).or_insert(0) += 1;
        }
    }
    let (growth, p99) = (watch.stop().saturating_sub(before), probe.stop()?);
    let held = growth <= 4096 && target.in_time(p99, Duration::from_millis(10));
    let measured = format!("{sent} pings, disconnected {cut} times; +{growth} KiB; p99 {}", millis(p99));
    Ok(Finding { measured, held })
}

fn partial_messages(target: &Target) -> Result<Finding> {
    let probe = ProbeClient::start(target.port)?;
    std::thread::sleep(Duration::from_millis(200));
    let before = target.usage()?.memory_kib;
    let watch = target.watch_memory();
    let clients = target.size(500, 120);
    let message = frame(FIN | BINARY, &vec![7; (1 << 20) - 1]);
    let mut peers = Vec::new();
    for _ in 0..clients {
        let mut peer = Peer::join(target.port)?;
        // Fails if the server has disconnected the client meanwhile.
        let _ = peer.write(&message[..message.len() - 1]);
        peers.push(peer);
    }
    let mut codes = BTreeMap::new();
    for peer in &mut peers {
        *codes.entry(peer.close_code(Duration::from_millis(1))).or_insert(0) += 1;
    }
    let (growth, p99) = (watch.stop().saturating_sub(before), probe.stop()?);
    let held = growth <= (64 + 8) * 1024 && target.in_time(p99, Duration::from_millis(20));
    Ok(Finding { measured: format!("+{growth} KiB; {}; p99 {}", count_codes(&codes), millis(p99)), held })
}

/// Formats how many clients got each close code.
pub(super) fn count_codes(codes: &BTreeMap<Option<u16>, usize>) -> String {
    let counts = codes.iter().map(|(code, count)| match code {
        Some(code) => format!("{count} times {code}"),
        None => format!("{count} times no code"),
    });
    counts.collect::<Vec<_>>().join(", ")
}
