//! A visitor of the pages: a thread that does one random thing after the other.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};

use crate::peer::{CLOSE, PING, PONG, Peer, Received, TEXT, TIMEOUT};
use crate::random::Random;
use crate::site::{Content, LARGE, PAGE, PAGE_BYTES, Response, file_request};

/// What a visitor does, in the order of the counts.
const KINDS: [&str; 8] =
    ["downloads", "ranges", "aborted", "HEADs", "pipelined", "unchanged", "not found", "echoed messages"];
/// Requests that are sent together.
const PIPELINED: u64 = 8;
/// Messages of one echo.
const MESSAGES: u64 = 20;

/// What all visitors share.
pub(super) struct Shared {
    port: u16,
    large: u64,
    content: Content,
    /// Visitors have no connections while this is set.
    pub(super) calm: AtomicBool,
    pub(super) end: AtomicBool,
    counts: [AtomicU64; KINDS.len()],
    failure: Mutex<Option<anyhow::Error>>,
}

impl Shared {
    pub(super) fn new(port: u16, large: u64) -> Arc<Shared> {
        let (end, counts, failure) = Default::default();
        let calm = AtomicBool::new(true);
        Arc::new(Shared { port, large, content: Content::new(), calm, end, counts, failure })
    }

    /// Returns the first failure of a visitor.
    pub(super) fn check(&self) -> Result<()> {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        failure.map_or(Ok(()), |failure| Err(failure.context("a visitor failed")))
    }

    pub(super) fn summary(&self) -> String {
        let count = |(kind, count): (&&str, &AtomicU64)| format!("{} {kind}", count.load(Ordering::Relaxed));
        KINDS.iter().zip(&self.counts).map(count).collect::<Vec<_>>().join(", ")
    }

    /// Returns whether everything has happened at least once.
    pub(super) fn is_complete(&self) -> bool {
        self.counts.iter().all(|count| count.load(Ordering::Relaxed) > 0)
    }
}

/// A running visitor.
pub(super) struct Visitor(JoinHandle<()>);

impl Visitor {
    pub(super) fn start(number: u64, random: Random, shared: &Arc<Shared>) -> Visitor {
        let mut visit = Visit { number, random, shared: Arc::clone(shared), peer: None };
        Visitor(std::thread::spawn(move || {
            while !visit.shared.end.load(Ordering::SeqCst) {
                if visit.shared.calm.load(Ordering::SeqCst) {
                    visit.peer = None;
                    std::thread::sleep(Duration::from_millis(20));
                } else if let Err(error) = visit.step() {
                    visit.peer = None;
                    visit.shared.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                }
            }
        }))
    }

    pub(super) fn join(self) -> Result<()> {
        self.0.join().map_err(|_| anyhow!("a visitor panicked"))
    }
}

struct Visit {
    number: u64,
    random: Random,
    shared: Arc<Shared>,
    /// The connection that is kept for further requests.
    peer: Option<Peer>,
}

impl Visit {
    fn step(&mut self) -> Result<()> {
        // Downloads are rare, or there would be little else.
        let kind = match self.random.below(100) {
            0..4 => 0,
            4..30 => 1,
            30..36 => 2,
            36..50 => 3,
            50..64 => 4,
            64..78 => 5,
            78..94 => 6,
            _ => 7,
        };
        let outcome = match kind {
            0 => self.download(),
            1 => self.range(),
            2 => self.abort(),
            3 => self.head(),
            4 => self.pipeline(),
            5 => self.ask_whether_changed(),
            6 => self.miss(),
            _ => self.echo(),
        };
        outcome.with_context(|| KINDS[kind])?;
        let count = if kind == 7 { MESSAGES } else { 1 };
        self.shared.counts[kind].fetch_add(count, Ordering::Relaxed);
        if self.random.below(20) == 0 {
            self.peer = None;
        }
        Ok(())
    }

    /// Sends a request and returns the connection and the beginning of the response, which must have this status.
    fn request(&mut self, request: &str, status: u16) -> Result<(Peer, Response)> {
        let mut peer = match self.peer.take() {
            Some(peer) => peer,
            None => Peer::open(self.shared.port)?,
        };
        peer.write(request.as_bytes())?;
        let response = Response::read(&mut peer)?;
        ensure!(response.status == status, "not {status}: {}", response.head);
        Ok((peer, response))
    }

    /// Keeps the connection for the next request, unless the server closes it.
    fn keep(&mut self, peer: Peer, response: &Response) {
        let closes = response.head.contains("\r\nConnection: close\r\n");
        self.peer = (!closes).then_some(peer);
    }

