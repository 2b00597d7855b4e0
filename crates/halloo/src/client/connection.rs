//! One connection to a server, from its handshake to its end.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use halloo_proto::Time;
use halloo_proto::close::{CloseCode, Violation};
use halloo_proto::defaults::{CLOSE_TIMEOUT, HEARTBEATS_TO_DEATH, TURN_BYTES, WRITE_TIMEOUT};
use halloo_proto::frame::{self, Opcode, Role};
use halloo_proto::heartbeat::{Heartbeat, KeepaliveAction};
use halloo_proto::message::{Incoming, MessageLimits, Receiver};
use halloo_proto::outbox::{Frames, Outbox};
use halloo_proto::read_pauses::ReadPauses;

use super::ClientEvent;
use super::dial::Reached;
use super::keys::Keys;
use super::line::Line;
use crate::Message;
use crate::writing::write_backlog;

/// Bytes of messages that go into one write; also what the buffer for them keeps.
const CORK: usize = 64 * 1024;

/// Control frames that wait at most while the server takes nothing.
const CONTROLS: u32 = 100;

/// What a connection is lent for as long as it does something.
pub(super) struct Turn<'a> {
    pub(super) now: Time,
    pub(super) pauses: ReadPauses,
    pub(super) limits: &'a MessageLimits,
    pub(super) interval: Duration,
    pub(super) line: &'a Line,
    pub(super) keys: &'a mut Keys,
    pub(super) events: &'a mut VecDeque<ClientEvent>,
}

/// How a connection ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) code: CloseCode,
    pub(super) reason: String,
    /// Because the application wanted it.
    pub(super) wanted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// Our close frame is on its way; the server's is awaited.
    Closing,
    /// All was said: flush, half-close, and read to the end so that no reset destroys our last words.
    Ending,
}

#[derive(Debug)]
pub(super) struct Connection {
    reached: Reached,
    phase: Phase,
    receiver: Receiver,
    outbox: Outbox,
    account: Arc<AtomicUsize>,
    /// Control frames that came into the outbox while it was blocked.
    controls: u32,
    heartbeat: Heartbeat,
    /// When to look at the heartbeat.
    next_keepalive: Time,
    /// The socket may have something; no new edge will come for it.
    readable: bool,
    /// Since when the socket takes nothing; [`Time::NEVER`] while it does.
    blocked_since: Time,
    /// End of the close handshake.
    deadline: Time,
    /// How it ends, once that is decided.
    ended: Option<Ended>,
    shut: bool,
    batch: Vec<Message<'static>>,
}

impl Connection {
    /// A connection whose handshake is done.
    pub(super) fn new(reached: Reached, now: Time) -> Connection {
        Connection {
            reached,
            phase: Phase::Open,
            receiver: Receiver::default(),
            outbox: Outbox::default(),
            account: Arc::default(),
            controls: 0,
            heartbeat: Heartbeat::new(now),
            next_keepalive: now,
            readable: true,
            blocked_since: Time::NEVER,
            deadline: Time::NEVER,
            ended: None,
            shut: false,
            batch: Vec::new(),
        }
    }

    /// Begins with the bytes that came behind the handshake, and with a ping to learn the round trip.
    pub(super) fn begin(&mut self, early: &mut [u8], turn: &mut Turn<'_>) -> Result<(), Ended> {
        if !turn.interval.is_zero() {
            self.heartbeat.ping(turn.now);
            self.control(Opcode::Ping, b"", turn)?;
        }
        self.handle_frames(early, turn)
    }

    pub(super) fn is_readable(&self) -> bool {
        self.readable
    }

    /// Whether it would take messages now.
    pub(super) fn takes_messages(&self) -> bool {
        self.phase == Phase::Open && !self.outbox.is_blocked()
    }

    /// Messages that are lost with it.
    pub(super) fn unsent(&self) -> u64 {
        self.outbox.unsent()
    }

    /// The socket told that it is ready for one thing or the other.
    pub(super) fn handle_ready(&mut self, event: &mio::event::Event, now: Time) -> Result<(), Ended> {
        if event.token() != self.reached.token {
            return Ok(());
        }
        self.readable |= event.is_readable() || event.is_read_closed() || event.is_error();
        if event.is_writable() {
            self.reached.stream.handle_writable().map_err(|error| self.lost(&error))?;
        }
        if event.is_writable() && self.outbox.is_blocked() {
            if write_backlog(&mut self.reached.stream, &mut self.outbox).map_err(|error| self.lost(&error))? {
                self.blocked_since = now;
            }
            if !self.outbox.is_blocked() {
                self.blocked_since = Time::NEVER;
                self.controls = 0;
                self.outbox.reset(CORK);
            }
        }
        Ok(())
    }

