//! Everything that is sent to one connection, and its end.
//!
//! The rules of a WebSocket connection are in [`halloo_proto::connection`]; this executes the actions they require.

use std::io;
use std::sync::Arc;

use halloo_proto::client_request::ClientRequest;
use halloo_proto::close::{CloseCode, Violation};
use halloo_proto::connection::{Action, Connection as WebSocket, ConnectionConfig, DropReason, End};
use halloo_proto::frame::{self, Opcode, Role};
use halloo_proto::outbox::Pushed;
use halloo_proto::read_pauses::ReadPauses;

use super::broadcast::{Broadcast, Delivered, Delivery as BroadcastDelivery, MAX_COPIED};
use super::budgets::Budgets;
use super::connection::{Connection, State};
use super::keyed_connections::KeyedConnections;
use super::membership::Membership;
use super::outboxes::{CORK, Flushed, Outboxes};
use super::rooms::Rooms;
use super::timers::Timers;
use crate::{Config, Delivery, LeaveReason};

/// The state that is needed to send to a connection or to close it.
#[derive(Debug)]
pub(super) struct Egress {
    pub(super) config: ConnectionConfig,
    pub(super) pauses: ReadPauses,
    pub(super) membership: Membership,
    pub(super) outboxes: Outboxes,
    pub(super) rooms: Rooms,
    pub(super) broadcast: Broadcast,
    pub(super) budgets: Budgets,
    pub(super) timers: Timers,
    pub(super) keyed: KeyedConnections,
    /// Closed connections, to be reaped at the end of the turn.
    pub(super) closed: Vec<u32>,
    /// Connections that have accepted what was read of an HTTP response.
    pub(super) drained: Vec<u32>,
}

impl Egress {
    pub(super) fn new(config: &Config, membership: Membership) -> Egress {
        let memory = Arc::clone(&membership.shared.outbox_bytes);
        Egress {
            config: ConnectionConfig {
                role: Role::Server,
                messages: config.messages,
                heartbeat: config.heartbeat,
                write_timeout: config.write_timeout,
                close_timeout: config.close_timeout,
            },
            pauses: ReadPauses::default(),
            membership,
            outboxes: Outboxes::new(config.outbox, Arc::clone(&memory)),
            rooms: Rooms::new(config),
            broadcast: Broadcast::new(config.compression),
            budgets: Budgets::new(config, memory),
            timers: Timers::default(),
            keyed: KeyedConnections::default(),
            closed: Vec::new(),
            drained: Vec::new(),
        }
    }

    /// Sends the response to a WebSocket handshake and makes the connection a client, which said `request`. With `deflate`,
    /// the client may send compressed messages.
    pub(super) fn join(&mut self, connection: &mut Connection, deflate: bool, response: &[u8], request: ClientRequest) {
        if let Err(error) = self.outboxes.write_response(connection, response, self.pauses.now()) {
            return self.handle_io_error(connection, &error);
        }
        self.budgets.release(connection);
        connection.state = State::WebSocket(WebSocket::open(deflate, self.pauses.now()));
        self.broadcast.join(connection);
        if let Some(room) = request.room() {
            // Admission has checked the limits, so that there is no error.
            let _ = self.rooms.join(connection.slot, room);
        }
        let rooms = self.rooms.names_of(connection.slot);
        self.membership.join(connection, request, rooms);
        self.schedule(connection);
    }

    /// Before something is sent to this client alone: sends it the broadcasts of this turn first, so that it receives
    /// everything in order. Returns `false`, having done nothing, when they must be delivered to all clients first.
    #[inline]
    #[must_use]
    pub(super) fn sync_broadcasts(&mut self, connection: &mut Connection) -> bool {
        self.broadcast.is_empty() || self.send_missing_broadcasts(connection)
    }

    fn send_missing_broadcasts(&mut self, connection: &mut Connection) -> bool {
        if !self.broadcast.is_for(connection.slot, &self.rooms) {
            return true;
        }
        let Some(missing) = self.broadcast.take_missing(connection) else { return false };
        if missing.is_empty() {
        } else if connection.is_blocked() {
            let pushed = self.outboxes.push(connection, missing);
            self.handle_pushed(connection, pushed);
        } else {
            self.outboxes.cork(connection).extend_from_slice(missing);
        }
        true
    }

