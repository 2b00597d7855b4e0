//! The honest load beside an attack: clients that send sixty small messages a second, each of which must come out of
//! the server's standard output, in order and soon.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::ChildStdout;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

use crate::context::Stage;
use crate::cores;
use crate::peer::{FIN, PATIENCE, Peer, TEXT, frame};
use crate::server::Server;

pub(crate) const CLIENTS: usize = 200;
/// Messages a second of each.
const RATE: u32 = 60;
const SIZE: usize = 256;
const WORD: &str = "honest";
/// What is promised of it while the server is attacked.
pub(crate) const PROMISED: Duration = Duration::from_millis(20);

/// A running load.
pub(crate) struct Honest {
    stop: Arc<AtomicBool>,
    /// While set, nothing is read of what the server writes.
    pub(crate) stall: Arc<AtomicBool>,
    sender: JoinHandle<Result<u64>>,
    receiver: JoinHandle<Result<Vec<u32>>>,
}

/// What became of it.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) sent: u64,
    pub(crate) lost: u64,
    pub(crate) p99: Duration,
}

impl Report {
    pub(crate) fn held(&self, stage: &Stage) -> bool {
        self.lost == 0 && stage.in_time(self.p99, PROMISED)
    }
}

impl Honest {
    /// Connects the clients and begins.
    pub(crate) fn start(server: &mut Server) -> Result<Honest> {
        let (stop, stall) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let epoch = Instant::now();
        let (output, stalled) = (server.take_output()?, Arc::clone(&stall));
        let receiver = std::thread::spawn(move || receive(output, epoch, &stalled));
        let streams = (0..CLIENTS).map(|_| Ok(Peer::join(server.port)?.stream)).collect::<Result<Vec<_>>>()?;
        let stopped = Arc::clone(&stop);
        let sender = std::thread::spawn(move || send(streams, epoch, &stopped));
        Ok(Honest { stop, stall, sender, receiver })
    }

    /// Stops sending, lets the server end and counts what came out of it.
    pub(crate) fn end(self, server: &mut Server) -> Result<Report> {
        self.stop.store(true, Ordering::SeqCst);
        self.stall.store(false, Ordering::SeqCst);
        let sent = self.sender.join().map_err(|_| anyhow!("the honest load panicked"))??;
        // What was sent has been read before the server is asked to end.
        server.wait_for_clients(0, PATIENCE)?;
        server.interrupt()?;
        let mut latencies = self.receiver.join().map_err(|_| anyhow!("the honest listener panicked"))??;
        latencies.sort_unstable();
        let received = latencies.len() as u64;
        Ok(Report { sent, lost: sent.saturating_sub(received), p99: p99(&latencies) })
    }
}

/// The latency that 99 of 100 do not exceed, of sorted microseconds.
fn p99(sorted: &[u32]) -> Duration {
    let index = sorted.len() * 99 / 100;
    sorted
        .get(index.min(sorted.len().saturating_sub(1)))
        .map_or(Duration::ZERO, |&micros| Duration::from_micros(u64::from(micros)))
}

struct Client {
    stream: TcpStream,
    next: u64,
    /// Bytes that the socket has not taken yet.
    owed: Vec<u8>,
}

