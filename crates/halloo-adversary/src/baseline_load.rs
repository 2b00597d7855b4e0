//! The load of well-behaved clients beside an attack: each sends sixty small messages per second, and each message must
//! arrive at the standard output of the server, in order and in time.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::ChildStdout;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};

use crate::context::Context;
use crate::latency::{millis, p99};
use crate::peer::{CLOSE, FIN, Peer, TEXT, TIMEOUT, frame};
use crate::server::Server;

pub(crate) const CLIENTS: usize = 200;
/// Messages per second of each client.
const RATE: u32 = 60;
/// Bytes of a message.
const SIZE: usize = 256;
/// The first word of every message.
const WORD: &str = "baseline";
/// The promised 99th percentile of the latency while the server is under attack.
pub(crate) const MAX_P99: Duration = Duration::from_millis(20);

/// A running load.
pub(crate) struct BaselineLoad {
    stop: Arc<AtomicBool>,
    /// While this is set, the output of the server is not read.
    pub(crate) stall: Arc<AtomicBool>,
    sender: JoinHandle<Result<u64>>,
    receiver: JoinHandle<Result<Vec<u32>>>,
}

/// The result of a load.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) sent: u64,
    pub(crate) lost: u64,
    pub(crate) p99: Duration,
}

impl Report {
    pub(crate) fn held(&self, context: &Context) -> bool {
        self.lost == 0 && context.in_time(self.p99, MAX_P99)
    }

    pub(crate) fn summary(&self) -> String {
        format!("baseline load: {} sent, {} lost, p99 {}", self.sent, self.lost, millis(self.p99))
    }
}

impl BaselineLoad {
    /// Connects the clients and starts to send.
    pub(crate) fn start(server: &mut Server) -> Result<BaselineLoad> {
        let (stop, stall) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let epoch = Instant::now();
        let (output, stalled) = (server.take_output()?, Arc::clone(&stall));
        let receiver = std::thread::spawn(move || receive(output, epoch, &stalled));
        let streams = (0..CLIENTS).map(|_| Ok(Peer::join(server.port)?.stream)).collect::<Result<Vec<_>>>()?;
        let stopped = Arc::clone(&stop);
        let sender = std::thread::spawn(move || send(streams, epoch, &stopped));
        Ok(BaselineLoad { stop, stall, sender, receiver })
    }

    /// Stops sending, shuts the server down and counts what it has written.
    pub(crate) fn stop(self, server: &mut Server) -> Result<Report> {
        self.stop.store(true, Ordering::SeqCst);
        self.stall.store(false, Ordering::SeqCst);
        let sent = self.sender.join().map_err(|_| anyhow!("the sender of the baseline load panicked"))??;
        // The server must have read every message before it is asked to shut down.
        server.wait_for_clients(0, TIMEOUT)?;
        server.interrupt()?;
        let latencies = self.receiver.join().map_err(|_| anyhow!("the receiver of the baseline load panicked"))??;
        let received = latencies.len() as u64;
        Ok(Report { sent, lost: sent.saturating_sub(received), p99: p99(latencies) })
    }
}

struct Client {
    stream: TcpStream,
    next: u64,
    /// Bytes that the socket has not accepted yet.
    unsent: Vec<u8>,
}

fn send(streams: Vec<TcpStream>, epoch: Instant, stopped: &AtomicBool) -> Result<u64> {
    let mut clients = Vec::with_capacity(streams.len());
    for stream in streams {
        stream.set_nonblocking(true)?;
        clients.push(Client { stream, next: 0, unsent: Vec::new() });
    }
    let (start, mut sent, mut buffer) = (Instant::now(), 0u64, vec![0; 64 * 1024]);
    let interval = Duration::from_secs(1) / (RATE * clients.len() as u32);
    while !stopped.load(Ordering::SeqCst) {
        // One client after the other, evenly distributed over time, as independent clients would send.
        while start.elapsed() >= interval * u32::try_from(sent)? {
            let number = (sent % clients.len() as u64) as usize;
            clients[number].send(number, epoch)?;
            clients[number].read(&mut buffer)?;
            sent += 1;
        }
        std::thread::sleep(Duration::from_micros(500));
    }
    let deadline = Instant::now() + TIMEOUT;
    while clients.iter().any(|client| !client.unsent.is_empty()) {
        clients.iter_mut().try_for_each(Client::write)?;
        if Instant::now() > deadline {
            bail!("the server did not read the baseline load within {TIMEOUT:?}");
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    // Each connection ends with a close frame, so that everything before it was read when the server counts no clients.
    for client in &mut clients {
        client.unsent = frame(FIN | CLOSE, &[0x03, 0xe8]);
        client.write()?;
        client.stream.set_nonblocking(false)?;
        while client.stream.read(&mut buffer).is_ok_and(|count| count > 0) {}
    }
    Ok(sent)
}

impl Client {
    fn send(&mut self, number: usize, epoch: Instant) -> Result<()> {
        let mut text = format!("{WORD} {number} {} {} ", self.next, epoch.elapsed().as_micros());
        text.extend(std::iter::repeat_n('.', SIZE - text.len()));
        self.next += 1;
        self.unsent.extend(frame(FIN | TEXT, text.as_bytes()));
        self.write()
    }

    fn write(&mut self) -> Result<()> {
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(count) => drop(self.unsent.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error).context("a client of the baseline load was disconnected"),
            }
        }
        Ok(())
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<()> {
        match self.stream.read(buffer) {
            Ok(0) => bail!("a client of the baseline load was disconnected"),
            // Pings after a stall: the messages that follow count as a sign of life.
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error).context("a client of the baseline load was disconnected"),
        }
    }
}

/// Reads the output of the server, checks that the messages of each client are in order, and returns the latency of each
/// message of the load in microseconds.
fn receive(output: ChildStdout, epoch: Instant, stalled: &AtomicBool) -> Result<Vec<u32>> {
    let (mut output, mut line) = (BufReader::with_capacity(64 * 1024, output), Vec::new());
    let (mut expected, mut latencies) = (vec![0u64; CLIENTS], Vec::new());
    while output.read_until(b'\n', &mut line)? > 0 {
        while stalled.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(5));
        }
        if let Some((number, count, sent)) = parse(&line) {
            let next = expected.get_mut(number).with_context(|| format!("there is no client {number}"))?;
            if count != *next {
                bail!("message {count} of client {number} arrived instead of message {next}");
            }
            *next += 1;
            latencies.push(u32::try_from((epoch.elapsed().as_micros() as u64).saturating_sub(sent))?);
        }
        line.clear();
    }
    Ok(latencies)
}

/// Parses a message: client, number of the message, and microseconds since the start.
fn parse(line: &[u8]) -> Option<(usize, u64, u64)> {
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    (words.next()? == WORD).then_some(())?;
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_messages_of_the_load_are_parsed() {
        assert_eq!(parse(b"baseline 3 17 99 ....\n"), Some((3, 17, 99)));
        assert_eq!(parse(b"baseline 3 x 99 ....\n"), None);
        assert_eq!(parse(b"\xff\n"), None);
    }
}
