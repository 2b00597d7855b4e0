//! One WebSocket connection after its handshake, for both roles: the effect of each frame, the close handshake, and the
//! deadlines after which the peer is disconnected.
//!
//! The driver owns the socket and the send queue. It passes the bytes it has read to [`Connection::receive`], calls
//! [`Connection::handle_timeout`] at [`Connection::poll_timeout`], and executes the actions that these return. All
//! rules are here, so they are tested on a virtual clock, with two connections that exchange bytes in memory.

use std::borrow::Cow;
use std::time::Duration;

use crate::Time;
use crate::close::{CloseCode, Violation};
use crate::defaults::{MAX_CLOSE_FLUSH, MAX_SILENT_HEARTBEATS};
use crate::frame::Role;
use crate::keepalive::{Keepalive, KeepaliveAction};
use crate::limits::MessageLimits;
use crate::message::{Incoming, Receiver};
use crate::read_pauses::ReadPauses;

/// Maximum number of bytes read from a peer after the last frame was sent to it: sixteen messages of the maximum size
/// may have been in flight.
const MAX_DRAINED_BYTES: u32 = 16 * 1024 * 1024;

/// Delay before the next check of a partial message whose deadline passed while reading was paused.
const OVERDUE_RECHECK: Duration = Duration::from_secs(1);

/// The configuration that all connections of a driver share. It is passed by reference, so that a connection stays
/// small.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionConfig {
    /// The side of the connections that the driver is on.
    pub role: Role,
    /// Limits on what the peer sends.
    pub messages: MessageLimits,
    /// Silence after which the peer is pinged; after three times as long, it is considered dead. Zero disables both.
    pub heartbeat: Duration,
    /// Time for which the peer may accept none of the bytes that wait for it. A client counts it from the last bytes of the
    /// server, which may be paused.
    pub write_timeout: Duration,
    /// Time for the peer to respond to a close frame, and to close the socket after the last frame. It begins when the
    /// frame is written; a peer that accepts bytes has a minute for the frame before it.
    pub close_timeout: Duration,
}

