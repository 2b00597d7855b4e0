//! All connections, and the operations on one of them or on all.

mod client_statuses;
#[cfg(feature = "cluster")]
mod linked;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use halloo_proto::Time;
use halloo_proto::close::{CloseCode, Violation};
use halloo_proto::frame::{self, Opcode};
use halloo_proto::room;

use super::broadcast::{Audience, Delivery as BroadcastDelivery};
use super::budgets::Budgets;
use super::bus::{Bus, BusTarget};
use super::connection::{Connection, State};
use super::connection_table::ConnectionTable;
use super::egress::Egress;
use super::keyed_connections::Waits;
use super::membership::Membership;
use super::timers::Timers;
use crate::shared::Shared;
use crate::{ClientId, Config, Delivery, LeaveReason, Message, RoomError};

/// The table of connections and everything that acts on them.
#[derive(Debug)]
pub(crate) struct Connections {
    pub(super) table: ConnectionTable,
    pub(super) egress: Egress,
    /// What goes to the other nodes of a cluster.
    bus: Bus,
    /// The slot whose messages are being handled: a reply to its client needs no lookup.
    pub(super) receiving: usize,
    /// Messages received and sent since the counters were last published.
    pub(super) received: u64,
    sent: u64,
}

impl Connections {
    pub(super) fn new(shared: Arc<Shared>, config: &Config) -> Connections {
        Connections {
            table: ConnectionTable::default(),
            egress: Egress::new(config, Membership::new(shared)),
            bus: Bus::new(),
            receiving: usize::MAX,
            received: 0,
            sent: 0,
        }
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.egress.membership.shared
    }

    pub(super) fn now(&self) -> Time {
        self.egress.pauses.now()
    }

    /// Runs `act` on the connection in `slot`, if there is one.
    pub(super) fn with(&mut self, slot: usize, act: impl FnOnce(&mut Egress, &mut Connection)) {
        if let Some(connection) = self.table.get_mut(slot) {
            act(&mut self.egress, connection);
        }
    }

    /// Adds an accepted socket and returns how many sockets of its address are not clients.
    pub(super) fn add(&mut self, connection: Connection) -> usize {
        let ip = connection.ip();
        let connection = self.table.insert(connection);
        self.egress.schedule(connection);
        self.egress.membership.add(ip)
    }

    /// Sends one message to one client.
    pub(crate) fn send(&mut self, client: ClientId, opcode: Opcode, payload: &[u8]) -> Delivery {
        let Some(slot) = self.recipient(client) else { return self.send_to_node(client, opcode, payload) };
        let Some(connection) = self.table.get_mut(slot) else { return Delivery::NotConnected };
        let delivery = self.egress.send(connection, opcode, payload);
        self.enforce_outbox_budget();
        delivery
    }

    /// Sends a frame that another thread encoded.
    pub(super) fn send_encoded(&mut self, client: ClientId, bytes: &[u8]) -> Delivery {
        let Some(slot) = self.recipient(client) else { return self.send_encoded_to_node(client, bytes) };
        let Some(connection) = self.table.get_mut(slot) else { return Delivery::NotConnected };
        let delivery = match frame::encoded_message(bytes).filter(|_| connection.compressed) {
            Some((opcode, payload)) => self.egress.send(connection, opcode, payload),
            None => self.egress.send_encoded(connection, bytes),
        };
        self.enforce_outbox_budget();
        delivery
    }

    /// Sends one message to a client of another node, if it is one.
    #[cold]
    fn send_to_node(&mut self, client: ClientId, opcode: Opcode, payload: &[u8]) -> Delivery {
        if !self.is_remote(client) {
            return Delivery::NotConnected;
        }
        self.bus.push(BusTarget::Client(client), opcode, payload);
        Delivery::Queued
    }