    /// Sends one message to an open client that has every broadcast.
    #[inline]
    pub(super) fn send(&mut self, connection: &mut Connection, opcode: Opcode, payload: &[u8]) -> Delivery {
        if connection.compressed || connection.is_blocked() {
            let mut bytes = Vec::with_capacity(payload.len() + frame::MAX_HEADER);
            match connection.compressed {
                true => self.broadcast.encode_compressed(&mut bytes, opcode, payload),
                false => frame::encode(&mut bytes, opcode, payload, None),
            }
            return self.send_encoded(connection, &bytes);
        }
        frame::encode(self.outboxes.cork(connection), opcode, payload, None);
        self.flush_if_full(connection);
        Delivery::Queued
    }

    /// Sends an encoded frame, as it is, to an open client that has every broadcast.
    pub(super) fn send_encoded(&mut self, connection: &mut Connection, bytes: &[u8]) -> Delivery {
        if connection.is_blocked() {
            let pushed = self.outboxes.push(connection, bytes);
            return self.handle_pushed(connection, pushed);
        }
        self.outboxes.cork(connection).extend_from_slice(bytes);
        self.flush_if_full(connection);
        Delivery::Queued
    }

    #[inline]
    fn flush_if_full(&mut self, connection: &mut Connection) {
        if connection.outbox.as_ref().is_some_and(|outbox| outbox.bytes() >= CORK) {
            self.flush(connection);
        }
    }

    fn handle_pushed(&mut self, connection: &mut Connection, pushed: Pushed) -> Delivery {
        match pushed {
            Pushed::Queued => Delivery::Queued,
            Pushed::Dropped(messages) => {
                self.count_dropped(connection, messages);
                Delivery::Backpressure
            }
            Pushed::Overflow(refused) => {
                self.cut_off(connection, refused);
                Delivery::Backpressure
            }
        }
    }

    fn count_dropped(&mut self, connection: &mut Connection, messages: u64) {
        self.outboxes.count_dropped(connection, messages);
        self.membership.shared.count_dropped(messages);
    }

    /// Delivers the broadcasts of the turn to one connection. If more may follow in this turn, they are `corked`.
    pub(super) fn deliver_broadcasts(
        &mut self,
        connection: &mut Connection,
        delivery: &mut BroadcastDelivery,
        corked: bool,
    ) {
        if !connection.is_open() || !delivery.lacks(connection) {
            return;
        }
        if !connection.is_blocked() && !connection.is_flushed() && !delivery.fits_behind_cork(connection) {
            self.flush(connection);
            if !connection.is_open() {
                return;
            }
        }
        match delivery.deliver(connection, &mut self.outboxes, corked, self.pauses.now()) {
            // Corked for a thousand clients at once, more would take much memory.
            Ok(Delivered::Written) if corked && is_corked_full(connection) => self.flush(connection),
            Ok(Delivered::Written) => {}
            Ok(Delivered::Blocked) => self.handle_blocked(connection),
            Ok(Delivered::Pushed(pushed)) => {
                self.handle_pushed(connection, pushed);
            }
            Err(error) => self.handle_io_error(connection, &error),
        }
    }

    /// Closes a client that is too slow for its messages. `refused` messages were not queued and count as dropped.
    pub(super) fn cut_off(&mut self, connection: &mut Connection, refused: u64) {
        let cut = self.outboxes.cut(connection);
        self.count_dropped(connection, cut + refused);
        self.close(connection, CloseCode::TryAgainLater, "too slow", LeaveReason::TooSlow);
    }

