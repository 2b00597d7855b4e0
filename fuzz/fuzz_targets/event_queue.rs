//! The event queue and its shares, for arbitrary reads, takes, joins and departures: nothing is lost or reordered, what
//! waits is bounded in all and for each client, and every client is read again once the application takes events.

#![cfg_attr(feature = "engine", no_main)]

use std::collections::{BTreeMap, VecDeque};

use halloo_fuzz::fuzz_target;
use halloo_proto::Time;
use halloo_proto::defaults::{
    EVENT_SHARES, EVENT_SHARES_OF_COUNT, MAX_EVENT_SHARE_BYTES, MIN_EVENT_SHARE_BYTES, TURN_BYTES, TURN_MESSAGES,
};
use halloo_proto::limits::EventQueueLimits;

use connection::Connection;
use connection_table::ConnectionTable;
use event_shares::EventShares;
use event_sink::EventSink;
use holds::{Holds, Until};
use product::event::{ClientId, Event, Message};
use product::event_queue::{Batch, EventQueue, PackedEvents};

/// The modules of the product, which are private there.
#[path = "../../crates/halloo/src"]
#[allow(dead_code, unused_imports, unreachable_pub, reason = "the target needs a part of them")]
mod product {
    pub(crate) mod event;
    pub(crate) mod event_queue;
}

#[path = "../../crates/halloo/src/sync.rs"]
mod sync;

#[path = "../../crates/halloo/src/cluster_status.rs"]
#[allow(dead_code, reason = "the target needs a part of it")]
mod cluster_status;

#[path = "../../crates/halloo/src/reactor/event_shares.rs"]
mod event_shares;

#[path = "../../crates/halloo/src/reactor/holds.rs"]
#[allow(dead_code, reason = "the target needs a part of it")]
mod holds;

/// Clients without sockets, in place of those of the reactor.
mod connection {
    use halloo_proto::Time;

    use super::ClientId;

    pub(crate) struct WebSocket;

    impl WebSocket {
        pub(crate) fn handle_resumed(&mut self, _: Time) {}
    }

    pub(crate) struct Connection {
        pub(crate) client: ClientId,
        pub(crate) slot: u32,
        pub(crate) queued: u16,
        pub(crate) held: bool,
    }

    impl Connection {
        pub(crate) fn is_open(&self) -> bool {
            true
        }

        pub(crate) fn websocket(&mut self) -> Option<&mut WebSocket> {
            None
        }
    }
}

mod connection_table {
    use super::Connection;

    pub(crate) struct ConnectionTable(pub(crate) Vec<Connection>);

    impl ConnectionTable {
        pub(crate) fn get_mut(&mut self, slot: usize) -> Option<&mut Connection> {
            self.0.get_mut(slot)
        }
    }
}

/// The part of the reactor's event sink that holds use.
mod event_sink {
    use super::{Connection, ConnectionTable, EventQueue, EventQueueLimits, EventShares, PackedEvents};

    pub(crate) struct EventSink {
        pub(crate) queue: EventQueue<PackedEvents>,
        pub(crate) batch: PackedEvents,
        pub(crate) shares: EventShares,
    }

    impl EventSink {
        pub(crate) fn new(limits: EventQueueLimits) -> EventSink {
            let (queue, batch) = (EventQueue::new(limits), PackedEvents::default());
            EventSink { queue, batch, shares: EventShares::new(limits) }
        }

        pub(crate) fn watch(&mut self, table: &mut ConnectionTable) {
            self.shares.handle_released(self.queue.progress(true).released, table);
        }

        pub(crate) fn has_room_for(&self, connection: &Connection) -> bool {
            self.shares.has_room(connection)
        }
    }
}

const CLIENTS: usize = 4;
/// Steps of one input: enough to fill a queue twice.
const MAX_STEPS: usize = 128;
/// As in the reactor: the events and bytes at which a batch is published before the end of the turn.
const PUBLISH_EVENTS: usize = 16;
const PUBLISH_BYTES: usize = 64 * 1024;

fuzz_target!(|bytes: &[u8]| {
    let Some(([events, size], steps)) = bytes.split_first_chunk() else { return };
    let limits = EventQueueLimits {
        max_events: 16 + 64 * usize::from(*events),
        max_bytes: (1 + usize::from(*size)) * 64 * 1024,
    };
    let mut model = Model::new(limits);
    for step in steps.as_chunks::<3>().0.iter().take(MAX_STEPS) {
        model.step(*step);
    }
    model.finish();
});

/// A reactor with clients that always have more to send, its application, and what must come out.
struct Model {
    limits: EventQueueLimits,
    table: ConnectionTable,
    sink: EventSink,
    holds: Holds,
    paused: bool,
    next_client: u64,
    next_message: u32,
    /// What messages are made of: the number of the message, then zeros.
    payload: Vec<u8>,
    /// The messages that were read and not taken: client, number, length.
    expected: VecDeque<(ClientId, u32, usize)>,
    /// What each client has in `expected`, events and bytes.
    waiting: BTreeMap<ClientId, (usize, usize)>,
    waiting_bytes: usize,
}

impl Model {
    fn new(limits: EventQueueLimits) -> Model {
        let connection =
            |slot| Connection { client: ClientId(slot as u64 + 1), slot: slot as u32, queued: 0, held: false };
        Model {
            limits,
            table: ConnectionTable((0..CLIENTS).map(connection).collect()),
            sink: EventSink::new(limits),
            holds: Holds::default(),
            paused: false,
            next_client: CLIENTS as u64 + 1,
            next_message: 0,
            payload: vec![0; TURN_BYTES],
            expected: VecDeque::new(),
            waiting: BTreeMap::new(),
            waiting_bytes: 0,
        }
    }

