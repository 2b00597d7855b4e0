//! Round trips of one client beside others.

use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use mio::net::TcpStream;
use mio::{Interest, Token};

use super::connect::connect_plain;
use super::fanout::Rounds;
use super::pool::{ClientPool, TIMEOUT};
use super::ring::Ring;
use super::target::{Protocol, Target};
use super::wire;

const SIZE: usize = 64;
const TIMED: Token = Token(usize::MAX);

/// What the other clients do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beside {
    /// Nothing.
    Idle,
    /// One of them sends at full speed, with sixteen messages in flight, and receives them back.
    Sender,
    /// One of them sends to all, with one message in flight.
    FanOut,
}

/// Measures round trips for `time`, one after the other. The server must have the role `mixed`, or `echo` if the others are
/// idle.
pub(crate) fn round_trips(target: &Target, others: usize, beside: Beside, time: Duration) -> Result<Vec<Duration>> {
    let opcode = if beside == Beside::FanOut { wire::BINARY } else { wire::TEXT };
    let ring = Ring::with_opcode(target.protocol, SIZE, 64, opcode);
    let mut timed = Timed::connect(target)?;
    let mut pool = ClientPool::connect(target, &ring, others, |_| 0)?;
    pool.poll.registry().register(&mut timed.stream, TIMED, Interest::READABLE)?;
    let mut rounds = Rounds::new(others);
    match beside {
        Beside::Idle => {}
        Beside::Sender => pool.clients[0].send(&ring, 16)?,
        Beside::FanOut => rounds.send(&mut pool, &ring, 1)?,
    }
    let mut round_trips = Vec::new();
    timed.send()?;
    let end = Instant::now() + time;
    while Instant::now() < end {
        pool.poll.poll(&mut pool.events, Some(TIMEOUT))?;
        if pool.events.is_empty() {
            bail!("the server sent nothing for {TIMEOUT:?} although replies are outstanding");
        }
        let mut next = 0;
        for event in &pool.events {
            if event.token() == TIMED {
                if let Some(round_trip) = timed.read(&mut pool.buffer)? {
                    round_trips.push(round_trip);
                    timed.send()?;
                }
                continue;
            }
            let client = &mut pool.clients[event.token().0];
            let messages = client.read(&ring, &mut pool.buffer)?;
            match beside {
                Beside::Idle if messages > 0 => bail!("an unexpected message"),
                Beside::Idle => {}
                Beside::Sender => client.send(&ring, messages)?,
                Beside::FanOut => next += rounds.arrive(client.received(&ring), messages)?,
            }
        }
        if next > 0 {
            rounds.send(&mut pool, &ring, next)?;
        }
    }
    Ok(round_trips)
}

/// The client whose round trips are measured.
struct Timed {
    stream: TcpStream,
    ring: Ring,
    number: usize,
    sent_at: Instant,
    received: Vec<u8>,
}

impl Timed {
    fn connect(target: &Target) -> Result<Timed> {
        let Some(stream) = connect_plain(target, 1)?.pop() else { bail!("no connection") };
        stream.set_nonblocking(true)?;
        let ring = Ring::with_opcode(target.protocol, SIZE, 64, wire::TEXT);
        let stream = TcpStream::from_std(stream);
        Ok(Timed { stream, ring, number: 0, sent_at: Instant::now(), received: Vec::new() })
    }

    fn send(&mut self) -> Result<()> {
        let request = self.ring.requests(self.number * self.ring.request_length, self.ring.request_length);
        self.sent_at = Instant::now();
        Ok(self.stream.write_all(request)?)
    }

    /// Reads what is available, and returns the round trip if it contains the reply.
    fn read(&mut self, buffer: &mut [u8]) -> Result<Option<Duration>> {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => bail!("the server closed the connection"),
                Ok(count) => self.received.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        let mut round_trip = None;
        let mut at = 0;
        while let Some((opcode, length)) = self.next_frame(at)? {
            let frame = &self.received[at..at + length];
            match opcode {
                wire::TEXT if self.ring.matches(self.number * length, frame) && round_trip.is_none() => {
                    round_trip = Some(self.sent_at.elapsed());
                    self.number = (self.number + 1) % self.ring.messages;
                }
                // A message to all; the clients in the pool check it.
                wire::BINARY | wire::PONG => {}
                wire::PING => {
                    let mut pong = Vec::new();
                    wire::encode(&mut pong, wire::PONG, &frame[2..], Some([1, 2, 3, 4]));
                    self.stream.write_all(&pong)?;
                }
                _ => bail!("a wrong reply: {}", frame.escape_ascii()),
            }
            at += length;
        }
        self.received.drain(..at);
        Ok(round_trip)
    }

    fn next_frame(&self, at: usize) -> Result<Option<(u8, usize)>> {
        let rest = &self.received[at..];
        if self.ring.protocol == Protocol::WebSocket {
            return Ok(wire::short_frame(rest)?.map(|(opcode, _, length)| (opcode, length)));
        }
        let length = self.ring.reply_length;
        Ok((rest.len() >= length).then(|| (rest[0] & 0x0f, length)))
    }
}
