//! Passes events to the application's queue, or to its handler on this thread.

use std::sync::Arc;

use crate::event_queue::{Batch, EventQueue, PackedEvents};
use crate::{ClientId, Event, Message};

use super::connections::Connections;
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
}

impl EventSink {
    pub(super) fn new(target: EventTarget) -> EventSink {
        EventSink { target, batch: PackedEvents::default() }
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
    pub(super) fn publish(&mut self) -> bool {
        match &self.target {
            EventTarget::Queue(queue) => self.batch.len() > 0 && queue.push(&mut self.batch).paused,
            EventTarget::Handler(_) => false,
        }
    }

    /// Returns whether the application is in the middle of a batch of events.
    pub(super) fn is_mid_batch(&self) -> bool {
        matches!(&self.target, EventTarget::Queue(queue) if queue.is_mid_batch())
    }
}

/// Logs an event as the contract requires. Events whose log line needs more than the event are logged where they happen.
fn log(event: &Event<'_>) {
    match event {
        Event::ClientJoined { client, addr, clients } => {
            tracing::info!("client {client} joined from {addr}; {clients} connected");
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
    use crate::EventQueueLimits;

    #[test]
    fn a_few_large_messages_are_published_like_many_small_ones() {
        for (bytes, most) in [(1, PUBLISH_THRESHOLD), (PUBLISH_BYTES / 2, 2), (1024 * 1024, 1)] {
            let queue = Arc::new(EventQueue::new(EventQueueLimits::default()));
            let mut sink = EventSink::new(EventTarget::Queue(queue));
            while !sink.is_batch_full() {
                sink.batch.push_message(ClientId(1), vec![0; bytes].into());
            }
            assert_eq!(sink.batch.len(), most, "messages of {bytes} bytes");
        }
    }
}
