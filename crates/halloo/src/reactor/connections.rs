//! Who is connected, and what goes out to them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use halloo_proto::Time;
use halloo_proto::close::CloseCode;
use halloo_proto::frame::{self, Opcode};
use halloo_proto::message::MessageLimits;
use halloo_proto::outbox::{Frames, Outbox, OutboxLimits, Pushed};
use halloo_proto::read_pauses::ReadPauses;
use slab::Slab;

use super::addresses::Addresses;
use super::compression::Compression;
use super::connection::{Connection, Phase};
use super::log::Log;
use super::wheel::Wheel;
use crate::shared::Shared;
use crate::{ClientId, ClientStatus, Config, Delivery, Event, LeaveReason};

/// Bytes corked for one client, or logged for all, before they go out within a turn; also what a pooled buffer keeps.
pub(super) const CORK: usize = 64 * 1024;
/// Outboxes kept for reuse, so that a turn allocates nothing.
const POOLED: usize = 64;

/// The table of connections and everything that sends.
pub(crate) struct Connections {
    pub(crate) table: Slab<Connection>,
    pub(crate) now: Time,
    pub(super) addresses: Addresses,
    /// The slot of the client that is heard at the moment: who answers it at once need not search.
    pub(super) heard: usize,
    /// Messages that came and went since the counts were last published.
    pub(super) received: u64,
    pub(super) sent: u64,
    /// Events that sending and leaving caused, not told yet.
    pub(crate) events: VecDeque<Event<'static>>,
    pub(crate) wheel: Wheel,
    pub(crate) shared: Arc<Shared>,
    limits: OutboxLimits,
    max_outbox_bytes_total: usize,
    pub(super) write_timeout: Duration,
    pub(super) close_timeout: Duration,
    pub(super) max_partial_bytes_total: usize,
    pub(super) messages: MessageLimits,
    pub(super) heartbeat: Duration,
    pub(crate) pauses: ReadPauses,
    /// Connections with something corked.
    dirty: Vec<usize>,
    /// Connections whose drops are not told yet.
    dropping: Vec<usize>,
    /// This turn's broadcasts, encoded once.
    pub(super) log: Log,
    /// Only where messages may be compressed.
    pub(super) compression: Option<Box<Compression>>,
    // Boxed, as a connection keeps them: most connections have none.
    #[expect(clippy::vec_box)]
    pub(super) pool: Vec<Box<Outbox>>,
    pub(super) account: Arc<AtomicUsize>,
    /// Bytes of all messages of which only a part has arrived.
    pub(super) under_way: u64,
}

impl Connections {
    pub(crate) fn new(shared: Arc<Shared>, config: &Config) -> Connections {
        let account = Arc::clone(&shared.outbox_bytes);
        Connections {
            table: Slab::new(),
            now: Time::ZERO,
            addresses: Addresses::default(),
            heard: usize::MAX,
            received: 0,
            sent: 0,
            events: VecDeque::new(),
            wheel: Wheel::default(),
            shared,
            limits: config.outbox,
            max_outbox_bytes_total: config.max_outbox_bytes_total,
            messages: config.messages,
            heartbeat: config.heartbeat,
            write_timeout: config.write_timeout,
            close_timeout: config.close_timeout,
            max_partial_bytes_total: config.max_partial_bytes_total,
            pauses: ReadPauses::default(),
            dirty: Vec::new(),
            dropping: Vec::new(),
            log: Log::default(),
            compression: None,
            pool: Vec::new(),
            account,
            under_way: 0,
        }
    }

    /// Makes a connection a client.
    pub(crate) fn join(&mut self, slot: usize) -> ClientId {
        let client = self.shared.register(slot);
        let mark = self.log_for(slot).end();
        let connection = &mut self.table[slot];
        connection.phase = Phase::Open;
        connection.client = client;
        self.addresses.join(connection.peer.ip());
        // What was broadcast earlier in this turn is not for it.
        connection.mark = mark;
        let (addr, clients) = (connection.peer, self.shared.clients());
        self.count_compressed(slot, true);
        self.events.push_back(Event::ClientJoined { client, addr, clients });
        self.schedule(slot);
        client
    }

    /// Sends one message to one client.
    pub(crate) fn send(&mut self, client: ClientId, opcode: Opcode, payload: &[u8]) -> Delivery {
        let Some(slot) = self.address(client) else { return Delivery::NotConnected };
        if self.table[slot].compressed {
            return self.send_compressed(slot, opcode, payload);
        }
        if self.table[slot].is_blocked() {
            let mut bytes = Vec::with_capacity(payload.len() + frame::MAX_HEADER);
            frame::encode(&mut bytes, opcode, payload, None);
            return self.push(slot, &bytes);
        }
        let cork = self.cork(slot);
        frame::encode(cork, opcode, payload, None);
        self.after_cork(slot)
    }

