//! One side of a connection with a correct driver: it executes every action and records what happened.

use std::time::Duration;

use halloo_proto::Time;
use halloo_proto::close::{CloseCode, Violation};
use halloo_proto::connection::{Action, Connection, ConnectionConfig, DropReason, End, Received};
use halloo_proto::frame::{self, MAX_CONTROL, MAX_HEADER, Opcode, Role};
use halloo_proto::limits::MessageLimits;
use halloo_proto::read_pauses::ReadPauses;

pub(crate) const HEARTBEAT: Duration = Duration::from_secs(5);
/// Different from the default, to verify that the configuration is used.
pub(crate) const WRITE_TIMEOUT: Duration = Duration::from_secs(8);
pub(crate) const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

pub(crate) const STALL_TIMEOUT: Duration = Duration::from_secs(12);

const MASK: [u8; 4] = [0x1d, 0x2e, 0x3f, 0x40];

/// What the connection reports to the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Text(String),
    Binary(Vec<u8>),
    ClosedByPeer(CloseCode, String),
    Violation(CloseCode),
    Agreed,
    Dropped(DropReason),
    /// The peer closed the socket.
    Eof,
}

/// A transmission over the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Packet {
    Bytes(Vec<u8>),
    Eof,
}

#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) connection: Connection,
    pub(crate) config: ConnectionConfig,
    pub(crate) pauses: ReadPauses,
    pub(crate) seen: Vec<Seen>,
    pub(crate) sent: Vec<Packet>,
    /// The times at which pings were sent.
    pub(crate) pings: Vec<Time>,
    /// The times at which pongs were sent.
    pub(crate) pongs: Vec<Time>,
    pub(crate) close_frames: u32,
    /// Since when the socket has accepted nothing; bytes sent meanwhile are lost, unless the link is slow.
    pub(crate) blocked_since: Option<Time>,
    /// What is sent waits for a slow link.
    pub(crate) has_slow_link: bool,
    /// The socket is closed.
    pub(crate) is_gone: bool,
    /// The process is stopped, and does nothing.
    pub(crate) is_stopped: bool,
}

impl Endpoint {
    pub(crate) fn new(role: Role, heartbeat: Duration, now: Time) -> Endpoint {
        let messages = MessageLimits { stall_timeout: STALL_TIMEOUT, ..MessageLimits::default() };
        let config =
            ConnectionConfig { role, messages, heartbeat, write_timeout: WRITE_TIMEOUT, close_timeout: CLOSE_TIMEOUT };
        Endpoint {
            connection: Connection::open(false, now),
            config,
            pauses: ReadPauses::from(now),
            seen: Vec::new(),
            sent: Vec::new(),
            pings: Vec::new(),
            pongs: Vec::new(),
            close_frames: 0,
            blocked_since: None,
            has_slow_link: false,
            is_gone: false,
            is_stopped: false,
        }
    }

    pub(crate) fn frame(&mut self, opcode: Opcode, payload: &[u8]) {
        let mut bytes = Vec::new();
        frame::encode(&mut bytes, opcode, payload, self.key());
        self.raw(bytes);
    }

    /// Sends a frame that is not the last one of its message.
    pub(crate) fn fragment(&mut self, opcode: Opcode, payload: &[u8]) {
        let mut bytes = Vec::new();
        frame::encode(&mut bytes, opcode, payload, self.key());
        bytes[0] &= 0x7f;
        self.raw(bytes);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.frame(Opcode::Text, text.as_bytes());
    }

    /// Sends bytes as they are.
    pub(crate) fn raw(&mut self, bytes: Vec<u8>) {
        if !self.is_gone && (self.blocked_since.is_none() || self.has_slow_link) {
            self.sent.push(Packet::Bytes(bytes));
        }
    }

    /// Begins the close handshake. Returns whether a close frame was sent.
    pub(crate) fn close(&mut self, code: CloseCode, reason: &str) -> bool {
        let begun = self.connection.close(&self.config, self.pauses.now());
        if begun {
            self.close_frame(code, reason);
        }
        begun
    }