fn send(streams: Vec<TcpStream>, epoch: Instant, stopped: &AtomicBool) -> Result<u64> {
    let mut clients = Vec::with_capacity(streams.len());
    for stream in streams {
        stream.set_nonblocking(true)?;
        clients.push(Client { stream, next: 0, owed: Vec::new() });
    }
    let (begin, mut sent, mut buffer) = (Instant::now(), 0u64, vec![0; 64 * 1024]);
    let gap = Duration::from_secs(1) / (RATE * clients.len() as u32);
    while !stopped.load(Ordering::SeqCst) {
        // One client after the other, evenly over time: nobody plays in step.
        while begin.elapsed() >= gap * u32::try_from(sent)? {
            let number = (sent % clients.len() as u64) as usize;
            clients[number].send(number, epoch)?;
            clients[number].read(&mut buffer)?;
            sent += 1;
        }
        std::thread::sleep(Duration::from_micros(500));
    }
    let deadline = Instant::now() + PATIENCE;
    while clients.iter().any(|client| !client.owed.is_empty()) {
        clients.iter_mut().try_for_each(Client::write)?;
        if Instant::now() > deadline {
            bail!("the server does not take what honest clients send");
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    // A close frame ends each, so that all before it has been read when the client is counted out.
    for client in &mut clients {
        client.owed = frame(FIN | crate::peer::CLOSE, &[0x03, 0xe8]);
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
        self.owed.extend(frame(FIN | TEXT, text.as_bytes()));
        self.write()
    }

    fn write(&mut self) -> Result<()> {
        while !self.owed.is_empty() {
            match self.stream.write(&self.owed) {
                Ok(taken) => drop(self.owed.drain(..taken)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error).context("an honest client was cut off"),
            }
        }
        Ok(())
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<()> {
        match self.stream.read(buffer) {
            Ok(0) => bail!("an honest client was cut off"),
            // Pings, after a stall: the messages that follow are answer enough.
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error).context("an honest client was cut off"),
        }
    }
}

/// Latencies in microseconds of all honest messages among the lines, each client's in order.
fn receive(output: ChildStdout, epoch: Instant, stalled: &AtomicBool) -> Result<Vec<u32>> {
    let (mut output, mut line) = (BufReader::with_capacity(64 * 1024, output), Vec::new());
    let (mut expected, mut latencies) = (vec![0u64; CLIENTS], Vec::new());
    while output.read_until(b'\n', &mut line)? > 0 {
        while stalled.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(5));
        }
        if let Some((number, count, sent)) = parse(&line) {
            let wanted = expected.get_mut(number).context("an honest client that there is not")?;
            if count != *wanted {
                bail!("message {count} of client {number} came instead of {wanted}");
            }
            *wanted += 1;
            latencies.push(u32::try_from((epoch.elapsed().as_micros() as u64).saturating_sub(sent))?);
        }
        line.clear();
    }
    Ok(latencies)
}

fn parse(line: &[u8]) -> Option<(usize, u64, u64)> {
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    (words.next()? == WORD).then_some(())?;
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}

/// One more client, who measures how long the server takes to answer while others are attacked or attack.
pub(crate) struct Neighbour {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Vec<u32>>>,
}

impl Neighbour {
    /// Between two pings: below the limit on control frames.
    const GAP: Duration = Duration::from_millis(25);

    pub(crate) fn start(port: u16) -> Result<Neighbour> {
        Ok(Neighbour::from(Peer::join(port)?))
    }

    /// The 99th of a hundred round trips.
    pub(crate) fn end(self) -> Result<Duration> {
        self.stop.store(true, Ordering::SeqCst);
        let mut latencies = self.thread.join().map_err(|_| anyhow!("the neighbour panicked"))??;
        latencies.sort_unstable();
        Ok(p99(&latencies))
    }
}

impl From<Peer> for Neighbour {
    /// Whoever is in already.
    fn from(mut peer: Peer) -> Neighbour {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut latencies = Vec::new();
            while !stopped.load(Ordering::SeqCst) {
                latencies.push(u32::try_from(peer.round_trip(b"neighbour")?.as_micros())?);
                std::thread::sleep(Neighbour::GAP);
            }
            Ok(latencies)
        });
        // Whoever goes on from here is the attacker.
        cores::come_after_others();
        Neighbour { stop, thread }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_99th_of_a_hundred() {
        let sorted: Vec<u32> = (1..=100).collect();
        assert_eq!(
            (p99(&sorted), p99(&[7]), p99(&[])),
            (Duration::from_micros(100), Duration::from_micros(7), Duration::ZERO)
        );
    }

    #[test]
    fn only_honest_lines_count() {
        assert_eq!(parse(b"honest 3 17 99 ....\n"), Some((3, 17, 99)));
        assert_eq!(parse(b"honest 3 x 99 ....\n"), None);
        assert_eq!(parse(b"\xff\n"), None);
    }
}