    /// Sends a frame that another thread encoded.
    pub(crate) fn send_encoded(&mut self, client: ClientId, bytes: &[u8]) -> Delivery {
        let Some(slot) = self.address(client) else { return Delivery::NotConnected };
        match frame::encoded_message(bytes).filter(|_| self.table[slot].compressed) {
            Some((opcode, payload)) => self.send_compressed(slot, opcode, payload),
            None => self.send_bytes(slot, bytes),
        }
    }

    pub(super) fn send_bytes(&mut self, slot: usize, bytes: &[u8]) -> Delivery {
        if self.table[slot].is_blocked() {
            return self.push(slot, bytes);
        }
        self.cork(slot).extend_from_slice(bytes);
        self.after_cork(slot)
    }

    /// Where the client is, ready for a message to it alone.
    fn address(&mut self, client: ClientId) -> Option<usize> {
        let is_heard = |connection: &Connection| connection.client == client && connection.is_open();
        let slot = match self.table.get(self.heard).is_some_and(is_heard) {
            true => self.heard,
            false => self.shared.slot(client)?,
        };
        self.catch_up(slot);
        // What was sent to all may have been too much for it.
        if !self.table.get(slot).is_some_and(Connection::is_open) {
            return None;
        }
        self.sent += 1;
        Some(slot)
    }

    /// Makes the counts visible to other threads: once a read or turn, since once a message would cost as much as
    /// decoding it.
    pub(crate) fn publish_counts(&mut self) {
        self.shared.received.fetch_add(std::mem::take(&mut self.received), Ordering::Relaxed);
        self.shared.sent.fetch_add(std::mem::take(&mut self.sent), Ordering::Relaxed);
    }

    fn after_cork(&mut self, slot: usize) -> Delivery {
        if self.table[slot].outbox.as_ref().is_some_and(|outbox| outbox.bytes() >= CORK) {
            self.flush(slot);
        }
        Delivery::Queued
    }

    pub(super) fn cork(&mut self, slot: usize) -> &mut Vec<u8> {
        let connection = &mut self.table[slot];
        let outbox = connection.outbox.get_or_insert_with(|| self.pool.pop().unwrap_or_default());
        if outbox.is_empty() {
            self.dirty.push(slot);
        }
        outbox.cork()
    }

    /// Puts a control frame of ours in the queue. It is no message, so it is not counted.
    pub(crate) fn control(&mut self, slot: usize, opcode: Opcode, payload: &[u8]) {
        self.catch_up(slot);
        if !self.table.get(slot).is_some_and(Connection::is_open) {
            return;
        }
        let mut bytes = Vec::new();
        frame::encode(&mut bytes, opcode, payload, None);
        if !self.table[slot].is_blocked() {
            self.cork(slot).extend_from_slice(&bytes);
        } else if let Some(outbox) = &mut self.table[slot].outbox {
            // A peer that does not read misses a pong when its outbox is full; the next ping asks again.
            let limits = OutboxLimits { when_full: halloo_proto::outbox::SlowClient::DropNewest, ..self.limits };
            outbox.push(&Frames::new(&bytes, &self.account), 0, &limits);
        }
    }

    /// Queues bytes that are no frame: the answer to a request.
    pub(crate) fn answer(&mut self, slot: usize, bytes: &[u8]) {
        match self.table[slot].stream.write_some(bytes) {
            Ok(taken) if taken == bytes.len() => {}
            Ok(taken) => {
                let frames = Frames::new(&bytes[taken..], &self.account);
                self.table[slot].outbox.get_or_insert_default().push_last(&frames);
                self.blocked(slot);
            }
            Err(error) => self.lose(slot, &error),
        }
    }

    pub(super) fn push(&mut self, slot: usize, bytes: &[u8]) -> Delivery {
        let frames = Frames::new(bytes, &self.account);
        self.push_frames(slot, &frames, 0)
    }

    pub(super) fn push_frames(&mut self, slot: usize, frames: &Arc<Frames>, start: usize) -> Delivery {
        let connection = &mut self.table[slot];
        let Some(outbox) = &mut connection.outbox else { return Delivery::NotConnected };
        match outbox.push(frames, start, &self.limits) {
            Pushed::Queued => {
                self.relieve();
                Delivery::Queued
            }
            Pushed::Dropped(messages) => {
                self.count_dropped(slot, messages);
                Delivery::Backpressure
            }
            Pushed::Overflow(refused) => {
                self.too_slow(slot, refused);
                Delivery::Backpressure
            }
        }
    }

    fn count_dropped(&mut self, slot: usize, messages: u64) {
        if messages == 0 {
            return;
        }
        let drops = self.table[slot].drops.get_or_insert_default();
        if drops.untold == 0 {
            self.dropping.push(slot);
        }
        drops.messages += messages;
        drops.untold += messages;
        self.shared.dropped.fetch_add(messages, Ordering::Relaxed);
    }

    /// Whether there are drops to tell.
    pub(super) fn is_dropping(&self) -> bool {
        !self.dropping.is_empty()
    }

    /// Makes one event of all that was dropped for a client since the last time: nobody is told more often than he
    /// listens, however often messages are dropped.
    pub(super) fn tell_dropped(&mut self) {
        while let Some(slot) = self.dropping.pop() {
            self.tell_dropped_of(slot);
        }
    }

