//! One connection of the generator.

use std::io::{self, Read, Write};

use anyhow::{Context, Result, bail};
use mio::net::TcpStream;

use super::ring::{Protocol, Ring};
use super::wire;

/// Sends what it owes, and compares what comes with what must come.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) stream: TcpStream,
    /// Where in the circle of requests it writes on.
    writing_at: usize,
    /// Bytes of requests that the socket has not taken yet.
    owed: usize,
    /// Where in the circle of answers it reads on.
    reading_at: usize,
    /// Messages asked for, and bytes of answers to them.
    pub(super) sent: u64,
    answered: u64,
    /// The beginning of a control frame whose end has not come.
    control: Vec<u8>,
    /// Pongs that are to go out.
    pongs: Vec<u8>,
}

impl Client {
    /// A connected client that begins with message `first` of the circle.
    pub(super) fn new(stream: TcpStream, ring: &Ring, first: usize) -> Client {
        let first = first % ring.messages;
        Client {
            stream,
            writing_at: first * ring.request_length,
            owed: 0,
            reading_at: first * ring.answer_length,
            sent: 0,
            answered: 0,
            control: Vec::new(),
            pongs: Vec::new(),
        }
    }

    /// Messages that came back whole.
    pub(super) fn received(&self, ring: &Ring) -> u64 {
        self.answered / ring.answer_length as u64
    }

    /// Sends `messages` more; at most the circle may be on its way.
    pub(super) fn send(&mut self, ring: &Ring, messages: usize) -> Result<()> {
        self.sent += messages as u64;
        self.owed += messages * ring.request_length;
        self.write(ring)
    }

    /// Writes until nothing is owed or the socket takes no more; also when it takes more again.
    pub(super) fn write(&mut self, ring: &Ring) -> Result<()> {
        while self.owed > 0 {
            match self.stream.write(ring.requests(self.writing_at, self.owed)) {
                Ok(taken) => {
                    self.owed -= taken;
                    self.writing_at = (self.writing_at + taken) % ring.requests_length();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error).context("the server does not take what it is sent"),
            }
        }
        if !self.pongs.is_empty() {
            // A few bytes after a silence: they fit, or the connection is lost anyway.
            self.stream.write_all(&self.pongs).context("cannot answer a ping")?;
            self.pongs.clear();
        }
        Ok(())
    }

    /// Reads all there is and answers how many messages came whole.
    pub(super) fn read(&mut self, ring: &Ring, buffer: &mut [u8]) -> Result<usize> {
        let before = self.received(ring);
        loop {
            match self.stream.read(buffer) {
                Ok(0) => bail!("the server hung up"),
                Ok(count) => {
                    self.take(ring, &buffer[..count])?;
                    // A short read drained the socket; the next edge tells of more.
                    if count < buffer.len() && cfg!(target_os = "linux") {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error).context("the connection was lost"),
            }
        }
        Ok((self.received(ring) - before) as usize)
    }

    fn take(&mut self, ring: &Ring, bytes: &[u8]) -> Result<()> {
        if self.control.is_empty() && ring.matches(self.reading_at, bytes) {
            self.advance(ring, bytes.len());
            return Ok(());
        }
        let mut joined = std::mem::take(&mut self.control);
        joined.extend_from_slice(bytes);
        self.take_frames(ring, &joined)
    }

    /// The slow way, frame by frame: a control frame stands between the answers, or one of them is wrong.
    fn take_frames(&mut self, ring: &Ring, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let begun = self.reading_at % ring.answer_length;
            if begun == 0 && ring.protocol == Protocol::WebSocket && bytes[0] & 0x08 != 0 {
                let Some((opcode, payload, length)) = wire::short_frame(bytes)? else {
                    self.control = bytes.to_vec();
                    return Ok(());
                };
                match opcode {
                    wire::PING => wire::encode(&mut self.pongs, wire::PONG, payload, Some([1, 2, 3, 4])),
                    wire::CLOSE => {
                        bail!("the server closed: {}", String::from_utf8_lossy(&payload[2.min(payload.len())..]))
                    }
                    _ => {}
                }
                bytes = &bytes[length..];
                continue;
            }
            let length = (ring.answer_length - begun).min(bytes.len());
            if !ring.matches(self.reading_at, &bytes[..length]) {
                bail!("answer {} is wrong: {}", self.received(ring) + 1, bytes[..length.min(80)].escape_ascii());
            }
            self.advance(ring, length);
            bytes = &bytes[length..];
        }
        self.write(ring)
    }

    fn advance(&mut self, ring: &Ring, bytes: usize) {
        self.answered += bytes as u64;
        self.reading_at = (self.reading_at + bytes) % ring.answers_length();
    }
}
