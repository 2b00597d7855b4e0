//! A connection of the load generator.

use std::io::{self, Read, Write};

use anyhow::{Context, Result, bail};
use mio::net::TcpStream;

use super::link::Link;
use super::ring::Ring;
use super::target::Protocol;
use super::wire;

/// Sends requests from a ring, and compares the replies with what the ring expects.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) stream: Link<TcpStream>,
    /// The position in the ring of requests at which writing continues.
    write_at: usize,
    /// Bytes of requests that the socket has not accepted yet.
    unsent: usize,
    /// The position in the ring of replies at which reading continues.
    read_at: usize,
    /// Messages sent.
    pub(super) sent: u64,
    /// Bytes of replies received.
    received_bytes: u64,
    /// The beginning of a control frame that is not complete yet.
    control: Vec<u8>,
    /// Pongs to send.
    pongs: Vec<u8>,
}

impl Client {
    /// Creates a connected client that begins with message `first` of the ring.
    pub(super) fn new(stream: Link<TcpStream>, ring: &Ring, first: usize) -> Client {
        let first = first % ring.messages;
        Client {
            stream,
            write_at: first * ring.request_length,
            unsent: 0,
            read_at: first * ring.reply_length,
            sent: 0,
            received_bytes: 0,
            control: Vec::new(),
            pongs: Vec::new(),
        }
    }

    /// Returns the number of complete replies.
    pub(super) fn received(&self, ring: &Ring) -> u64 {
        self.received_bytes / ring.reply_length as u64
    }

    /// Sends more messages. At most as many as the ring has may be in flight.
    pub(super) fn send(&mut self, ring: &Ring, messages: usize) -> Result<()> {
        self.sent += messages as u64;
        self.unsent += messages * ring.request_length;
        self.write(ring)
    }

    /// Writes until nothing is unsent or the socket accepts no more. Also called when the socket is writable again.
    pub(super) fn write(&mut self, ring: &Ring) -> Result<()> {
        self.stream.flush().context("cannot send to the server")?;
        while self.unsent > 0 {
            match self.stream.write(ring.requests(self.write_at, self.unsent)) {
                Ok(count) => {
                    self.unsent -= count;
                    self.write_at = (self.write_at + count) % ring.requests_length();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error).context("cannot send to the server"),
            }
        }
        if !self.pongs.is_empty() {
            // A few bytes after a pause: they fit into the socket, or the connection is lost anyway.
            self.stream.write_all(&self.pongs).context("cannot send a pong")?;
            self.pongs.clear();
        }
        Ok(())
    }

    /// Reads what is available and returns how many complete replies it contained.
    pub(super) fn read(&mut self, ring: &Ring, buffer: &mut [u8]) -> Result<usize> {
        let before = self.received(ring);
        loop {
            match self.stream.read(buffer) {
                Ok(0) => bail!("the server closed the connection"),
                Ok(count) => {
                    self.compare(ring, &buffer[..count])?;
                    // A short read has drained the socket; the next edge reports more.
                    if self.stream.is_drained() && cfg!(target_os = "linux") {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error).context("the connection was lost"),
            }
        }
        Ok((self.received(ring) - before) as usize)
    }

    fn compare(&mut self, ring: &Ring, bytes: &[u8]) -> Result<()> {
        if self.control.is_empty() && ring.matches(self.read_at, bytes) {
            self.advance(ring, bytes.len());
            return Ok(());
        }
        let mut joined = std::mem::take(&mut self.control);
        joined.extend_from_slice(bytes);
        self.compare_frames(ring, &joined)
    }

    /// Compares frame by frame, which is slower: there is a control frame between the replies, or one of them is wrong.
    fn compare_frames(&mut self, ring: &Ring, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let begun = self.read_at % ring.reply_length;
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
            let length = (ring.reply_length - begun).min(bytes.len());
            if !ring.matches(self.read_at, &bytes[..length]) {
                bail!("reply {} is wrong: {}", self.received(ring) + 1, bytes[..length.min(80)].escape_ascii());
            }
            self.advance(ring, length);
            bytes = &bytes[length..];
        }
        self.write(ring)
    }

    fn advance(&mut self, ring: &Ring, bytes: usize) {
        self.received_bytes += bytes as u64;
        self.read_at = (self.read_at + bytes) % ring.replies_length();
    }
}