    pub(super) fn tell_dropped_of(&mut self, slot: usize) {
        let Some(connection) = self.table.get_mut(slot) else { return };
        let Some(drops) = &mut connection.drops else { return };
        let (client, messages) = (connection.client, std::mem::take(&mut drops.untold));
        if messages > 0 {
            self.events.push_back(Event::MessagesDropped { client, messages });
        }
    }

    /// When all outboxes together hold too much, the largest is cut.
    fn relieve(&mut self) {
        if self.account.load(Ordering::Relaxed) <= self.max_outbox_bytes_total {
            return;
        }
        let waiting = |c: &Connection| c.outbox.as_ref().map_or(0, |outbox| outbox.weight());
        let largest = self.table.iter().max_by_key(|(_, connection)| waiting(connection));
        match largest.map(|(slot, connection)| (slot, connection.is_open())) {
            Some((slot, true)) => self.too_slow(slot, 0),
            // It left already, and does not take its last words either.
            Some((slot, false)) => self.remove(slot, LeaveReason::TooSlow),
            None => {}
        }
    }

    /// Ends a client that does not take what is sent; `refused` messages were not even queued.
    fn too_slow(&mut self, slot: usize, refused: u64) {
        if let Some(outbox) = &mut self.table[slot].outbox {
            let cut = outbox.cut();
            self.count_dropped(slot, cut + refused);
        }
        self.close(slot, CloseCode::TryAgainLater, "too slow", LeaveReason::TooSlow);
    }

    /// Writes all that this turn has for anybody.
    pub(crate) fn flush_all(&mut self) {
        self.flush_log();
        while let Some(slot) = self.dirty.pop() {
            self.flush(slot);
        }
    }

    /// Writes what is corked for one connection.
    pub(crate) fn flush(&mut self, slot: usize) {
        let Some(connection) = self.table.get_mut(slot) else { return };
        let Some(outbox) = &mut connection.outbox else { return };
        if outbox.is_blocked() {
            return;
        }
        let length = outbox.cork().len();
        match connection.stream.write_some(outbox.cork()) {
            Ok(taken) if taken == length => {
                self.release_outbox(slot);
                self.settle(slot);
            }
            Ok(taken) => {
                outbox.block_cork(taken, &self.account);
                self.blocked(slot);
            }
            Err(error) => self.lose(slot, &error),
        }
    }

    /// The socket takes nothing more for now.
    pub(super) fn blocked(&mut self, slot: usize) {
        if let Some(outbox) = &mut self.table[slot].outbox {
            outbox.handle_blocked(self.now);
        }
        self.schedule(slot);
        self.relieve();
    }

    /// The socket takes bytes again.
    pub(crate) fn handle_writable(&mut self, slot: usize) {
        let Some(connection) = self.table.get_mut(slot) else { return };
        if let Err(error) = connection.stream.handle_writable() {
            return self.lose(slot, &error);
        }
        if !connection.is_blocked() {
            return;
        }
        match connection.write_backlog() {
            Ok(progress) => {
                if let Some(outbox) = connection.outbox.as_mut().filter(|_| progress) {
                    outbox.handle_blocked(self.now);
                }
                if !connection.is_blocked() {
                    self.release_outbox(slot);
                    self.settle(slot);
                }
            }
            Err(error) => self.lose(slot, &error),
        }
    }

    fn release_outbox(&mut self, slot: usize) {
        let connection = &mut self.table[slot];
        if let Some(mut outbox) = connection.outbox.take()
            && self.pool.len() < POOLED
        {
            outbox.reset(CORK);
            self.pool.push(outbox);
        }
    }

    /// Once all is written, an ending connection shuts its side.
    pub(crate) fn settle(&mut self, slot: usize) {
        let connection = &mut self.table[slot];
        let done = connection.outbox.as_ref().is_none_or(|outbox| outbox.is_empty());
        if matches!(connection.phase, Phase::Ending { .. }) && done && !connection.shut {
            connection.shut = true;
            // An error means that the peer is gone already, which the next read finds out.
            let _ = connection.stream.shutdown();
        }
    }

    pub(crate) fn open_slots(&self) -> Vec<usize> {
        self.table.iter().filter(|(_, connection)| connection.is_open()).map(|(slot, _)| slot).collect()
    }

    pub(crate) fn statuses(&self) -> Vec<ClientStatus> {
        let open = self.table.iter().map(|(_, connection)| connection).filter(|connection| connection.is_open());
        open.map(|connection| ClientStatus {
            client: connection.client,
            addr: connection.peer,
            latency_ms: Some(connection.heartbeat.latency_micros())
                .filter(|&micros| micros > 0)
                .map(|micros| f64::from(micros) / 1000.0),
            waiting: connection.outbox.as_ref().map_or(0, |outbox| outbox.messages()),
            dropped: connection.drops.as_ref().map_or(0, |drops| drops.messages),
        })
        .collect()
    }
}