    fn download(&mut self) -> Result<()> {
        let (mut peer, mut response) = self.request(&file_request("GET", LARGE, ""), 200)?;
        ensure!(response.left == self.shared.large, "{} bytes", response.left);
        response.read_all(&mut peer, &self.shared.content)?;
        self.keep(peer, &response);
        Ok(())
    }

    fn range(&mut self) -> Result<()> {
        let first = self.random.below(self.shared.large);
        let length = (1 + self.random.below(200_000)).min(self.shared.large - first);
        let range = format!("Range: bytes={first}-{}\r\n", first + length - 1);
        let (mut peer, mut response) = self.request(&file_request("GET", LARGE, &range), 206)?;
        ensure!(response.left == length, "{} bytes instead of {length}", response.left);
        response.read_all(&mut peer, &self.shared.content)?;
        self.keep(peer, &response);
        Ok(())
    }

    /// Ends the connection within a request, within a response, or before it, with a reset or in order.
    fn abort(&mut self) -> Result<()> {
        let mut peer = Peer::open(self.shared.port)?;
        let request = file_request("GET", LARGE, "");
        let sent = match self.random.below(3) {
            0 => &request[..self.random.below(request.len() as u64) as usize],
            _ => &request[..],
        };
        peer.write(sent.as_bytes())?;
        if self.random.below(2) == 0 {
            let _ = peer.stream.shutdown(Shutdown::Write);
        }
        if sent.len() == request.len() && self.random.below(2) == 0 {
            let _ = peer.stream.read(&mut vec![0; 100_000]);
        }
        Ok(())
    }

    fn head(&mut self) -> Result<()> {
        let (peer, response) = self.request(&file_request("HEAD", LARGE, ""), 200)?;
        ensure!(response.left == self.shared.large, "{} bytes", response.left);
        self.keep(peer, &response);
        Ok(())
    }

    fn pipeline(&mut self) -> Result<()> {
        let requests = file_request("GET", PAGE, "").repeat(PIPELINED as usize);
        let (mut peer, mut response) = self.request(&requests, 200)?;
        for number in 1.. {
            ensure!(response.left == PAGE_BYTES, "{} bytes", response.left);
            response.read_all(&mut peer, &self.shared.content)?;
            if number == PIPELINED || response.head.contains("\r\nConnection: close\r\n") {
                break;
            }
            response = Response::read(&mut peer)?;
        }
        self.keep(peer, &response);
        Ok(())
    }

    fn ask_whether_changed(&mut self) -> Result<()> {
        let (mut peer, mut response) = self.request(&file_request("GET", PAGE, ""), 200)?;
        response.read_all(&mut peer, &self.shared.content)?;
        let tag = response.head.lines().find_map(|line| line.strip_prefix("ETag: ")).context("no ETag")?;
        let condition = format!("If-None-Match: {tag}\r\n");
        self.keep(peer, &response);
        let (peer, response) = self.request(&file_request("GET", PAGE, &condition), 304)?;
        self.keep(peer, &response);
        Ok(())
    }

    fn miss(&mut self) -> Result<()> {
        let (mut peer, response) = self.request(&file_request("GET", "/nothing.html", ""), 404)?;
        let mut body = vec![0; response.left as usize];
        let mut filled = 0;
        while filled < body.len() {
            match peer.read(&mut body[filled..])? {
                0 => bail!("no body"),
                count => filled += count,
            }
        }
        self.keep(peer, &response);
        Ok(())
    }

    /// Sends messages to a room of two, in which the other one sends each of them back.
    fn echo(&mut self) -> Result<()> {
        let path = format!("/room/visitor{}", self.number);
        let mut one = Peer::join_path(self.shared.port, &path)?;
        let mut other = Peer::join_path(self.shared.port, &path)?;
        for number in 0..MESSAGES {
            let text = format!("message {number} of visitor {}", self.number).into_bytes();
            one.send(TEXT, &text)?;
            let heard = next_text(&mut other)?;
            other.send(TEXT, &heard)?;
            ensure!(next_text(&mut one)? == text, "another message came back");
        }
        if self.random.below(2) == 0 {
            one.send(CLOSE, &[0x03, 0xe8])?;
            one.stream.flush()?;
            ensure!(one.close_code(TIMEOUT) == Some(1000), "no close frame");
        }
        Ok(())
    }
}

/// Returns the next text message.
fn next_text(peer: &mut Peer) -> Result<Vec<u8>> {
    loop {
        match peer.next(TIMEOUT) {
            Received::Frame { opcode: TEXT, payload } => return Ok(payload),
            Received::Frame { opcode: PING, payload } => peer.send(PONG, &payload)?,
            other => bail!("{other:?} instead of a message"),
        }
    }
}