    /// Does the same with a frame that another thread encoded.
    #[cold]
    fn send_encoded_to_node(&mut self, client: ClientId, bytes: &[u8]) -> Delivery {
        if !self.is_remote(client) {
            return Delivery::NotConnected;
        }
        self.bus.push_encoded(BusTarget::Client(client), bytes);
        Delivery::Queued
    }

    /// Returns whether `client` is one of another node.
    fn is_remote(&self, client: ClientId) -> bool {
        self.bus.is_linked() && self.shared().node_ids.is_remote(client)
    }

    /// Returns the slot of an open client that has every broadcast so far.
    #[inline]
    fn recipient(&mut self, client: ClientId) -> Option<usize> {
        let is_receiving = |connection: &Connection| connection.client == client && connection.is_open();
        let slot = match self.table.get(self.receiving).is_some_and(is_receiving) {
            true => self.receiving,
            false => self.egress.membership.slot_of(client)?,
        };
        if !self.sync_broadcasts(slot) {
            return None;
        }
        self.sent += 1;
        Some(slot)
    }

    /// Before something is sent to one client alone: sends it the broadcasts of this turn. Returns whether it is open.
    #[inline]
    fn sync_broadcasts(&mut self, slot: usize) -> bool {
        let Some(connection) = self.table.get_mut(slot).filter(|connection| connection.is_open()) else { return false };
        if !self.egress.sync_broadcasts(connection) {
            self.flush_broadcasts();
        }
        // The broadcasts may have been too much for it.
        self.table.get(slot).is_some_and(Connection::is_open)
    }

    /// Sends one message to every client: encoded once, written at the end of the turn.
    pub(crate) fn send_to_all(&mut self, opcode: Opcode, payload: &[u8]) {
        self.begin_broadcast(Audience::All);
        let is_full = self.egress.broadcast.add(opcode, payload);
        self.bus.push(BusTarget::All, opcode, payload);
        self.handle_broadcast(self.shared().clients(), is_full);
    }

    /// Does the same with a frame that another thread encoded.
    pub(super) fn send_encoded_to_all(&mut self, bytes: &[u8]) {
        self.begin_broadcast(Audience::All);
        let is_full = self.egress.broadcast.add_encoded(bytes);
        self.bus.push_encoded(BusTarget::All, bytes);
        self.handle_broadcast(self.shared().clients(), is_full);
    }

    /// Sends one message to every client in a room, in the same way.
    pub(crate) fn send_to_room(&mut self, room: &str, opcode: Opcode, payload: &[u8]) {
        self.bus.push(BusTarget::Room(room), opcode, payload);
        let Some(room) = self.egress.rooms.find(room) else { return };
        self.begin_broadcast(Audience::Room(room));
        let is_full = self.egress.broadcast.add(opcode, payload);
        self.handle_broadcast(self.egress.rooms.members(room).len(), is_full);
    }

    /// Does the same with a frame that another thread encoded.
    pub(super) fn send_encoded_to_room(&mut self, room: &str, bytes: &[u8]) {
        self.bus.push_encoded(BusTarget::Room(room), bytes);
        let Some(room) = self.egress.rooms.find(room) else { return };
        self.begin_broadcast(Audience::Room(room));
        let is_full = self.egress.broadcast.add_encoded(bytes);
        self.handle_broadcast(self.egress.rooms.members(room).len(), is_full);
    }

