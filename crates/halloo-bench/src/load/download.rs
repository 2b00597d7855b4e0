//! Peers that download a file over and over.

use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use socket2::SockRef;

use crate::machine;

/// Bytes that a socket receives at once.
const PIECE: usize = 256 * 1024;
/// How often a slow peer reads.
const SLOW_INTERVAL: Duration = Duration::from_millis(50);
/// Bytes that the socket of a slow peer holds.
const SLOW_BUFFER: usize = 64 * 1024;
/// Discards what is received instead of copying it (tcp(7)): on a machine of its own, a peer takes no time of the server.
const MSG_TRUNC: i32 = if cfg!(target_os = "linux") { 0x20 } else { 0 };

/// How a peer downloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// As fast as it can.
    Full,
    /// So many bytes per second.
    Rate(u64),
    /// Parts of so many bytes, each by a request of its own, one after the other on a connection.
    Ranges(u64),
    /// So many peers, which read 4 KiB at a time, twenty times a second.
    Slow(usize),
}

/// A running download, on a thread of its own with a lower priority.
pub(crate) struct Download {
    stop: Arc<AtomicBool>,
    bytes: Arc<AtomicU64>,
    thread: JoinHandle<Result<()>>,
}

impl Download {
    /// Begins to download `path`, a file of `length` bytes.
    pub(crate) fn start(server: SocketAddr, path: &'static str, length: u64, pace: Pace) -> Download {
        let (stop, bytes) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let peer = Peer { server, path, length, stop: Arc::clone(&stop), bytes: Arc::clone(&bytes) };
        let thread = std::thread::spawn(move || {
            machine::lower_priority();
            match pace {
                Pace::Full => peer.download(None),
                Pace::Rate(rate) => peer.download(Some(rate)),
                Pace::Ranges(size) => peer.download_ranges(size),
                Pace::Slow(peers) => peer.read_slowly(peers),
            }
        });
        Download { stop, bytes, thread }
    }

    /// Returns the bytes that were received so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Stops, and returns the error if a download failed.
    pub(crate) fn stop(self) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow!("a download panicked"))?
    }
}

struct Peer {
    server: SocketAddr,
    path: &'static str,
    length: u64,
    stop: Arc<AtomicBool>,
    bytes: Arc<AtomicU64>,
}

impl Peer {
    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn connect(&self) -> Result<TcpStream> {
        let stream = TcpStream::connect(self.server).context("cannot connect")?;
        stream.set_nodelay(true)?;
        SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
        Ok(stream)
    }

    /// Sends a request, and returns how many bytes of the body are still to come after the head.
    fn request(&self, stream: &mut TcpStream, range: Option<(u64, u64)>) -> Result<u64> {
        let range = range.map(|(first, last)| format!("Range: bytes={first}-{last}\r\n")).unwrap_or_default();
        let request = format!("GET {} HTTP/1.1\r\nHost: {}\r\n{range}\r\n", self.path, self.server);
        stream.write_all(request.as_bytes())?;
        let mut head = Vec::new();
        // The head and nothing behind it.
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            if stream.read(&mut byte)? == 0 {
                bail!("the connection was closed before the response");
            }
            head.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&head);
        if !head.starts_with("HTTP/1.1 20") {
            bail!("the download was refused: {}", head.lines().next().unwrap_or_default());
        }
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).context("no length")?;
        Ok(length.parse()?)
    }

    fn download(&self, rate: Option<u64>) -> Result<()> {
        let mut stream = self.connect()?;
        let (start, mut buffer) = (Instant::now(), vec![MaybeUninit::uninit(); PIECE]);
        loop {
            let mut left = self.request(&mut stream, None)?;
            while left > 0 {
                if self.is_stopped() {
                    return Ok(());
                }
                left -= self.discard(&stream, &mut buffer, left)?;
                let due = rate.map(|rate| Duration::from_secs_f64(self.bytes() as f64 / rate as f64));
                std::thread::sleep(due.unwrap_or_default().saturating_sub(start.elapsed()));
            }
        }
    }

    fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    fn download_ranges(&self, size: u64) -> Result<()> {
        let mut stream = self.connect()?;
        let (mut buffer, mut requests, mut first) = (vec![MaybeUninit::uninit(); PIECE], 0, 0);
        while !self.is_stopped() {
            // The server closes a connection after a thousand.
            if requests == 900 {
                (stream, requests) = (self.connect()?, 0);
            }
            requests += 1;
            let mut left = self.request(&mut stream, Some((first, first + size - 1)))?;
            while left > 0 {
                left -= self.discard(&stream, &mut buffer, left)?;
            }
            // Here and there, as a player that seeks.
            first = (first + 7 * size) % (self.length - size);
        }
        Ok(())
    }

    fn read_slowly(&self, peers: usize) -> Result<()> {
        let mut streams = Vec::new();
        for _ in 0..peers {
            let mut stream = self.connect()?;
            SockRef::from(&stream).set_recv_buffer_size(SLOW_BUFFER)?;
            self.request(&mut stream, None)?;
            stream.set_nonblocking(true)?;
            streams.push(stream);
        }
        let mut buffer = vec![MaybeUninit::uninit(); 4096];
        while !self.is_stopped() {
            for stream in &streams {
                match self.discard(stream, &mut buffer, u64::MAX) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    outcome => drop(outcome?),
                }
            }
            std::thread::sleep(SLOW_INTERVAL);
        }
        Ok(())
    }

    /// Receives up to `most` bytes, and returns how many.
    fn discard(&self, stream: &TcpStream, buffer: &mut [MaybeUninit<u8>], most: u64) -> io::Result<u64> {
        let length = most.min(buffer.len() as u64) as usize;
        let count = SockRef::from(stream).recv_with_flags(&mut buffer[..length], MSG_TRUNC)?;
        if count == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed a download"));
        }
        self.bytes.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count as u64)
    }
}
