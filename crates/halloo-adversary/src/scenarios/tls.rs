//! TLS that costs the server much and the attacker little.

use std::io::Write;
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::baseline_load::MAX_P99;
use crate::context::Context;
use crate::latency::millis;
use crate::peer::Peer;
use crate::process::MemoryWatch;
use crate::scenario::{Finding, Run, Scenario};
use crate::tls_peer::{TlsPeer, client_hello};
use crate::tls_server::{TlsProbe, TlsServer};

pub(super) const RECORDS: Scenario = Scenario {
    name: "tls-records",
    attack: "TLS records that are empty, then padded to 16 KiB, for 10 s each, on a connection without a request",
    promised: "p99 of a client at most 20 ms; nothing lost",
    run: Run::Own(records),
};

pub(super) const HELLOS: Scenario = Scenario {
    name: "tls-handshakes",
    attack: "ClientHellos as fast as the server accepts them, for 10 s, whose handshakes are not completed",
    promised: "p99 of a client at most 20 ms; nothing lost",
    run: Run::Own(hellos),
};

pub(super) const UNFINISHED: Scenario = Scenario {
    name: "tls-unfinished",
    attack: "1,000 ClientHellos of 64 KiB of which the last bytes are missing",
    promised: "memory at most 8 MiB + 16 KiB for each TLS session",
    run: Run::Own(unfinished),
};

pub(super) const MESSAGES: Scenario = Scenario {
    name: "tls-messages",
    attack: "30 TLS messages that never end, one byte in each record, padded to 16 KiB, 3 MB of each, again and again",
    promised: "memory at most 128 KiB for each TLS session",
    run: Run::Own(messages),
};

/// Connections of [`MESSAGES`]: fewer than a server keeps pending from one address.
const MESSAGES_AT_ONCE: usize = 30;
/// The content type of a handshake message, and the beginning of one of 65,535 bytes (RFC 8446 sections 5.1 and 4).
const HANDSHAKE: u8 = 22;
const LONG_MESSAGE: [u8; 4] = [24, 0, 0xff, 0xff];

/// Connections that send a ClientHello and are closed together.
const HELLOS_AT_ONCE: usize = 32;
/// Bytes of records that are encrypted before they are written.
const CHUNK: usize = 1 << 20;

fn records(context: &Context) -> Result<Finding> {
    let time = Duration::from_secs(context.size(10, 1) as u64);
    let mut target = TlsServer::start(context)?;
    let probe = TlsProbe::start(&mut target)?;
    let written = send_records(target.server.port, time)?;
    let (p99, lost) = probe.stop(&mut target)?;
    let measured = format!("{} MB of records; p99 {}, {lost} lost", written / 1_000_000, millis(p99));
    Ok(Finding { measured, held: lost == 0 && context.in_time(p99, MAX_P99) })
}

/// Sends empty records, and then padded ones, each for `time`. Returns how many bytes.
pub(crate) fn send_records(port: u16, time: Duration) -> Result<usize> {
    let mut written = 0;
    for padding in [0, 16_000] {
        // The server closes it after the timeout of a handshake.
        let connect = || TlsPeer::connect(TcpStream::connect((Ipv4Addr::LOCALHOST, port))?);
        let (mut peer, start) = (connect()?, Instant::now());
        while start.elapsed() < time {
            let mut bytes = Vec::new();
            while bytes.len() < CHUNK {
                peer.record(&mut bytes, b"", padding)?;
            }
            match peer.stream.write_all(&bytes) {
                Ok(()) => written += bytes.len(),
                Err(_) => peer = connect()?,
            }
        }
    }
    Ok(written)
}

fn hellos(context: &Context) -> Result<Finding> {
    let time = Duration::from_secs(context.size(10, 1) as u64);
    let mut target = TlsServer::start(context)?;
    let probe = TlsProbe::start(&mut target)?;
    let start = Instant::now();
    let sent = send_hellos(target.server.port, time)?;
    let rate = sent as f64 / start.elapsed().as_secs_f64();
    let (p99, lost) = probe.stop(&mut target)?;
    let measured = format!("{sent} at {rate:.0}/s; p99 {}, {lost} lost", millis(p99));
    Ok(Finding { measured, held: lost == 0 && context.in_time(p99, MAX_P99) })
}

/// Sends ClientHellos, and returns how many.
pub(crate) fn send_hellos(port: u16, time: Duration) -> Result<usize> {
    let (hello, start, mut sent) = (client_hello()?, Instant::now(), 0_usize);
    while start.elapsed() < time {
        let peers = (0..HELLOS_AT_ONCE).filter_map(|_| Peer::open(port).ok());
        let mut peers: Vec<Peer> = peers.collect();
        sent += peers.iter_mut().filter_map(|peer| peer.write(&hello).ok()).count();
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(sent)
}

fn unfinished(context: &Context) -> Result<Finding> {
    let count = context.size(1000, 100);
    let target = TlsServer::start(context)?;
    let before = target.server.usage()?.memory_kib;
    let watch = MemoryWatch::start(target.server.pid());
    let peers = open_unfinished(target.server.port, count)?;
    std::thread::sleep(Duration::from_secs(1));
    let growth = watch.stop().saturating_sub(before);
    drop(peers);
    let most = 8 * 1024 + 16 * count as u64;
    Ok(Finding { measured: format!("{count} ClientHellos; +{growth} KiB"), held: growth <= most })
}

/// Opens connections that have sent all but the end of a large ClientHello.
pub(crate) fn open_unfinished(port: u16, count: usize) -> Result<Vec<Peer>> {
    let mut hello = [&[1, 0, 0xff, 0xf0, 3, 3][..], &[b'r'; 32], &[0, 0xff, 0]].concat();
    hello.resize(65_000, 0x2f);
    let record = |piece: &[u8]| [&[0x16, 3, 1][..], &(piece.len() as u16).to_be_bytes(), piece].concat();
    // The server refuses a connection as soon as it has sent too much; this one does not.
    let bytes: Vec<u8> = hello.chunks(15_000).next().map(record).unwrap_or_default();
    let whole: Vec<u8> = hello.chunks(15_000).flat_map(record).collect();
    let mut peers = Vec::new();
    for number in 0..count {
        let mut peer = Peer::open(port)?;
        // Fails once the server has refused it.
        let _ = peer.write(if number % 2 == 0 { &bytes } else { &whole });
        peers.push(peer);
    }
    Ok(peers)
}

fn messages(context: &Context) -> Result<Finding> {
    let target = TlsServer::start(context)?;
    let before = target.server.usage()?.memory_kib;
    let watch = MemoryWatch::start(target.server.pid());
    let mut written = 0;
    for _ in 0..context.size(20, 2) {
        let connect = || TlsPeer::connect(TcpStream::connect((Ipv4Addr::LOCALHOST, target.server.port))?);
        let mut peers = (0..MESSAGES_AT_ONCE).map(|_| connect()).collect::<Result<Vec<_>>>()?;
        for number in 0..200 {
            for peer in &mut peers {
                let content = if number == 0 { &LONG_MESSAGE[..] } else { &[0] };
                let mut record = Vec::new();
                peer.record_of(HANDSHAKE, &mut record, content, 16_000)?;
                // Fails once the server has refused it.
                written += if peer.stream.write_all(&record).is_ok() { record.len() } else { 0 };
            }
        }
    }
    let growth = watch.stop().saturating_sub(before);
    let most = 128 * MESSAGES_AT_ONCE as u64;
    Ok(Finding { measured: format!("{} MB of records; +{growth} KiB", written / 1_000_000), held: growth <= most })
}