    /// Begins the close handshake with a client that has every broadcast, unless it is closing already. It is no longer
    /// a client afterwards.
    pub(super) fn close(&mut self, connection: &mut Connection, code: CloseCode, text: &str, reason: LeaveReason) {
        let (config, now) = (self.config, self.pauses.now());
        if !connection.websocket().is_some_and(|websocket| websocket.close(&config, now)) {
            return;
        }
        self.outboxes.send_close_frame(connection, code, text);
        self.leave(connection, code, reason);
        self.schedule(connection);
    }

    /// Handles the end of a WebSocket: sends a close frame, unless one was sent before.
    pub(super) fn handle_end(&mut self, connection: &mut Connection, end: End<'_>) {
        match end {
            End::ClosedByPeer(code, reason) => {
                self.outboxes.send_close_frame(connection, code, "");
                self.leave(connection, code, LeaveReason::Closed(reason.to_owned()));
            }
            End::Violation(Violation { code, reason }) => {
                if connection.is_blocked() {
                    // Its messages may take it longer than it has to receive the close frame.
                    let cut = self.outboxes.cut(connection);
                    self.count_dropped(connection, cut);
                }
                self.outboxes.send_close_frame(connection, code, &reason);
                self.leave(connection, code, LeaveReason::Violation(reason));
            }
            End::Agreed => {}
        }
        self.drain_and_close(connection);
    }

    /// Closes a client for a violation that the core did not detect.
    pub(super) fn fail(&mut self, connection: &mut Connection, violation: Violation) {
        let (config, now) = (self.config, self.pauses.now());
        let Some(websocket) = connection.websocket() else { return };
        let end = websocket.fail(violation, &config, now);
        self.handle_end(connection, end);
    }

    /// Sends the response to a request head and closes: no handshake follows.
    pub(super) fn respond_and_close(&mut self, connection: &mut Connection, response: &[u8]) {
        self.budgets.release(connection);
        connection.state = State::WebSocket(WebSocket::draining(&self.config, self.pauses.now()));
        match self.outboxes.write_response(connection, response, self.pauses.now()) {
            Ok(_) => self.drain_and_close(connection),
            Err(error) => self.handle_io_error(connection, &error),
        }
    }

    /// Sends the next bytes of an HTTP response to a connection whose outbox is empty.
    pub(super) fn send_response(&mut self, connection: &mut Connection, bytes: &[u8]) {
        match self.outboxes.write_response(connection, bytes, self.pauses.now()) {
            Ok(Flushed::All) => {}
            Ok(Flushed::Blocked) => self.schedule(connection),
            Err(error) => self.handle_io_error(connection, &error),
        }
    }

    /// After the last frame: discards what was received, and shuts down the socket once everything is written.
    fn drain_and_close(&mut self, connection: &mut Connection) {
        connection.unread = None;
        self.budgets.release(connection);
        self.schedule(connection);
        self.shut_down_if_drained(connection);
    }

    fn leave(&mut self, connection: &mut Connection, code: CloseCode, reason: LeaveReason) {
        self.broadcast.leave(connection);
        self.keyed.close(connection.slot as usize);
        let rooms = self.rooms.leave_all(connection.slot);
        self.membership.leave(connection, code, reason, rooms);
    }

    /// Closes the socket at the end of the turn. If it is a client, it leaves for this `reason`.
    pub(super) fn drop(&mut self, connection: &mut Connection, reason: LeaveReason) {
        if connection.is_closed() {
            return;
        }
        if connection.is_open() {
            self.leave(connection, CloseCode::Abnormal, reason);
        }
        self.budgets.release(connection);
        self.membership.remove(connection.ip());
        connection.state = State::Closed;
        (connection.unread, connection.outbox) = (None, None);
        self.closed.push(connection.slot);
    }

    pub(super) fn handle_io_error(&mut self, connection: &mut Connection, error: &io::Error) {
        self.drop(connection, LeaveReason::Lost(error.to_string()));
    }

    /// Writes what is corked for `connection`.
    #[inline]
    pub(super) fn flush(&mut self, connection: &mut Connection) {
        if connection.is_blocked() || connection.is_closed() {
            return;
        }
        match self.outboxes.flush(connection, self.pauses.now()) {
            Ok(Flushed::All) => self.shut_down_if_drained(connection),
            Ok(Flushed::Blocked) => self.schedule(connection),
            Err(error) => self.handle_io_error(connection, &error),
        }
    }