    /// Handles one packet.
    pub(crate) fn receive(&mut self, packet: &Packet) {
        if self.is_gone || self.is_stopped {
            return;
        }
        match packet {
            Packet::Eof => self.disconnect(Seen::Eof),
            Packet::Bytes(bytes) if self.connection.wants_read() => self.handle_bytes(bytes),
            Packet::Bytes(_) => {}
        }
    }

    fn handle_bytes(&mut self, bytes: &[u8]) {
        let mut buffer = vec![0; bytes.len() + MAX_HEADER + MAX_CONTROL];
        let kept = self.connection.restore(&mut buffer);
        buffer[kept..kept + bytes.len()].copy_from_slice(bytes);
        self.connection.handle_bytes(self.pauses.now());
        let mut input = &mut buffer[..kept + bytes.len()];
        while let Some(received) = self.connection.receive(&mut input, &self.config, &self.pauses) {
            match received {
                Received::Text(text) => self.seen.push(Seen::Text(text.into_owned())),
                Received::Binary(bytes) => self.seen.push(Seen::Binary(bytes.into_owned())),
                Received::Compressed { .. } => panic!("compression was not negotiated"),
                Received::Ignored => {}
                Received::Ping(payload) => {
                    let payload = payload.to_vec();
                    self.pongs.push(self.pauses.now());
                    self.frame(Opcode::Pong, &payload);
                }
                Received::End(end) => self.handle_end(end),
            }
        }
        self.shut_down_if_drained();
    }

    pub(crate) fn handle_timeout(&mut self, now: Time) {
        if self.is_gone || self.is_stopped {
            return;
        }
        while let Some(action) = self.connection.handle_timeout(&self.config, &self.pauses, self.blocked_since) {
            match action {
                Action::Ping => {
                    self.pings.push(now);
                    self.frame(Opcode::Ping, b"");
                }
                Action::Pong => {
                    self.pongs.push(now);
                    self.frame(Opcode::Pong, b"");
                }
                Action::End(violation) => self.handle_end(End::Violation(violation)),
                Action::Drop(reason) => return self.disconnect(Seen::Dropped(reason)),
            }
        }
        self.shut_down_if_drained();
    }

    pub(crate) fn poll_timeout(&self) -> Time {
        if self.is_gone || self.is_stopped {
            return Time::NEVER;
        }
        self.connection.poll_timeout(&self.config, &self.pauses, self.blocked_since)
    }

    pub(crate) fn has_seen(&self, seen: &Seen) -> bool {
        self.seen.contains(seen)
    }

    fn handle_end(&mut self, end: End<'_>) {
        let (seen, frame) = match end {
            End::ClosedByPeer(code, reason) => {
                (Seen::ClosedByPeer(code, reason.to_owned()), Some((code, String::new())))
            }
            End::Violation(Violation { code, reason }) => (Seen::Violation(code), Some((code, reason))),
            End::Agreed => (Seen::Agreed, None),
        };
        self.seen.push(seen);
        if let Some((code, reason)) = frame {
            self.close_frame(code, &reason);
        }
    }

    fn close_frame(&mut self, code: CloseCode, reason: &str) {
        let mut bytes = Vec::new();
        frame::encode_close(&mut bytes, code, reason, self.key());
        self.close_frames += 1;
        self.raw(bytes);
    }

    pub(crate) fn shut_down_if_drained(&mut self) {
        let is_flushed = self.blocked_since.is_none() && (!self.has_slow_link || self.sent.is_empty());
        if self.connection.poll_shutdown(is_flushed, &self.config, self.pauses.now()) {
            self.sent.push(Packet::Eof);
        }
    }

    /// Closes the socket.
    fn disconnect(&mut self, seen: Seen) {
        self.seen.push(seen);
        self.sent.push(Packet::Eof);
        self.is_gone = true;
    }

    fn key(&self) -> Option<[u8; 4]> {
        (self.config.role == Role::Client).then_some(MASK)
    }
}