    /// Reads once, if there may be something, and handles all of it.
    pub(super) fn read(&mut self, buffer: &mut [u8], turn: &mut Turn<'_>) -> Result<(), Ended> {
        let kept = self.receiver.restore(buffer);
        match self.reached.stream.read(&mut buffer[kept..kept + TURN_BYTES]) {
            Ok(0) => Err(self.end(CloseCode::Abnormal, "the server hung up")),
            Ok(count) => {
                self.heartbeat.handle_bytes(turn.now);
                self.handle_frames(&mut buffer[..kept + count], turn)
            }
            Err(error) => {
                self.receiver.keep(&buffer[..kept]);
                match error.kind() {
                    io::ErrorKind::WouldBlock => self.readable = false,
                    io::ErrorKind::Interrupted => {}
                    _ => return Err(self.lost(&error)),
                }
                Ok(())
            }
        }
    }

    /// Writes what waits, as far as the socket takes it.
    pub(super) fn write(&mut self, turn: &mut Turn<'_>) -> Result<(), Ended> {
        if self.outbox.is_blocked() {
            return Ok(());
        }
        if self.phase == Phase::Open {
            let room = CORK.saturating_sub(self.outbox.bytes());
            turn.line.take_messages(room, &mut self.batch);
            for message in self.batch.drain(..) {
                let opcode = if message.text().is_some() { Opcode::Text } else { Opcode::Binary };
                let key = turn.keys.next().map_err(|error| Ended::lost(&error))?;
                frame::encode(self.outbox.cork(), opcode, message.bytes(), Some(key));
            }
        }
        let length = self.outbox.cork().len();
        if length > 0 {
            let taken = self.reached.stream.write_some(self.outbox.cork());
            let taken = taken.map_err(|error| self.lost(&error))?;
            if taken == length {
                self.outbox.reset(CORK);
            } else {
                self.outbox.block_cork(taken, &self.account);
                self.blocked_since = turn.now;
            }
        }
        if self.phase == Phase::Ending && self.outbox.is_empty() && !self.shut {
            self.shut = true;
            // An error means that the server is gone already, which the next read finds out.
            let _ = self.reached.stream.shutdown();
        }
        Ok(())
    }

    /// Closes from our side.
    pub(super) fn close(&mut self, code: CloseCode, reason: &str, turn: &mut Turn<'_>) -> Result<(), Ended> {
        self.say_close(code, reason, turn)?;
        self.phase = Phase::Closing;
        self.ended = Some(Ended { code, reason: reason.to_owned(), wanted: true });
        Ok(())
    }

    /// Does what is due; `reading` is false while the application does not take its events.
    pub(super) fn handle_timeout(&mut self, reading: bool, turn: &mut Turn<'_>) -> Result<(), Ended> {
        let now = turn.now;
        if self.blocked_since != Time::NEVER && now - self.blocked_since >= WRITE_TIMEOUT {
            return Err(self.end(CloseCode::Abnormal, "the server took nothing for too long"));
        }
        if self.phase != Phase::Open {
            let late = now >= self.deadline;
            return if late { Err(self.end(CloseCode::Abnormal, "the server did not close")) } else { Ok(()) };
        }
        if !reading {
            // The server is not heard, but is to hear that we are still here (RFC 6455 section 5.5.3).
            if turn.interval.is_zero() {
                self.next_keepalive = Time::NEVER;
            } else if now >= self.next_keepalive {
                self.next_keepalive = now + turn.interval;
                self.control(Opcode::Pong, b"", turn)?;
            }
            return Ok(());
        }
        if self.receiver.deadline(turn.limits, turn.pauses.since()).is_some_and(|deadline| now >= deadline) {
            let rule = "the message took too long to finish";
            return self.violated(Violation::new(CloseCode::PolicyViolation, rule), turn);
        }
        let mut pulse = self.heartbeat.poll(now, turn.interval, turn.pauses.since());
        if pulse == KeepaliveAction::Ping {
            self.control(Opcode::Ping, b"", turn)?;
            pulse = self.heartbeat.poll(now, turn.interval, turn.pauses.since());
        }
        match pulse {
            KeepaliveAction::Wait(until) => self.next_keepalive = until,
            KeepaliveAction::Ping => {}
            KeepaliveAction::Dead => {
                let silence = (turn.interval * HEARTBEATS_TO_DEATH).as_secs_f32();
                return Err(self.end(CloseCode::Abnormal, &format!("the server was silent for {silence} s")));
            }
        }
        Ok(())
    }