    fn step(&mut self, [what, count, size]: [u8; 3]) {
        let slot = usize::from(what >> 4) % CLIENTS;
        match what & 7 {
            0..=3 => self.read(slot, 1 + usize::from(count), usize::from(size) << ((what & 3) * 3)),
            // Until the queue is empty, if that is earlier.
            4 | 5 => _ = (0..=usize::from(count) << (what & 4)).all(|_| self.take()),
            6 => self.finish_turn(),
            _ => {
                // It leaves, and the next client gets its slot.
                let client = ClientId(self.next_client);
                self.next_client += 1;
                self.table.0[slot] = Connection { client, slot: slot as u32, queued: 0, held: false };
            }
        }
    }

    /// Reads up to `count` messages of `size` bytes, as many as one turn allows.
    fn read(&mut self, slot: usize, count: usize, size: usize) {
        let connection = &mut self.table.0[slot];
        if self.paused || connection.held {
            return;
        }
        let client = connection.client;
        if self.sink.shares.is_exceeded(connection) {
            return self.holds.add(connection, Until::EventsTaken);
        }
        let size = size.clamp(4, TURN_BYTES);
        let count = count.min(TURN_BYTES / size).min(TURN_MESSAGES);
        let before = (self.sink.batch.len(), self.sink.batch.payload_bytes());
        for _ in 0..count {
            self.payload[..4].copy_from_slice(&self.next_message.to_be_bytes());
            self.sink.batch.push_message(client, Message::from(&self.payload[..size]));
            self.expected.push_back((client, self.next_message, size));
            self.next_message += 1;
        }
        let waiting = self.waiting.entry(client).or_default();
        (waiting.0, waiting.1) = (waiting.0 + count, waiting.1 + count * size);
        self.waiting_bytes += count * size;
        let events = self.sink.batch.len();
        let bytes = self.sink.batch.payload_bytes() - before.1;
        assert_eq!((events - before.0, bytes), (count, count * size), "the batch counts what was pushed");
        self.sink.shares.charge(&mut self.table.0[slot], count, bytes, events);
        self.check_bounds(client);
        if events >= PUBLISH_EVENTS || self.sink.batch.payload_bytes() >= PUBLISH_BYTES {
            self.publish();
        }
    }

    fn publish(&mut self) {
        let events = self.sink.batch.len();
        if events > 0 {
            let progress = self.sink.queue.push(&mut self.sink.batch);
            self.sink.shares.handle_published(events, progress.released, &mut self.table);
            self.paused |= progress.paused;
        }
        assert_eq!(self.sink.queue.len(), self.expected.len(), "events are counted");
    }

    fn finish_turn(&mut self) {
        self.publish();
        self.holds.release(&mut self.table, &mut self.sink, Time::ZERO);
        let is_held = self.table.0.iter().any(|connection| connection.held);
        assert!(!is_held || !self.expected.is_empty(), "held although the application has taken everything");
    }

    /// Takes an event as the application does, and wakes the reactor if the queue says so. Returns whether there was one.
    fn take(&mut self) -> bool {
        let taken = self.sink.queue.try_next();
        let found = taken.event.is_some();
        match taken.event {
            Some(Event::MessageReceived { client, message }) => {
                let number = u32::from_be_bytes(message.bytes()[..4].try_into().expect("four bytes"));
                let expected = self.expected.pop_front();
                assert_eq!(Some((client, number, message.bytes().len())), expected, "lost or out of order");
                let waiting = self.waiting.get_mut(&client).expect("it was read");
                (waiting.0, waiting.1) = (waiting.0 - 1, waiting.1 - message.bytes().len());
                self.waiting_bytes -= message.bytes().len();
            }
            Some(other) => panic!("an event that no client sent: {other:?}"),
            None => assert_eq!(self.expected.len(), self.sink.batch.len(), "only what is not published is missing"),
        }
        if taken.resume {
            self.paused &= self.sink.queue.progress(false).paused;
            self.finish_turn();
        }
        found
    }

    /// Checks that what waits is within the limits and the share of `client`, apart from one read and one batch.
    fn check_bounds(&self, client: ClientId) {
        let share = (self.limits.max_bytes / EVENT_SHARES).clamp(MIN_EVENT_SHARE_BYTES, MAX_EVENT_SHARE_BYTES);
        let event_share = (self.limits.max_events / EVENT_SHARES_OF_COUNT).max(1);
        let (events, bytes) = self.waiting[&client];
        assert!(bytes <= share + TURN_BYTES, "{bytes} bytes of one client; its share is {share}");
        assert!(events <= event_share + 1 + 256, "{events} events of one client; its share is {event_share}");
        assert!(self.waiting_bytes <= self.limits.max_bytes + PUBLISH_BYTES + TURN_BYTES);
        assert!(self.expected.len() <= self.limits.max_events + PUBLISH_EVENTS + 256);
    }

    /// Lets the application take everything: then no client is held or paused.
    fn finish(mut self) {
        self.finish_turn();
        for _ in 0..self.expected.len() {
            self.take();
        }
        assert!(self.expected.is_empty() && self.waiting_bytes == 0);
        assert!(!self.paused, "paused for ever");
        assert!(!self.table.0.iter().any(|connection| connection.held), "held for ever");
    }
}
