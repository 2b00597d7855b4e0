//! One accepted socket and its state. Small, because there are thousands.

use std::io;
use std::net::{IpAddr, SocketAddr};

use halloo_proto::Time;
use halloo_proto::connection::Connection as WebSocket;
use halloo_proto::outbox::Outbox;
use halloo_proto::read_budget::ReadBudget;
use mio::net::TcpStream;

use super::deadline_queue::Tick;
use super::pending::Pending;
use crate::ClientId;
use crate::stream::Stream;
use crate::writing::{MIN_RECORDED_WRITE, write_backlog};

/// Maximum bytes read before a socket is closed, so that a peer that keeps sending does not delay that.
const MAX_FINAL_BYTES: usize = 1024 * 1024;

/// The phase of a connection.
#[derive(Debug)]
pub(super) enum State {
    /// A request head is arriving, or its HTTP response is being sent.
    Pending(Box<Pending>),
    /// A WebSocket, or a socket whose last bytes are being sent.
    WebSocket(WebSocket),
    /// The socket is to be closed at the end of the turn.
    Closed,
}

/// The rest of a read, from `start` on, that did not fit into the read budget of the turn.
#[derive(Debug)]
pub(super) struct Unread {
    pub(super) bytes: Vec<u8>,
    pub(super) start: usize,
}

/// Messages that were dropped because the client was too slow.
#[derive(Debug, Default)]
pub(super) struct Drops {
    pub(super) messages: u64,
    /// How many of them no event has reported yet.
    pub(super) unreported: u64,
}

/// One accepted socket.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(super) stream: Stream,
    pub(super) peer: SocketAddr,
    pub(super) state: State,
    /// The client that this connection is or was; meaningless while it is pending.
    pub(super) client: ClientId,
    /// Its place in the table.
    pub(super) slot: u32,
    /// The tick of its live timer.
    pub(super) timer: Tick,
    /// Bytes of its partial message, or of its head and TLS handshake while it is pending, that are counted in a total; up
    /// to 4 GiB.
    pub(super) tracked_bytes: u32,
    pub(super) unread: Option<Box<Unread>>,
    pub(super) outbox: Option<Box<Outbox>>,
    /// The position of this client in the stream of all broadcasts. A position before this turn means that it lacks all
    /// broadcasts of the turn.
    pub(super) offset: u64,
    /// `None` while nothing was dropped.
    pub(super) drops: Option<Box<Drops>>,
    /// What its events in the queue of the application count, in the unit of [`EventShares`](super::event_shares).
    pub(super) queued: u16,
    /// Whether messages to this client may be compressed.
    pub(super) compressed: bool,
    /// Whether it is not read for now; see [`Holds`](super::holds::Holds).
    pub(super) held: bool,
}

impl Connection {
    pub(super) fn new(socket: TcpStream, peer: SocketAddr, slot: usize, arrival: u64, deadline: Time) -> Connection {
        Connection {
            stream: Stream::plain(socket),
            peer,
            state: State::Pending(Box::new(Pending::new(arrival, deadline))),
            client: ClientId(0),
            // A slot is an index of open sockets, far below 2^32.
            slot: slot as u32,
            timer: Tick::NEVER,
            tracked_bytes: 0,
            unread: None,
            outbox: None,
            offset: 0,
            drops: None,
            queued: 0,
            compressed: false,
            held: false,
        }
    }

    pub(super) fn ip(&self) -> IpAddr {
        self.peer.ip()
    }

    /// Returns whether this is a client: its handshake is complete, and neither side has closed.
    #[inline]
    pub(super) fn is_open(&self) -> bool {
        matches!(&self.state, State::WebSocket(websocket) if websocket.is_open())
    }

    pub(super) fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// Returns whether our close frame or last bytes were sent and the peer's end is awaited.
    pub(super) fn is_ending(&self) -> bool {
        matches!(&self.state, State::WebSocket(websocket) if !websocket.is_open())
    }

    pub(super) fn pending(&mut self) -> Option<&mut Pending> {
        match &mut self.state {
            State::Pending(pending) => Some(pending),
            State::WebSocket(_) | State::Closed => None,
        }
    }

    /// Returns whether a part of its request head has arrived, and more is awaited.
    pub(super) fn has_partial_head(&self) -> bool {
        matches!(&self.state, State::Pending(pending) if !pending.head.is_empty())
    }