    /// When something is due.
    pub(super) fn next_timeout(&self, reading: bool, limits: &MessageLimits, since: Time) -> Option<Time> {
        let mut next = if self.phase == Phase::Open { self.next_keepalive } else { self.deadline };
        if self.blocked_since != Time::NEVER {
            next = next.min(self.blocked_since + WRITE_TIMEOUT);
        }
        if let Some(deadline) = self.receiver.deadline(limits, since).filter(|_| reading) {
            next = next.min(deadline);
        }
        (next != Time::NEVER).then_some(next)
    }

    fn handle_frames(&mut self, bytes: &mut [u8], turn: &mut Turn<'_>) -> Result<(), Ended> {
        let mut input = bytes;
        while self.phase != Phase::Ending {
            match self.receiver.next(&mut input, Role::Client, false, turn.limits, turn.pauses) {
                Ok(Some(Incoming::Text(text))) => turn.tell(Message::Text(text)),
                Ok(Some(Incoming::Binary(bytes))) => turn.tell(Message::Binary(bytes)),
                Ok(Some(Incoming::Ping(payload))) if self.phase == Phase::Open => {
                    self.control(Opcode::Pong, payload, turn)?;
                }
                // Compression is not asked for, so nothing comes compressed.
                Ok(Some(Incoming::Ping(_) | Incoming::Compressed { .. })) => {}
                Ok(Some(Incoming::Pong(_))) => {
                    self.heartbeat.handle_pong(turn.now);
                    turn.line.set_latency(self.heartbeat.latency_micros());
                }
                Ok(Some(Incoming::Close(code, reason))) => return self.handle_close(code, reason, turn),
                Ok(None) => {
                    self.receiver.keep(input);
                    break;
                }
                Err(violation) => return self.violated(violation, turn),
            }
        }
        Ok(())
    }

    fn handle_close(&mut self, code: CloseCode, reason: &str, turn: &mut Turn<'_>) -> Result<(), Ended> {
        if self.phase == Phase::Open {
            self.say_close(code, "", turn)?;
            self.ended = Some(Ended { code, reason: reason.to_owned(), wanted: false });
        }
        self.phase = Phase::Ending;
        Ok(())
    }

    /// The server broke a rule: it is told which, and nothing more of it is understood.
    fn violated(&mut self, violation: Violation, turn: &mut Turn<'_>) -> Result<(), Ended> {
        let Violation { code, reason } = violation;
        if self.phase == Phase::Open {
            self.say_close(code, &reason, turn)?;
            self.ended = Some(Ended { code, reason, wanted: false });
        }
        self.phase = Phase::Ending;
        Ok(())
    }

    fn say_close(&mut self, code: CloseCode, reason: &str, turn: &mut Turn<'_>) -> Result<(), Ended> {
        self.deadline = turn.now + CLOSE_TIMEOUT;
        let key = turn.keys.next().map_err(|error| Ended::lost(&error))?;
        let mut bytes = Vec::new();
        frame::encode_close(&mut bytes, code, reason, Some(key));
        self.append(&bytes);
        Ok(())
    }

    fn control(&mut self, opcode: Opcode, payload: &[u8], turn: &mut Turn<'_>) -> Result<(), Ended> {
        if self.controls >= CONTROLS {
            // The server does not take them now, and its next ping asks again.
            return Ok(());
        }
        let key = turn.keys.next().map_err(|error| Ended::lost(&error))?;
        let mut bytes = Vec::new();
        frame::encode(&mut bytes, opcode, payload, Some(key));
        self.append(&bytes);
        Ok(())
    }

    /// Adds a control frame behind what the socket has not taken yet.
    fn append(&mut self, bytes: &[u8]) {
        if self.outbox.is_blocked() {
            self.outbox.push_last(&Frames::new(bytes, &self.account));
            self.controls += 1;
        } else {
            self.outbox.cork().extend_from_slice(bytes);
        }
    }

    /// The end that was decided before, or this one.
    fn end(&mut self, code: CloseCode, reason: &str) -> Ended {
        self.ended.take().unwrap_or_else(|| Ended { code, reason: reason.to_owned(), wanted: false })
    }

    fn lost(&mut self, error: &io::Error) -> Ended {
        self.ended.take().unwrap_or_else(|| Ended::lost(error))
    }
}

impl Ended {
    fn lost(error: &io::Error) -> Ended {
        Ended { code: CloseCode::Abnormal, reason: format!("connection lost: {error}"), wanted: false }
    }
}

impl Turn<'_> {
    fn tell(&mut self, message: Message<'_>) {
        self.events.push_back(ClientEvent::MessageReceived { message: message.into_owned() });
    }
}