/// The effect of a received frame.
#[derive(Debug, PartialEq, Eq)]
pub enum Received<'a> {
    /// A whole text message for the application.
    Text(Cow<'a, str>),
    /// A whole binary message for the application.
    Binary(Cow<'a, [u8]>),
    /// A whole compressed message: inflate it with [`Inflater::message`](crate::deflate::Inflater::message), then hand
    /// it to the application, or call [`Connection::fail`] with the violation.
    Compressed {
        /// Whether it is text.
        text: bool,
        /// The compressed payload.
        payload: Cow<'a, [u8]>,
    },
    /// Send a pong with this payload (RFC 6455 section 5.5.3).
    Ping(&'a [u8]),
    /// Nothing to do: a pong, or a frame that arrived after our close frame and no longer matters.
    Ignored,
    /// The connection ends; nothing more is received. Send the close frame, if there is one.
    End(End<'a>),
}

impl<'a> From<Incoming<'a>> for Received<'a> {
    fn from(incoming: Incoming<'a>) -> Received<'a> {
        match incoming {
            Incoming::Text(text) => Received::Text(text),
            Incoming::Binary(bytes) => Received::Binary(bytes),
            Incoming::Compressed { text, payload } => Received::Compressed { text, payload },
            Incoming::Ping(payload) => Received::Ping(payload),
            Incoming::Pong(_) | Incoming::Close(..) => Received::Ignored,
        }
    }
}

/// How a connection ends.
#[derive(Debug, PartialEq, Eq)]
pub enum End<'a> {
    /// The peer closed with this code and reason: respond with a close frame with the same code and no reason, after all
    /// queued frames.
    ClosedByPeer(CloseCode, &'a str),
    /// The peer violated the protocol or a limit: send a close frame with this code and reason, after the frame that is
    /// being written. Drop the queued ones: the peer may be too slow to receive them before the close frame.
    Violation(Violation),
    /// Both close frames were exchanged, ours first, or the peer sent a violation after ours: send nothing.
    Agreed,
}

/// An action that is due.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// Send a ping without payload, then call [`Connection::handle_timeout`] again.
    Ping,
    /// Send an unsolicited pong without payload, then call [`Connection::handle_timeout`] again.
    Pong,
    /// The peer exceeded a limit: send a close frame with this code and reason. The connection ends.
    End(Violation),
    /// Close the socket now.
    Drop(DropReason),
}

/// Why a socket is closed without a complete close handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropReason {
    /// The peer accepted none of the waiting bytes for [`ConnectionConfig::write_timeout`].
    WriteTimeout,
    /// The peer did not finish the close handshake within [`ConnectionConfig::close_timeout`].
    CloseTimeout,
    /// The peer was silent for three heartbeats.
    Silent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Messages are sent and received. `deflate`: they may be compressed.
    Open { deflate: bool },
    /// Our close frame was sent, or waits for the socket; the peer's is awaited.
    Closing { deflate: bool, until: Time, is_flushed: bool },
    /// The last frame was sent: flush, shut down the write side, and read to the end of the stream. Closing a socket
    /// with unread bytes would reset the connection, and the peer might not receive the last frame.
    Draining { until: Time, drained: u32, is_shut_down: bool },
}

/// The state machine of one connection. An idle one takes 72 bytes.
#[derive(Debug)]
pub struct Connection {
    receiver: Receiver,
    keepalive: Keepalive,
    phase: Phase,
}

impl Connection {
    /// Creates a connection whose handshake is complete. `deflate`: the peer may send compressed messages.
    pub fn open(deflate: bool, now: Time) -> Connection {
        Connection { receiver: Receiver::default(), keepalive: Keepalive::new(now), phase: Phase::Open { deflate } }
    }

    /// Creates a connection that is only closed: its last bytes, such as an HTTP response, are being sent.
    pub fn draining(config: &ConnectionConfig, now: Time) -> Connection {
        let mut connection = Connection::open(false, now);
        connection.drain(config, now);
        connection
    }

    /// Returns whether messages can be sent and received.
    #[inline]
    pub fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open { .. })
    }

    /// Returns whether our close frame was sent and the peer's is awaited.
    pub fn is_closing(&self) -> bool {
        matches!(self.phase, Phase::Closing { .. })
    }

    /// Returns whether the last frame was sent and only the end of the stream is awaited.
    pub fn is_draining(&self) -> bool {
        matches!(self.phase, Phase::Draining { .. })
    }

    /// Returns whether to read from the socket: always, unless the peer of a draining connection has sent too much.
    #[inline]
    pub fn wants_read(&self) -> bool {
        !matches!(self.phase, Phase::Draining { drained, .. } if drained >= MAX_DRAINED_BYTES)
    }

    /// Returns the round trip of the last answered ping in microseconds; 0 before the first.
    pub fn latency_micros(&self) -> u32 {
        self.keepalive.latency_micros()
    }

    /// Returns the bytes of memory that a partial message takes; 0 if there is none.
    pub fn partial_bytes(&self) -> usize {
        self.receiver.partial_bytes()
    }

    /// Returns whether a message has been received in part.
    pub fn has_partial(&self) -> bool {
        self.receiver.has_partial()
    }

    /// Returns when the close handshake must be complete; [`Time::NEVER`] while the connection is open.
    pub fn close_deadline(&self) -> Time {
        match self.phase {
            Phase::Open { .. } => Time::NEVER,
            Phase::Closing { until, .. } | Phase::Draining { until, .. } => until,
        }
    }

    /// Copies the bytes that the last read left over to the start of `buffer`, and returns their number. Read the next
    /// bytes after them. `buffer` must have room for [`MAX_HEADER`](crate::frame::MAX_HEADER) +
    /// [`MAX_CONTROL`](crate::frame::MAX_CONTROL) bytes more than one read.
    pub fn restore(&mut self, buffer: &mut [u8]) -> usize {
        self.receiver.restore(buffer)
    }

    /// Keeps the restored bytes if nothing could be read after them.
    pub fn keep(&mut self, rest: &[u8]) {
        self.receiver.keep(rest);
    }

    /// Records that bytes arrived: whatever they are, the peer is alive.
    #[inline]
    pub fn handle_bytes(&mut self, now: Time) {
        self.keepalive.handle_bytes(now);
    }

    /// Records that this connection alone was not read until now (see [`ReadPauses::held`]), although it may have bytes:
    /// neither silence nor a partial message that stalled meanwhile is held against the peer.
    pub fn handle_resumed(&mut self, now: Time) {
        self.keepalive.handle_resumed(now);
        self.receiver.handle_resumed(now);
    }

    /// Records that the socket accepted `bytes`. Small writes need not be recorded.
    pub fn handle_written(&mut self, bytes: usize, now: Time) {
        self.keepalive.handle_written(bytes, now);
    }

    /// Records that the socket accepted `bytes` that had waited: the peer takes what is sent to it, so it is alive.
    pub fn handle_drained(&mut self, bytes: usize, now: Time) {
        self.keepalive.handle_bytes(now);
        self.keepalive.handle_written(bytes, now);
    }

    /// Takes the next frame from the front of `input`, and returns its effect. `None` if the rest of `input` is
    /// incomplete, and was kept for the next read, or if it no longer matters.
    // Only the most common case is inlined; its result then stays in registers.
    #[inline(always)]
    pub fn receive<'a>(
        &mut self,
        input: &mut &'a mut [u8],
        config: &ConnectionConfig,
        pauses: &ReadPauses,
    ) -> Option<Received<'a>> {
        if self.is_open()
            && let Some(message) = self.receiver.next_short(input, config.role, &config.messages)
        {
            return match message {
                Ok(message) => Some(message.into()),
                Err(violation) => Some(Received::End(self.fail(violation, config, pauses.now()))),
            };
        }
        self.receive_any(input, config, pauses)
    }

    fn receive_any<'a>(
        &mut self,
        input: &mut &'a mut [u8],
        config: &ConnectionConfig,
        pauses: &ReadPauses,
    ) -> Option<Received<'a>> {
        let (is_open, deflate) = match &mut self.phase {
            Phase::Open { deflate } => (true, *deflate),
            Phase::Closing { deflate, .. } => (false, *deflate),
            Phase::Draining { drained, .. } => {
                let bytes = std::mem::take(input).len();
                *drained = drained.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
                return None;
            }
        };
        match self.receiver.next_of_any(input, config.role, deflate, &config.messages, pauses) {
            Ok(None) => {
                self.receiver.keep(input);
                None
            }
            Ok(Some(Incoming::Pong(_))) => {
                self.keepalive.handle_pong(pauses);
                Some(Received::Ignored)
            }
            Ok(Some(Incoming::Close(code, reason))) => {
                self.drain(config, pauses.now());
                Some(Received::End(if is_open { End::ClosedByPeer(code, reason) } else { End::Agreed }))
            }
            Ok(Some(Incoming::Ping(payload))) if is_open => Some(Received::Ping(payload)),
            Ok(Some(Incoming::Ping(_))) => Some(Received::Ignored),
            // A client delivers the messages that the server sent before it received the close frame. A server has
            // already reported to its application that the client left.
            Ok(Some(message)) if is_open || config.role == Role::Client => Some(message.into()),
            Ok(Some(_)) => Some(Received::Ignored),
            Err(violation) => Some(Received::End(self.fail(violation, config, pauses.now()))),
        }
    }

    /// Ends the connection because of a violation by the peer.
    #[cold]
    pub fn fail(&mut self, violation: Violation, config: &ConnectionConfig, now: Time) -> End<'static> {
        let is_open = self.is_open();
        self.drain(config, now);
        if is_open { End::Violation(violation) } else { End::Agreed }
    }

    /// Begins the close handshake. Returns `true` if a close frame must be sent, `false` if the connection is closing
    /// already.
    #[must_use]
    pub fn close(&mut self, config: &ConnectionConfig, now: Time) -> bool {
        let Phase::Open { deflate } = self.phase else { return false };
        self.phase = Phase::Closing { deflate, until: now + config.close_timeout, is_flushed: false };
        true
    }

    /// Records a ping that is sent without preceding silence, to measure the round trip.
    pub fn handle_ping_sent(&mut self, now: Time) {
        self.keepalive.handle_ping_sent(now);
    }

    /// Returns whether to shut down the write side now: once, after the last frame was sent. `is_flushed`: the send
    /// queue is empty. Call it whenever that may have changed: the close timeout begins then.
    pub fn poll_shutdown(&mut self, is_flushed: bool, config: &ConnectionConfig, now: Time) -> bool {
        let (until, was_flushed, is_draining) = match &mut self.phase {
            Phase::Closing { until, is_flushed, .. } => (until, is_flushed, false),
            Phase::Draining { until, is_shut_down, .. } => (until, is_shut_down, true),
            Phase::Open { .. } => return false,
        };
        if !is_flushed || std::mem::replace(was_flushed, true) {
            return false;
        }
        let was_slow = now + config.close_timeout > *until;
        // A slow peer takes as long again for what the sockets have buffered.
        let timeout = if was_slow { config.close_timeout.max(config.write_timeout) } else { config.close_timeout };
        *until = now + timeout;
        is_draining
    }

    /// Returns what is due now, if anything. Call again after [`Action::Ping`] and [`Action::Pong`].
    /// `blocked_since`: the time since when the peer has accepted none of the bytes that wait for it.
    pub fn handle_timeout(
        &mut self,
        config: &ConnectionConfig,
        pauses: &ReadPauses,
        blocked_since: Option<Time>,
    ) -> Option<Action> {
        let now = pauses.now();
        if self.stalled_since(config, blocked_since).is_some_and(|since| now - since >= config.write_timeout) {
            return Some(Action::Drop(DropReason::WriteTimeout));
        }
        if !self.is_open() {
            let deadline = self.end_deadline(config, blocked_since);
            return (now >= deadline).then_some(Action::Drop(DropReason::CloseTimeout));
        }
        let deadline = self.receiver.deadline(&config.messages, pauses.since());
        if !pauses.is_paused() && deadline.is_some_and(|deadline| now >= deadline) {
            self.drain(config, now);
            return Some(Action::End(Violation::partial_timeout()));
        }
        match self.keepalive.poll(config.role, config.heartbeat, pauses, blocked_since.is_some()) {
            KeepaliveAction::Wait(_) => None,
            KeepaliveAction::Ping => Some(Action::Ping),
            KeepaliveAction::Pong => Some(Action::Pong),
            KeepaliveAction::Dead => Some(Action::Drop(DropReason::Silent)),
        }
    }

    /// Returns when to call [`Connection::handle_timeout`]; [`Time::NEVER`] if nothing will be due. Bytes that arrive
    /// meanwhile only delay this time, unless a message begins ([`Connection::has_partial`]).
    pub fn poll_timeout(&self, config: &ConnectionConfig, pauses: &ReadPauses, blocked_since: Option<Time>) -> Time {
        let mut next = self.end_deadline(config, blocked_since);
        if self.is_open() {
            let is_blocked = blocked_since.is_some();
            next = self.keepalive.poll_timeout(config.role, config.heartbeat, pauses, is_blocked);
            if let Some(deadline) = self.receiver.deadline(&config.messages, pauses.since()) {
                // A deadline that has passed was not enforced, because reading is paused.
                let recheck = pauses.now() + OVERDUE_RECHECK;
                next = next.min(if deadline > pauses.now() { deadline } else { recheck });
            }
        }
        self.stalled_since(config, blocked_since).map_or(next, |since| next.min(since + config.write_timeout))
    }

    /// Returns since when the write timeout runs. A client gives a server that shows life as long as that needs: it reads
    /// nothing while its application takes no messages. A server does not, because what waits takes its memory.
    fn stalled_since(&self, config: &ConnectionConfig, blocked_since: Option<Time>) -> Option<Time> {
        let waits_for_server = config.role == Role::Client && self.is_open();
        let alive = if waits_for_server { self.keepalive.last_alive() } else { Time::ZERO };
        blocked_since.map(|since| since.max(alive))
    }

    /// Returns when the close handshake must be complete. While the last frame waits and the peer accepts bytes, that is
    /// later than [`Connection::close_deadline`], within limits.
    fn end_deadline(&self, config: &ConnectionConfig, blocked_since: Option<Time>) -> Time {
        let until = self.close_deadline();
        let is_open = self.is_open();
        match blocked_since.filter(|_| !is_open) {
            Some(since) => until.max((since + config.close_timeout).min(until + MAX_CLOSE_FLUSH)),
            None => until,
        }
    }

    /// Returns the silence after which a peer is dropped with [`DropReason::Silent`].
    pub fn silence_limit(config: &ConnectionConfig) -> Duration {
        config.heartbeat.saturating_mul(MAX_SILENT_HEARTBEATS)
    }

    fn drain(&mut self, config: &ConnectionConfig, now: Time) {
        self.phase = Phase::Draining { until: now + config.close_timeout, drained: 0, is_shut_down: false };
        // Nothing is decoded from now on.
        self.receiver = Receiver::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn idle_connection_takes_72_bytes() {
        assert_eq!(size_of::<Connection>(), 72);
    }
}
