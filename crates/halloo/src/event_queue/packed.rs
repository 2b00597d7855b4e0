//! Events of a server, with their messages in one piece of memory.

use std::borrow::Cow;
use std::collections::VecDeque;

use super::batch::{Batch, MOST};
use crate::{ClientId, Event, Message};

/// A message up to this size is packed; to copy a larger one twice costs more than to allocate it.
const SMALL: usize = 1024;
/// Bytes of packed messages that are handed over in one go. A batch gets as many at once: what is never touched costs
/// nothing.
const ROOM: usize = 64 * 1024;

/// Events in a row. A message that lies in the read buffer is copied behind the others, and gets memory of its own where
/// the application takes it: allocated on one thread and freed on another, it would cost more than all the rest of its
/// way.
#[derive(Debug, Default)]
pub(crate) struct Packed {
    entries: VecDeque<Entry>,
    /// The messages, and how much of them was taken.
    text: String,
    text_taken: usize,
    binary: Vec<u8>,
    binary_taken: usize,
    /// Bytes of the messages that have memory of their own.
    whole: usize,
}

#[derive(Debug)]
enum Entry {
    /// So many of the next bytes of the text.
    Text(ClientId, usize),
    Binary(ClientId, usize),
    Whole(Box<Event<'static>>),
}

impl Packed {
    /// Appends one event.
    pub(crate) fn push(&mut self, event: Event<'_>) {
        match event {
            Event::MessageReceived { client, message } => self.push_message(client, message),
            other => self.entries.push_back(Entry::Whole(Box::new(other.into_owned()))),
        }
    }

    /// Appends the event that a message was received.
    pub(crate) fn push_message(&mut self, client: ClientId, message: Message<'_>) {
        match message {
            Message::Text(Cow::Borrowed(text)) if text.len() <= SMALL => {
                if self.text.capacity() == 0 {
                    self.text.reserve_exact(ROOM);
                }
                self.text.push_str(text);
                self.entries.push_back(Entry::Text(client, text.len()));
            }
            Message::Binary(Cow::Borrowed(bytes)) if bytes.len() <= SMALL => {
                if self.binary.capacity() == 0 {
                    self.binary.reserve_exact(ROOM);
                }
                self.binary.extend_from_slice(bytes);
                self.entries.push_back(Entry::Binary(client, bytes.len()));
            }
            other => {
                self.whole += other.bytes().len();
                let message = other.into_owned();
                self.entries.push_back(Entry::Whole(Box::new(Event::MessageReceived { client, message })));
            }
        }
    }

    fn packed(&self) -> usize {
        self.text.len() - self.text_taken + self.binary.len() - self.binary_taken
    }

    fn clear(&mut self) {
        self.entries.clear();
        self.text.clear();
        self.binary.clear();
        (self.text_taken, self.binary_taken, self.whole) = (0, 0, 0);
    }
}

impl Batch for Packed {
    type Event = Event<'static>;

    fn len(&self) -> usize {
        self.entries.len()
    }

    fn weight(&self) -> usize {
        self.packed() + self.whole
    }

    fn has_room_for(&self, other: &Packed) -> bool {
        self.len() + other.len() <= MOST && self.packed() + other.packed() <= ROOM
    }

    fn append(&mut self, other: &mut Packed) {
        self.entries.append(&mut other.entries);
        self.text.push_str(&other.text[other.text_taken..]);
        self.binary.extend_from_slice(&other.binary[other.binary_taken..]);
        self.whole += other.whole;
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
            Entry::Whole(event) => {
                self.whole -= event.weight();
                *event
            }
        };
        if self.entries.is_empty() {
            self.clear();
        }
        Some(event)
    }

    fn is_reusable(&self) -> bool {
        // A turn's messages of one client and those before them are one batch.
        self.entries.capacity() <= 4 * MOST && self.text.capacity() <= ROOM && self.binary.capacity() <= ROOM
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One of each kind, small and large, borrowed and owned.
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

    /// As it comes out of the read buffer, or from a message that was put together.
    fn given<'a>(event: &'a Event<'static>, borrowed: bool) -> Event<'a> {
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
        fn what_is_packed_comes_out_as_it_was(
            events in proptest::collection::vec((any::<u8>(), 0..2 * SMALL, any::<bool>(), 0..3_usize), 0..60)
        ) {
            let (mut packed, mut more, mut expected) = (Packed::default(), Packed::default(), VecDeque::new());
            for (kind, size, borrowed, take) in events {
                let event = event(kind, size);
                // By a second batch now and then, as the queue does it.
                if kind < 100 { more.push(given(&event, borrowed)) } else {
                    packed.append(&mut more);
                    packed.push(given(&event, borrowed));
                }
                expected.push_back(event);
                for _ in 0..take.min(packed.len()) {
                    prop_assert_eq!(packed.pop(), expected.pop_front());
                }
                let weight: usize = expected.iter().map(Event::weight).sum();
                prop_assert_eq!(packed.weight() + more.weight(), weight);
                prop_assert_eq!(packed.len() + more.len(), expected.len());
            }
            packed.append(&mut more);
            while let Some(event) = packed.pop() {
                prop_assert_eq!(Some(event), expected.pop_front());
            }
            prop_assert!(expected.is_empty() && packed.weight() == 0);
        }
    }

    #[test]
    fn a_batch_ends_where_its_room_ends() {
        let fill = |size: usize, count: usize| {
            let (mut packed, bytes) = (Packed::default(), vec![0; size]);
            (0..count).for_each(|_| {
                packed.push(Event::MessageReceived { client: ClientId(1), message: (&bytes[..]).into() })
            });
            packed
        };
        assert!(fill(1, MOST - 1).has_room_for(&fill(1, 1)) && !fill(1, MOST).has_room_for(&fill(1, 1)));
        let full = ROOM / SMALL;
        assert!(fill(SMALL, full - 1).has_room_for(&fill(SMALL, 1)) && !fill(SMALL, full).has_room_for(&fill(1, 1)));
        let mut taken = fill(SMALL, full);
        assert!(taken.is_reusable(), "its memory is of the usual size");
        while taken.pop().is_some() {}
        assert!(taken.has_room_for(&fill(SMALL, full)));
        assert!(!fill(SMALL, 2 * full).is_reusable(), "what a large read left behind is given back");
    }
}
