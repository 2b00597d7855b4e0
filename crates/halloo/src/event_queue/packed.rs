//! Events of a server, with small messages stored in shared buffers.

use std::borrow::Cow;
use std::collections::VecDeque;

use super::batch::{Batch, MAX_EVENTS_PER_BATCH};
use crate::{ClientId, Event, Message};

/// Maximum bytes of a message that is packed. For a larger one, two copies cost more than an allocation.
const MAX_PACKED_MESSAGE_BYTES: usize = 1024;
/// Maximum bytes of packed messages per batch. A buffer is allocated with this capacity, because pages that are never
/// written use no memory.
const MAX_PACKED_BYTES: usize = 64 * 1024;

/// A batch of events. A small message that is borrowed from the read buffer is appended to a shared buffer, and
/// allocated only when the application takes it. Allocating on one thread and freeing on another would cost more than
/// everything else that is done with a message.
#[derive(Debug, Default)]
pub(crate) struct PackedEvents {
    entries: VecDeque<Entry>,
    /// The packed text messages. The first `text_taken` bytes have been taken.
    text: String,
    text_taken: usize,
    /// The packed binary messages. The first `binary_taken` bytes have been taken.
    binary: Vec<u8>,
    binary_taken: usize,
    /// Bytes of the messages that are not packed.
    unpacked_bytes: usize,
}

#[derive(Debug)]
enum Entry {
    /// A packed text message of this many bytes.
    Text(ClientId, usize),
    /// A packed binary message of this many bytes.
    Binary(ClientId, usize),
    /// Any other event.
    Unpacked(Box<Event<'static>>),
}

impl PackedEvents {
    /// Appends one event.
    pub(crate) fn push(&mut self, event: Event<'_>) {
        match event {
            Event::MessageReceived { client, message } => self.push_message(client, message),
            other => self.entries.push_back(Entry::Unpacked(Box::new(other.into_owned()))),
        }
    }

    /// Appends an [`Event::MessageReceived`].
    pub(crate) fn push_message(&mut self, client: ClientId, message: Message<'_>) {
        match message {
            Message::Text(Cow::Borrowed(text)) if text.len() <= MAX_PACKED_MESSAGE_BYTES => {
                if self.text.capacity() == 0 {
                    self.text.reserve_exact(MAX_PACKED_BYTES);
                }
                self.text.push_str(text);
                self.entries.push_back(Entry::Text(client, text.len()));
            }
            Message::Binary(Cow::Borrowed(bytes)) if bytes.len() <= MAX_PACKED_MESSAGE_BYTES => {
                if self.binary.capacity() == 0 {
                    self.binary.reserve_exact(MAX_PACKED_BYTES);
                }
                self.binary.extend_from_slice(bytes);
                self.entries.push_back(Entry::Binary(client, bytes.len()));
            }
            other => {
                self.unpacked_bytes += other.bytes().len();
                let message = other.into_owned();
                self.entries.push_back(Entry::Unpacked(Box::new(Event::MessageReceived { client, message })));
            }
        }
    }

    fn packed_bytes(&self) -> usize {
        self.text.len() - self.text_taken + self.binary.len() - self.binary_taken
    }

    fn clear(&mut self) {
        self.entries.clear();
        self.text.clear();
        self.binary.clear();
        (self.text_taken, self.binary_taken, self.unpacked_bytes) = (0, 0, 0);
    }
}

impl Batch for PackedEvents {
    type Event = Event<'static>;

    fn len(&self) -> usize {
        self.entries.len()
    }

    fn payload_bytes(&self) -> usize {
        self.packed_bytes() + self.unpacked_bytes
    }

    fn has_room_for(&self, other: &PackedEvents) -> bool {
        self.len() + other.len() <= MAX_EVENTS_PER_BATCH
            && self.packed_bytes() + other.packed_bytes() <= MAX_PACKED_BYTES
    }

    fn append(&mut self, other: &mut PackedEvents) {
        self.entries.append(&mut other.entries);
        self.text.push_str(&other.text[other.text_taken..]);
        self.binary.extend_from_slice(&other.binary[other.binary_taken..]);
        self.unpacked_bytes += other.unpacked_bytes;
        other.clear();
    }

