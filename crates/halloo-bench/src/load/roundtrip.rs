//! One client that asks and waits, beside others that do this or that.

use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use mio::net::TcpStream;
use mio::{Interest, Token};

use super::crowd::{Crowd, PATIENCE};
use super::fanout::Rounds;
use super::ring::{Protocol, Ring};
use super::wire;
use super::{Target, connect};

const SIZE: usize = 64;
const TIMED: Token = Token(usize::MAX);

/// What the others do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beside {
    /// Nothing.
    Idle,
    /// One of them sends at full speed, sixteen messages on their way, and gets them back.
    Sender,
    /// One of them sends to all, one message on its way.
    FanOut,
}

/// Measures round trips for `time`, one after the other. The server returns text to its sender and sends binary
/// messages to all.
pub(crate) fn round_trips(target: &Target, others: usize, beside: Beside, time: Duration) -> Result<Vec<Duration>> {
    let opcode = if beside == Beside::FanOut { wire::BINARY } else { wire::TEXT };
    let ring = Ring::with_opcode(target.protocol, SIZE, 64, opcode);
    let mut timed = Timed::connect(target)?;
    let mut crowd = Crowd::connect(target, &ring, others, |_| 0)?;
    crowd.poll.registry().register(&mut timed.stream, TIMED, Interest::READABLE)?;
    let mut rounds = Rounds::new(others);
    match beside {
        Beside::Idle => {}
        Beside::Sender => crowd.clients[0].send(&ring, 16)?,
        Beside::FanOut => rounds.send(&mut crowd, &ring, 1)?,
    }
    let mut round_trips = Vec::new();
    timed.ask()?;
    let end = Instant::now() + time;
    while Instant::now() < end {
        crowd.poll.poll(&mut crowd.events, Some(PATIENCE))?;
        if crowd.events.is_empty() {
            bail!("the server has been silent for {PATIENCE:?} and owes answers");
        }
        let mut next = 0;
        for event in &crowd.events {
            if event.token() == TIMED {
                if let Some(round_trip) = timed.read(&mut crowd.buffer)? {
                    round_trips.push(round_trip);
                    timed.ask()?;
                }
                continue;
            }
            let client = &mut crowd.clients[event.token().0];
            let messages = client.read(&ring, &mut crowd.buffer)?;
            match beside {
                Beside::Idle if messages > 0 => bail!("a message that nobody asked for"),
                Beside::Idle => {}
                Beside::Sender => client.send(&ring, messages)?,
                Beside::FanOut => next += rounds.arrive(client.received(&ring), messages)?,
            }
        }
        if next > 0 {
            rounds.send(&mut crowd, &ring, next)?;
        }
    }
    Ok(round_trips)
}

/// The client whose round trips are taken.
struct Timed {
    stream: TcpStream,
    ring: Ring,
    number: usize,
    asked_at: Instant,
    received: Vec<u8>,
}

impl Timed {
    fn connect(target: &Target) -> Result<Timed> {
        let Some(stream) = connect(target, 1)?.pop() else { bail!("no connection") };
        stream.set_nonblocking(true)?;
        let ring = Ring::with_opcode(target.protocol, SIZE, 64, wire::TEXT);
        let stream = TcpStream::from_std(stream);
        Ok(Timed { stream, ring, number: 0, asked_at: Instant::now(), received: Vec::new() })
    }

    fn ask(&mut self) -> Result<()> {
        let request = self.ring.requests(self.number * self.ring.request_length, self.ring.request_length);
        self.asked_at = Instant::now();
        Ok(self.stream.write_all(request)?)
    }

    /// Reads all there is; the round trip when the answer is among it.
    fn read(&mut self, buffer: &mut [u8]) -> Result<Option<Duration>> {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => bail!("the server hung up"),
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
                    round_trip = Some(self.asked_at.elapsed());
                    self.number = (self.number + 1) % self.ring.messages;
                }
                // What was sent to all; its receivers in the crowd check it.
                wire::BINARY | wire::PONG => {}
                wire::PING => {
                    let mut pong = Vec::new();
                    wire::encode(&mut pong, wire::PONG, &frame[2..], Some([1, 2, 3, 4]));
                    self.stream.write_all(&pong)?;
                }
                _ => bail!("a wrong answer: {}", frame.escape_ascii()),
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
        let length = self.ring.answer_length;
        Ok((rest.len() >= length).then(|| (rest[0] & 0x0f, length)))
    }
}
