//! Batches of events.

use std::collections::VecDeque;

/// Events in order that are moved to the application together.
pub(crate) trait Batch: Default {
    type Event;

    /// Returns the number of events.
    fn len(&self) -> usize;

    /// Returns the bytes of message payload in all events.
    fn payload_bytes(&self) -> usize;

    /// Returns whether the batch with `other` appended is within the limits of one batch.
    fn has_room_for(&self, other: &Self) -> bool;

    /// Moves all events of `other` to the end.
    fn append(&mut self, other: &mut Self);

    /// Removes and returns the first event.
    fn pop(&mut self) -> Option<Self::Event>;

    /// Returns whether this empty batch can be reused, which is not the case if it has too much capacity.
    fn is_reusable(&self) -> bool;
}

/// An event that may contain a message.
pub(crate) trait PayloadSize {
    /// Returns the bytes of message payload.
    fn payload_bytes(&self) -> usize {
        0
    }
}

/// Maximum events per batch: enough to make the cost of the lock negligible, and few compared to the limit of the
/// queue.
pub(super) const MAX_EVENTS_PER_BATCH: usize = 512;

impl<E: PayloadSize> Batch for VecDeque<E> {
    type Event = E;

    fn len(&self) -> usize {
        self.len()
    }

    fn payload_bytes(&self) -> usize {
        self.iter().map(E::payload_bytes).sum()
    }

    fn has_room_for(&self, other: &Self) -> bool {
        self.len() + other.len() <= MAX_EVENTS_PER_BATCH
    }

    fn append(&mut self, other: &mut Self) {
        self.append(other);
    }

    fn pop(&mut self) -> Option<E> {
        self.pop_front()
    }

    fn is_reusable(&self) -> bool {
        self.capacity() <= MAX_EVENTS_PER_BATCH
    }
}
