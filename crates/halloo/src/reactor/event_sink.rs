//! Passes events to the application's queue, or to its handler on this thread.

use std::sync::Arc;

use halloo_proto::text::escape;

use crate::event_queue::{Batch, EventQueue, PackedEvents};
use crate::{ClientId, Event, EventQueueLimits, Message};

use super::connection::Connection;
use super::connection_table::ConnectionTable;
use super::connections::Connections;
use super::event_shares::EventShares;
use super::hub::Hub;

/// Number of events at which a batch is published before the end of the turn. Waking the application costs two system
/// calls and may preempt this thread; waiting for more events delays the first one by less than waking takes.
const PUBLISH_THRESHOLD: usize = 16;
/// Bytes of messages at which a batch is published, so that what is not in the queue yet is little compared to its limit.
const PUBLISH_BYTES: usize = 64 * 1024;

/// A handler of events on the reactor thread.
pub(crate) type Handler = dyn FnMut(Event<'_>, &mut Hub<'_>) + Send;

/// How the application receives events.
pub(crate) enum EventTarget {
    /// It takes them from a queue.
    Queue(Arc<EventQueue<PackedEvents>>),
    /// It is called on this thread.
    Handler(Box<Handler>),
}

/// Logs events and passes them on.
pub(super) struct EventSink {
    target: EventTarget,
    /// Events on their way to the queue.
    batch: PackedEvents,
    shares: EventShares,
}

impl EventSink {
    /// `limits`: those of the queue, if there is one.
    pub(super) fn new(target: EventTarget, limits: EventQueueLimits) -> EventSink {
        EventSink { target, batch: PackedEvents::default(), shares: EventShares::new(limits) }
    }

    /// Returns the number of events that are not published yet, and the bytes of their messages. A handler takes all at
    /// once.
    pub(super) fn batched(&self) -> (usize, usize) {
        (self.batch.len(), self.batch.payload_bytes())
    }

    /// Charges what was batched since `before` to the share of `connection`.
    pub(super) fn charge(&mut self, before: (usize, usize), connection: &mut Connection) {
        let (events, bytes) = self.batched();
        if events > before.0 {
            self.shares.charge(connection, events - before.0, bytes - before.1, events);
        }
    }

    /// Returns whether the share of `connection` is exceeded, so that it is not to be read.
    pub(super) fn is_share_exceeded(&self, connection: &Connection) -> bool {
        self.shares.is_exceeded(connection)
    }

    /// Returns whether a connection whose share was exceeded can be read again.
    pub(super) fn has_room_for(&self, connection: &Connection) -> bool {
        self.shares.has_room(connection)
    }

    /// Updates the shares, and lets the application wake this thread when it takes more events.
    pub(super) fn watch(&mut self, table: &mut ConnectionTable) {
        if let EventTarget::Queue(queue) = &self.target {
            self.shares.handle_released(queue.progress(true).released, table);
        }
    }

    /// Returns whether the application's queue is full, or was full and is not yet half empty.
    pub(super) fn is_queue_full(&self) -> bool {
        matches!(&self.target, EventTarget::Queue(queue) if queue.progress(false).paused)
    }

    /// Emits all events that `connections` has caused, and those that the handler causes meanwhile.
    pub(super) fn emit_all(&mut self, connections: &mut Connections) {
        while let Some(event) = connections.egress.membership.pop_event() {
            self.emit(event, connections);
        }
    }

    fn emit(&mut self, event: Event<'_>, connections: &mut Connections) {
        log(&event);
        match &mut self.target {
            EventTarget::Queue(_) => self.batch.push(event),
            EventTarget::Handler(handler) => handler(event, &mut Hub { connections }),
        }
    }

    /// Emits a message. Its event is built only for a handler, because this is called for every message.
    #[inline]
    pub(super) fn emit_message(&mut self, client: ClientId, message: Message<'_>, connections: &mut Connections) {
        if tracing::enabled!(tracing::Level::DEBUG) {
            let text = halloo_proto::text::escape(message.text().unwrap_or("(binary)"), 200);
            let bytes = message.bytes().len();
            tracing::debug!(name: "message received", "client {client} sent {bytes} bytes: {text}");
        }
        match &mut self.target {
            EventTarget::Queue(_) => self.batch.push_message(client, message),
            EventTarget::Handler(handler) => {
                handler(Event::MessageReceived { client, message }, &mut Hub { connections });
            }
        }
    }

    /// Returns whether enough events are batched to wake the application before the end of the turn, so that a full queue
    /// stops one of the next reads and not the next thousand.
    pub(super) fn is_batch_full(&self) -> bool {
        self.batch.len() >= PUBLISH_THRESHOLD
            || self.batch.payload_bytes() >= PUBLISH_BYTES
            || matches!(self.target, EventTarget::Handler(_))
    }

    /// Moves the batch to the application's queue. Returns whether the queue is full now.
    pub(super) fn publish(&mut self, table: &mut ConnectionTable) -> bool {
        let EventTarget::Queue(queue) = &self.target else { return false };
        let events = self.batch.len();
        if events == 0 {
            return false;
        }
        let progress = queue.push(&mut self.batch);
        self.shares.handle_published(events, progress.released, table);
        progress.paused
    }

    /// Returns whether the application is in the middle of a batch of events.
    pub(super) fn is_mid_batch(&self) -> bool {
        matches!(&self.target, EventTarget::Queue(queue) if queue.is_mid_batch())
    }
}

/// Logs an event as the contract requires. Events whose log line needs more than the event are logged where they happen.
fn log(event: &Event<'_>) {
    match event {
        Event::ClientJoined { client, addr, rooms, clients, .. } => {
            let room = rooms.first().map_or_else(String::new, |room| format!(" in room \"{}\"", escape(room, 200)));
            tracing::info!("client {client} joined from {addr}{room}; {clients} connected");
        }
        Event::MessagesDropped { client, messages } => {
            tracing::warn!("client {client} is too slow; messages dropped: {messages}");
        }
        // Without a network, discovery logs that there is none.
        Event::AddressesChanged { addresses } if addresses.iter().any(|ip| !ip.is_loopback()) => {
            let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            tracing::info!("the network has changed; reachable at {}", addresses.join(", "));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_large_messages_are_published_like_many_small_ones() {
        for (bytes, most) in [(1, PUBLISH_THRESHOLD), (PUBLISH_BYTES / 2, 2), (1024 * 1024, 1)] {
            let queue = Arc::new(EventQueue::new(EventQueueLimits::default()));
            let mut sink = EventSink::new(EventTarget::Queue(queue), EventQueueLimits::default());
            while !sink.is_batch_full() {
                sink.batch.push_message(ClientId(1), vec![0; bytes].into());
            }
            assert_eq!(sink.batch.len(), most, "messages of {bytes} bytes");
        }
    }
}
