//! A client that takes more than its share of the server and of the application.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::ChildStdout;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use flate2::{Compress, Compression, FlushCompress};

use crate::baseline_load::BaselineLoad;
use crate::context::Context;
use crate::latency::millis;
use crate::peer::{BINARY, FIN, Peer, TEXT, frame, request};
use crate::scenario::{Finding, Run, Scenario};

pub(super) const FLOOD: Scenario = Scenario {
    name: "message-flood",
    attack: "a client floods an application that takes 5 MB/s, for 20 s",
    promised: "a message of another client arrives within 1 s; nothing is lost",
    run: Run::Own(flood),
};

pub(super) const BOMBS: Scenario = Scenario {
    name: "compression-bombs",
    attack: "with --compression, messages of 1 KB that inflate to 1 MiB, at 200 kB/s for 20 s",
    promised: "baseline load: nothing lost, p99 at most 20 ms",
    run: Run::Own(bombs),
};

/// Bytes per second that the application takes.
const TAKEN: usize = 5_000_000;
const WORD: &str = "share";

fn flood(context: &Context) -> Result<Finding> {
    let time = Duration::from_secs(context.size(20, 3) as u64);
    let mut server = context.server(&[])?;
    let (sender, arrivals) = mpsc::channel();
    let output = server.take_output()?;
    let reader = std::thread::spawn(move || take_slowly(output, &sender));
    let (stop, mut attacker) = (Arc::new(AtomicBool::new(false)), Peer::join(server.port)?);
    let mut other = Peer::join(server.port)?;
    let stopped = Arc::clone(&stop);
    let flood = std::thread::spawn(move || {
        let message = frame(FIN | TEXT, &[b'x'; 100_000]);
        while !stopped.load(Ordering::SeqCst) && attacker.stream.write_all(&message).is_ok() {}
    });
    let (start, mut slowest, mut sent, mut received) = (Instant::now(), Duration::ZERO, 0, 0);
    while start.elapsed() < time {
        let begin = Instant::now();
        other.send(TEXT, format!("{WORD} {sent}").as_bytes())?;
        sent += 1;
        let arrived = arrivals.recv_timeout(Duration::from_secs(20)).context("a message did not arrive within 20 s")?;
        received += u64::from(arrived + 1 == sent);
        slowest = slowest.max(begin.elapsed());
        std::thread::sleep(Duration::from_millis(100));
    }
    stop.store(true, Ordering::SeqCst);
    server.check_alive()?;
    server.kill();
    flood.join().map_err(|_| anyhow!("the attacker panicked"))?;
    reader.join().map_err(|_| anyhow!("the reader panicked"))??;
    let held = received == sent && context.in_time(slowest, Duration::from_secs(1));
    Ok(Finding {
        measured: format!("{received} of {sent} messages arrived, the slowest after {}", millis(slowest)),
        held,
    })
}

/// Reads the output of the server at the rate of the application, and sends the numbers of the messages of the other client.
fn take_slowly(output: ChildStdout, arrivals: &mpsc::Sender<u64>) -> Result<()> {
    let (start, mut taken, mut line) = (Instant::now(), 0_usize, Vec::new());
    let mut output = BufReader::new(output);
    while output.by_ref().take(1 << 21).read_until(b'\n', &mut line)? > 0 {
        taken += line.len();
        let due = Duration::from_secs_f64(taken as f64 / TAKEN as f64);
        std::thread::sleep(due.saturating_sub(start.elapsed()));
        let text = String::from_utf8_lossy(&line);
        if let Some(number) = text.strip_prefix(WORD).and_then(|number| number.trim().parse().ok()) {
            // The scenario may have ended.
            let _ = arrivals.send(number);
        }
        line.clear();
    }
    Ok(())
}

fn bombs(context: &Context) -> Result<Finding> {
    let time = Duration::from_secs(context.size(20, 2) as u64);
    let mut server = context.server(&["--compression"])?;
    let load = BaselineLoad::start(&mut server)?;
    let written = send_bombs(server.port, time)?;
    server.check_alive()?;
    let report = load.stop(&mut server)?;
    Ok(Finding { measured: format!("{written} bytes of bombs; {}", report.summary()), held: report.held(context) })
}

/// Sends 200 kB/s of compressed messages, as far as the server reads them, and returns how many bytes.
pub(crate) fn send_bombs(port: u16, time: Duration) -> Result<usize> {
    let mut peer = Peer::open(port)?;
    let host = format!("127.0.0.1:{port}");
    peer.write(request("/", &host, "Sec-WebSocket-Extensions: permessage-deflate\r\n").as_bytes())?;
    peer.response()?;
    peer.stream.set_nonblocking(true)?;
    let bomb = bomb()?;
    let (start, mut written) = (Instant::now(), 0);
    while start.elapsed() < time {
        if (written as f64) < start.elapsed().as_secs_f64() * 200_000.0 {
            let rest = &bomb[written % bomb.len()..];
            written += peer.stream.write(rest).unwrap_or(0);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(written)
}

/// Sends messages as fast as the server reads them.
pub(crate) fn send_flood(port: u16, time: Duration) -> Result<()> {
    let (mut peer, start) = (Peer::join(port)?, Instant::now());
    let message = frame(FIN | TEXT, &[b'x'; 100_000]);
    while start.elapsed() < time {
        peer.write(&message)?;
    }
    Ok(())
}

/// Returns a compressed message that inflates to the largest allowed size.
fn bomb() -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(64 * 1024);
    Compress::new(Compression::best(), false).compress_vec(&vec![0; 1 << 20], &mut bytes, FlushCompress::Sync)?;
    let payload = bytes.strip_suffix(&[0, 0, 0xff, 0xff]).context("it is not flushed")?;
    // The second bit marks a compressed message (RFC 7692 section 7.2.3.1).
    Ok(frame(FIN | 0x40 | BINARY, payload))
}