    /// Removes and returns what has arrived of a request together with an earlier one, to which it is the time to respond.
    pub(super) fn take_pipelined(&mut self) -> Option<Vec<u8>> {
        let pending = self.pending()?;
        std::mem::take(&mut pending.has_pipelined).then(|| std::mem::take(&mut pending.head))
    }

    #[inline]
    pub(super) fn websocket(&mut self) -> Option<&mut WebSocket> {
        match &mut self.state {
            State::WebSocket(websocket) => Some(websocket),
            State::Pending(_) | State::Closed => None,
        }
    }

    /// Returns whether to read from the socket: not while it waits for an HTTP response, nor when it is closed or keeps
    /// sending after its last frame.
    pub(super) fn wants_read(&self) -> bool {
        match &self.state {
            State::Pending(pending) => pending.awaits_request(),
            State::WebSocket(websocket) => websocket.wants_read(),
            State::Closed => false,
        }
    }

    /// Returns whether it is a kept connection that waits for another HTTP request.
    pub(super) fn is_idle(&self) -> bool {
        matches!(&self.state, State::Pending(pending) if pending.is_idle)
    }

    /// Returns whether its first request is expected, or one that has begun to arrive.
    pub(super) fn wants_handshake(&self) -> bool {
        matches!(&self.state, State::Pending(pending) if !pending.is_idle)
    }

    /// Returns when the handshake or the close handshake must be complete; [`Time::NEVER`] for a client.
    pub(super) fn deadline(&self) -> Time {
        match &self.state {
            State::Pending(pending) => pending.deadline,
            State::WebSocket(websocket) => websocket.close_deadline(),
            State::Closed => Time::NEVER,
        }
    }

    /// Returns whether the socket does not accept bytes that wait for it.
    #[inline]
    pub(super) fn is_blocked(&self) -> bool {
        self.outbox.as_ref().is_some_and(|outbox| outbox.is_blocked())
    }

    pub(super) fn blocked_since(&self) -> Option<Time> {
        self.outbox.as_ref().and_then(|outbox| outbox.blocked_since())
    }

    pub(super) fn is_flushed(&self) -> bool {
        self.outbox.as_ref().is_none_or(|outbox| outbox.is_empty())
    }

    /// Records that the socket accepted `bytes` of frames.
    #[inline]
    pub(super) fn handle_written(&mut self, bytes: usize, now: Time) {
        if bytes >= MIN_RECORDED_WRITE
            && let Some(websocket) = self.websocket()
        {
            websocket.handle_written(bytes, now);
        }
    }

    /// Writes the backlog as far as the socket accepts it.
    pub(super) fn write_backlog(&mut self, now: Time) -> io::Result<()> {
        let Some(outbox) = &mut self.outbox else { return Ok(()) };
        let written = write_backlog(&mut self.stream, outbox)?;
        if written > 0 {
            outbox.handle_blocked(now);
            if let Some(websocket) = self.websocket() {
                websocket.handle_drained(written, now);
            }
        }
        Ok(())
    }

    /// Writes the backlog and `last` behind it, if the socket accepts them now, and shuts it down.
    pub(super) fn write_last(&mut self, last: &[u8], now: Time) -> io::Result<()> {
        self.write_backlog(now)?;
        if self.is_blocked() {
            return Ok(());
        }
        let mut bytes = self.outbox.take().map(|mut outbox| std::mem::take(outbox.cork())).unwrap_or_default();
        bytes.extend_from_slice(last);
        self.stream.write_some(&bytes)?;
        self.stream.shutdown()?;
        // Closing a socket with unread bytes resets the connection, and the peer may not see the last frame.
        let (mut unread, mut budget) = ([0; 16 * 1024], ReadBudget::with_bytes(MAX_FINAL_BYTES));
        while budget.may_read() && self.stream.read(&mut unread, &mut budget)? > 0 {}
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn connection_takes_at_most_168_bytes() {
        // Rarely used state belongs in a box: ten thousand clients pay for every byte here. The socket is not counted,
        // because mio makes it larger in debug builds.
        let bytes = size_of::<Connection>() - size_of::<TcpStream>();
        assert!(bytes <= 168, "{bytes} bytes");
    }
}