    /// Handles that the socket does not accept all of a broadcast.
    fn handle_blocked(&mut self, connection: &mut Connection) {
        if let Some(outbox) = &mut connection.outbox {
            outbox.handle_blocked(self.pauses.now());
        }
        self.schedule(connection);
    }

    /// Handles that the socket accepts bytes again.
    pub(super) fn handle_writable(&mut self, connection: &mut Connection) {
        if connection.is_closed() {
            return;
        }
        if let Err(error) = connection.stream.handle_writable() {
            return self.handle_io_error(connection, &error);
        }
        if !connection.is_blocked() {
            return;
        }
        match self.outboxes.write_backlog(connection, self.pauses.now()) {
            Ok(Flushed::All) if connection.pending().is_some() => self.drained.push(connection.slot),
            Ok(Flushed::All) => self.shut_down_if_drained(connection),
            Ok(Flushed::Blocked) => {}
            Err(error) => self.handle_io_error(connection, &error),
        }
    }

    #[inline]
    fn shut_down_if_drained(&mut self, connection: &mut Connection) {
        let (is_flushed, now) = (connection.is_flushed(), self.pauses.now());
        if connection.websocket().is_some_and(|websocket| websocket.poll_shutdown(is_flushed, &self.config, now)) {
            // An error means that the peer is gone already, which the next read finds out.
            let _ = connection.stream.shutdown();
        }
    }

    /// Sets the timer of `connection` to its next deadline.
    pub(super) fn schedule(&mut self, connection: &mut Connection) {
        let blocked_since = connection.blocked_since();
        let due = match &connection.state {
            State::Pending(pending) => pending.poll_timeout(blocked_since, self.config.write_timeout),
            State::WebSocket(websocket) => {
                websocket.poll_timeout(&self.config, &self.pauses_of(connection), blocked_since)
            }
            State::Closed => return,
        };
        self.timers.schedule(connection, due);
    }

    /// Returns the clock of `connection`, which may be held.
    fn pauses_of(&self, connection: &Connection) -> ReadPauses {
        if connection.held { self.pauses.held() } else { self.pauses }
    }

    /// Executes the actions that are due for `connection`. If it is a client, it must have every broadcast.
    pub(super) fn handle_timeout(&mut self, connection: &mut Connection) {
        // The system wakes the poll only when much of its buffer is free, which may take longer than the write timeout.
        self.handle_writable(connection);
        loop {
            let (blocked_since, pauses) = (connection.blocked_since(), self.pauses_of(connection));
            let action = match &mut connection.state {
                State::Pending(pending) => {
                    let due = pending.poll_timeout(blocked_since, self.config.write_timeout);
                    (self.pauses.now() >= due).then_some(Action::Drop(DropReason::CloseTimeout))
                }
                State::WebSocket(websocket) => websocket.handle_timeout(&self.config, &pauses, blocked_since),
                State::Closed => return,
            };
            match action {
                None => return self.schedule(connection),
                Some(Action::Ping) => self.send_control(connection, Opcode::Ping, b""),
                Some(Action::Pong) => self.send_control(connection, Opcode::Pong, b""),
                Some(Action::End(violation)) => return self.handle_end(connection, End::Violation(violation)),
                Some(Action::Drop(_)) => return self.drop(connection, LeaveReason::TimedOut),
            }
        }
    }

    /// Sends a control frame to an open client that has every broadcast.
    pub(super) fn send_control(&mut self, connection: &mut Connection, opcode: Opcode, payload: &[u8]) {
        if connection.is_open() {
            self.outboxes.send_control(connection, opcode, payload);
        }
    }
}

/// Returns whether enough broadcasts are corked for `connection` to write them before the end of the turn.
fn is_corked_full(connection: &Connection) -> bool {
    connection.outbox.as_ref().is_some_and(|outbox| outbox.bytes() >= 4 * MAX_COPIED)
}