    fn pop(&mut self) -> Option<Event<'static>> {
        let event = match self.entries.pop_front()? {
            Entry::Text(client, length) => {
                let start = self.text_taken;
                self.text_taken += length;
                let message = Message::from(self.text[start..self.text_taken].to_owned());
                Event::MessageReceived { client, message }
            }
            Entry::Binary(client, length) => {
                let start = self.binary_taken;
                self.binary_taken += length;
                let message = Message::from(self.binary[start..self.binary_taken].to_owned());
                Event::MessageReceived { client, message }
            }
            Entry::Unpacked(event) => {
                self.unpacked_bytes -= event.payload_bytes();
                *event
            }
        };
        if self.entries.is_empty() {
            self.clear();
        }
        Some(event)
    }

    fn is_reusable(&self) -> bool {
        // A turn adds all messages of a client to one batch, which may exceed the limit of a batch.
        self.entries.capacity() <= 4 * MAX_EVENTS_PER_BATCH
            && self.text.capacity() <= MAX_PACKED_BYTES
            && self.binary.capacity() <= MAX_PACKED_BYTES
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Returns one of five kinds of event.
    fn event(kind: u8, size: usize) -> Event<'static> {
        let client = ClientId(size as u64);
        let message: Message<'static> = match kind % 5 {
            0 => Message::from("ä".repeat(size)),
            1 => Message::from(vec![kind; size]),
            2 => Message::from(["", "x", "two", "ü"][size % 4]),
            3 => Message::from(&[1, 2, 3]),
            _ => return Event::MessagesDropped { client, messages: 1 },
        };
        Event::MessageReceived { client, message }
    }

    /// Returns the event with a borrowed message, as from the read buffer, or an owned one, as from a fragmented
    /// message.
    fn received<'a>(event: &'a Event<'static>, borrowed: bool) -> Event<'a> {
        match event {
            Event::MessageReceived { client, message } if borrowed => {
                let message = message.text().map_or_else(|| message.bytes().into(), Message::from);
                Event::MessageReceived { client: *client, message }
            }
            other => other.clone(),
        }
    }

    proptest! {
        #[test]
        fn packed_events_are_returned_unchanged(
            events in proptest::collection::vec((any::<u8>(), 0..2 * MAX_PACKED_MESSAGE_BYTES, any::<bool>(), 0..3_usize), 0..60)
        ) {
            let (mut packed, mut more, mut expected) = (PackedEvents::default(), PackedEvents::default(), VecDeque::new());
            for (kind, size, borrowed, take) in events {
                let event = event(kind, size);
                // Some events go through a second batch that is appended, as in the queue.
                if kind < 100 { more.push(received(&event, borrowed)) } else {
                    packed.append(&mut more);
                    packed.push(received(&event, borrowed));
                }
                expected.push_back(event);
                for _ in 0..take.min(packed.len()) {
                    prop_assert_eq!(packed.pop(), expected.pop_front());
                }
                let payload: usize = expected.iter().map(Event::payload_bytes).sum();
                prop_assert_eq!(packed.payload_bytes() + more.payload_bytes(), payload);
                prop_assert_eq!(packed.len() + more.len(), expected.len());
            }
            packed.append(&mut more);
            while let Some(event) = packed.pop() {
                prop_assert_eq!(Some(event), expected.pop_front());
            }
            prop_assert!(expected.is_empty() && packed.payload_bytes() == 0);
        }
    }

    #[test]
    fn append_is_limited_by_events_and_packed_bytes() {
        let fill = |size: usize, count: usize| {
            let (mut packed, bytes) = (PackedEvents::default(), vec![0; size]);
            (0..count).for_each(|_| {
                packed.push(Event::MessageReceived { client: ClientId(1), message: (&bytes[..]).into() })
            });
            packed
        };
        assert!(
            fill(1, MAX_EVENTS_PER_BATCH - 1).has_room_for(&fill(1, 1))
                && !fill(1, MAX_EVENTS_PER_BATCH).has_room_for(&fill(1, 1))
        );
        let full = MAX_PACKED_BYTES / MAX_PACKED_MESSAGE_BYTES;
        assert!(
            fill(MAX_PACKED_MESSAGE_BYTES, full - 1).has_room_for(&fill(MAX_PACKED_MESSAGE_BYTES, 1))
                && !fill(MAX_PACKED_MESSAGE_BYTES, full).has_room_for(&fill(1, 1))
        );
        let mut taken = fill(MAX_PACKED_MESSAGE_BYTES, full);
        assert!(taken.is_reusable(), "it has its usual capacity");
        while taken.pop().is_some() {}
        assert!(taken.has_room_for(&fill(MAX_PACKED_MESSAGE_BYTES, full)));
        assert!(
            !fill(MAX_PACKED_MESSAGE_BYTES, 2 * full).is_reusable(),
            "a batch with more capacity than usual is freed"
        );
    }
}