    /// Counts a peer that was refused.
    pub(super) fn count_refused(&self) {
        self.shared().refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Passes a message of the client in `slot` on to the others in its rooms, or to all others if it is in none.
    // Kept out of the loop over the messages, which is faster without it.
    #[cold]
    #[inline(never)]
    pub(super) fn relay(&mut self, slot: usize, message: &Message<'_>) {
        let (audience, recipients) = self.relay_audience(slot as u32);
        self.begin_broadcast(audience.clone());
        // What came before this message is sent to its sender, which then lacks only this one.
        self.sync_broadcasts(slot);
        // The buffers may have been delivered meanwhile.
        self.begin_broadcast(audience);
        let is_full = self.egress.broadcast.add(message.opcode(), message.bytes());
        self.with(slot, |egress, connection| egress.broadcast.skip(connection));
        self.relay_to_nodes(slot, message);
        self.handle_broadcast(recipients.saturating_sub(1), is_full);
    }

    /// Passes a message of the client in `slot` on to the clients of other nodes in its rooms, or to all.
    fn relay_to_nodes(&mut self, slot: usize, message: &Message<'_>) {
        if !self.bus.is_linked() {
            return;
        }
        let rooms = self.egress.rooms.names_of(slot as u32);
        let target = match rooms.as_slice() {
            [] => BusTarget::All,
            [room] => BusTarget::Room(room),
            rooms => BusTarget::Rooms(rooms),
        };
        self.bus.push(target, message.opcode(), message.bytes());
    }

    /// Returns whom a message of the client in `slot` is for, itself included, and their number.
    fn relay_audience(&self, slot: u32) -> (Audience, usize) {
        let rooms = &self.egress.rooms;
        let mut keys = rooms.keys_of(slot);
        match (keys.next(), keys.next()) {
            (None, _) => (Audience::All, self.shared().clients()),
            (Some(room), None) => (Audience::Room(room), rooms.members(room).len()),
            _ => {
                // A client that is in several of them receives it once.
                let mut slots: Vec<u32> = rooms.keys_of(slot).flat_map(|room| rooms.members(room)).copied().collect();
                slots.sort_unstable();
                slots.dedup();
                let recipients = slots.len();
                (Audience::Clients(slots), recipients)
            }
        }
    }

    /// Before a message to `audience` is added: delivers the broadcasts to others, which come first.
    #[inline]
    fn begin_broadcast(&mut self, audience: Audience) {
        if !self.egress.broadcast.may_add_for(&audience) {
            self.deliver_broadcasts(true);
        }
        self.egress.broadcast.set_audience(audience);
    }

    fn handle_broadcast(&mut self, recipients: usize, is_full: bool) {
        self.sent += recipients as u64;
        if is_full {
            self.flush_broadcasts();
        }
    }

    /// Adds a client to a room. It receives what is sent to the room from now on.
    pub(crate) fn join_room(&mut self, client: ClientId, room: &str) -> Result<(), RoomError> {
        room::check(room)?;
        let slot = self.egress.membership.slot_of(client).ok_or(RoomError::NotConnected)?;
        let Some(key) = self.egress.rooms.join(slot as u32, room)? else { return Ok(()) };
        self.with(slot, |egress, connection| {
            if egress.broadcast.may_add_for(&Audience::Room(key)) {
                egress.broadcast.skip(connection);
            }
        });
        Ok(())
    }

    /// Removes a client from a room. What was sent to the room before is still delivered to it.
    pub(crate) fn leave_room(&mut self, client: ClientId, room: &str) -> Result<(), RoomError> {
        room::check(room)?;
        let slot = self.egress.membership.slot_of(client).ok_or(RoomError::NotConnected)?;
        self.sync_broadcasts(slot);
        if let Some(key) = self.egress.rooms.find(room) {
            self.egress.rooms.leave(slot as u32, key);
        }
        Ok(())
    }

    /// Begins the close handshake with a client. Returns whether it is connected.
    pub(crate) fn disconnect(&mut self, client: ClientId, code: CloseCode, text: &str) -> bool {
        let Some(slot) = self.egress.membership.slot_of(client) else {
            let is_remote = self.is_remote(client);
            if is_remote {
                self.bus.disconnect(client, code, text);
            }
            return is_remote;
        };
        self.close(slot, code, text, LeaveReason::Disconnected(text.to_owned()));
        true
    }

    fn close(&mut self, slot: usize, code: CloseCode, text: &str, reason: LeaveReason) {
        if self.sync_broadcasts(slot) {
            self.with(slot, |egress, connection| egress.close(connection, code, text, reason));
        }
    }

    /// Sends a control frame to an open client.
    pub(super) fn send_control(&mut self, slot: usize, opcode: Opcode, payload: &[u8]) {
        if self.sync_broadcasts(slot) {
            self.with(slot, |egress, connection| egress.send_control(connection, opcode, payload));
        }
    }

    /// Sends a ping to the connection in `slot`, which has a key. Returns what its answer changes; `None` if no answer can be
    /// expected, because it is not read for now.
    pub(super) fn probe(&mut self, slot: usize) -> Option<Waits> {
        let now = self.now();
        let is_read = |connection: &&Connection| connection.is_open() && !connection.held;
        self.table.get(slot).filter(is_read)?;
        let (waits, is_pinged) = self.egress.keyed.ask(slot, now)?;
        if !is_pinged {
            self.send_control(slot, Opcode::Ping, b"");
            if let Some(websocket) = self.table.get_mut(slot).and_then(Connection::websocket) {
                websocket.handle_ping_sent(now);
            }
        }
        Some(waits)
    }

    /// Closes all clients and drops every connection whose handshake is not complete.
    pub(super) fn close_all(&mut self) {
        self.flush_broadcasts();
        for connection in self.table.iter_mut() {
            match connection.state {
                State::Pending(_) => self.egress.drop(connection, LeaveReason::ServerStopped),
                _ => self.egress.close(connection, CloseCode::GoingAway, "server stopped", LeaveReason::ServerStopped),
            }
        }
    }

    /// After a failure of the reactor: sends a close frame to every client that accepts it at once.
    pub(super) fn abandon(&mut self) {
        let mut bytes = Vec::new();
        frame::encode_close(&mut bytes, CloseCode::InternalError, "server failed", None);
        let now = self.now();
        for connection in self.table.iter_mut().filter(|connection| connection.is_open()) {
            // A best effort: the sockets are closed in any case.
            let _ = connection.write_last(&bytes, now);
        }
    }

    /// Counts the partial message of the connection in `slot`. When all partial messages exceed their total, the client
    /// with the largest is cut off.
    #[inline]
    pub(super) fn track_partial(&mut self, slot: usize) {
        let Some(connection) = self.table.get_mut(slot) else { return };
        if self.egress.budgets.track_partial(connection)
            && let Some(largest) = Budgets::largest_partial(&mut self.table)
        {
            let rule = "the clients' partial messages together take too much memory; try again later";
            self.egress.fail(largest, Violation::new(CloseCode::TryAgainLater, rule));
        }
    }

    /// Counts what has arrived of the handshake of the connection in `slot`. When all of them exceed their total, the one
    /// that has the most is dropped.
    pub(super) fn track_pending(&mut self, slot: usize) {
        let Some(connection) = self.table.get_mut(slot) else { return };
        if self.egress.budgets.track_pending(connection)
            && let Some(largest) = Budgets::largest_pending(&mut self.table)
        {
            self.egress.membership.shared.refused.fetch_add(1, Ordering::Relaxed);
            self.egress.drop(largest, LeaveReason::TimedOut);
        }
    }

    /// When all outboxes together exceed their total, the client with the largest is cut off.
    #[inline]
    fn enforce_outbox_budget(&mut self) {
        if self.egress.budgets.outboxes_exceed() {
            self.cut_largest_outbox();
        }
    }

    #[cold]
    fn cut_largest_outbox(&mut self) {
        let Some(slot) = Budgets::largest_outbox(&self.table) else { return };
        let is_open = self.sync_broadcasts(slot);
        self.with(slot, |egress, connection| match is_open {
            true => egress.cut_off(connection, 0),
            // It is closing already, and does not accept its last frame either.
            false => egress.drop(connection, LeaveReason::TooSlow),
        });
    }

    /// Writes everything that this turn has queued for any client.
    pub(super) fn flush_all(&mut self) {
        self.flush_broadcasts();
        while let Some(slot) = self.egress.outboxes.pop_dirty() {
            self.flush(slot as usize);
        }
    }

    /// Writes what is corked for one connection.
    #[inline]
    pub(super) fn flush(&mut self, slot: usize) {
        if let Some(connection) = self.table.get_mut(slot) {
            self.egress.flush(connection);
            self.enforce_outbox_budget();
        }
    }

    /// Handles that the socket of the connection in `slot` accepts bytes again.
    pub(super) fn handle_writable(&mut self, slot: usize) {
        if let Some(connection) = self.table.get_mut(slot) {
            self.egress.handle_writable(connection);
        }
    }

    /// Handles an error of the socket in `slot`, such as a reset. A client that is held is not read, which would find out that it is gone;
    /// and what a pending one has sent, such as the beginning of a TLS handshake, is not worth handling.
    pub(super) fn handle_reset(&mut self, slot: usize) {
        self.with(slot, |egress, connection| {
            if (connection.held || connection.pending().is_some())
                && let Some(error) = connection.stream.take_error()
            {
                egress.handle_io_error(connection, &error);
            }
        });
    }

    /// Writes the turn's broadcasts to every client that lacks them.
    fn flush_broadcasts(&mut self) {
        self.deliver_broadcasts(false);
    }

    /// Does the same, or corks short ones if more may follow in this turn.
    fn deliver_broadcasts(&mut self, corked: bool) {
        if self.egress.broadcast.is_empty() {
            return;
        }
        let mut delivery = self.egress.broadcast.begin();
        match delivery.recipients(&self.egress.rooms) {
            None => (0..self.table.end()).for_each(|slot| self.deliver_to(slot, &mut delivery, corked)),
            Some(slots) => slots.iter().for_each(|&slot| self.deliver_to(slot as usize, &mut delivery, corked)),
        }
        self.egress.broadcast.finish(delivery);
    }

    #[inline]
    fn deliver_to(&mut self, slot: usize, delivery: &mut BroadcastDelivery, corked: bool) {
        if let Some(connection) = self.table.get_mut(slot) {
            self.egress.deliver_broadcasts(connection, delivery, corked);
            self.enforce_outbox_budget();
        }
    }

    /// Returns whether nothing waits for `client`; `None` if there is no such client.
    pub(super) fn is_drained(&self, client: ClientId) -> Option<bool> {
        let connection = self.table.get(self.egress.membership.slot_of(client)?)?;
        Some(connection.is_flushed())
    }

    /// Reports messages that were dropped: one event per client, however many messages that were.
    pub(super) fn report_drops(&mut self) {
        while let Some(slot) = self.egress.outboxes.pop_dropping() {
            self.with(slot as usize, |egress, connection| egress.membership.report_drops(connection));
        }
    }

    /// Handles every connection whose deadline has passed.
    pub(super) fn handle_deadlines(&mut self) {
        while let Some((tick, slots)) = self.egress.timers.pop(self.now()) {
            for slot in slots {
                if let Some(connection) = self.table.get_mut(slot as usize)
                    && Timers::take(connection, tick)
                {
                    self.handle_deadline(slot as usize);
                }
            }
        }
    }

    fn handle_deadline(&mut self, slot: usize) {
        // A ping must come behind the broadcasts of this turn.
        self.sync_broadcasts(slot);
        self.with(slot, Egress::handle_timeout);
    }

    /// Removes every connection that was closed in this turn.
    pub(super) fn reap(&mut self) {
        for slot in self.egress.closed.drain(..) {
            self.table.reap(slot);
        }
    }

    /// Makes the counters visible to other threads: once a turn, because once a message would cost as much as decoding
    /// it.
    pub(super) fn publish_counts(&mut self) {
        let shared = &self.egress.membership.shared;
        shared.received.fetch_add(std::mem::take(&mut self.received), Ordering::Relaxed);
        shared.sent.fetch_add(std::mem::take(&mut self.sent), Ordering::Relaxed);
    }
}
