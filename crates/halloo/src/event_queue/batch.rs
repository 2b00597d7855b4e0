//! What events are kept in while they wait.

use std::collections::VecDeque;

/// Events that are handed over together, in their order.
pub(crate) trait Batch: Default {
    type Event;

    /// How many events there are.
    fn len(&self) -> usize;

    /// Bytes of message that they keep.
    fn weight(&self) -> usize;

    /// Whether `other` can be appended and still be handed over as one.
    fn has_room_for(&self, other: &Self) -> bool;

    /// Moves all of `other` behind what is there.
    fn append(&mut self, other: &mut Self);

    /// Takes the first event.
    fn pop(&mut self) -> Option<Self::Event>;

    /// Whether it is worth to be filled again, being empty.
    fn is_reusable(&self) -> bool;
}

/// An event that may keep much.
pub(crate) trait Weigh {
    /// Bytes of message that it keeps.
    fn weight(&self) -> usize {
        0
    }
}

/// Events handed over in one go: enough to make the lock negligible, few enough to keep the bound meaningful.
pub(super) const MOST: usize = 512;

impl<E: Weigh> Batch for VecDeque<E> {
    type Event = E;

    fn len(&self) -> usize {
        self.len()
    }

    fn weight(&self) -> usize {
        self.iter().map(E::weight).sum()
    }

    fn has_room_for(&self, other: &Self) -> bool {
        self.len() + other.len() <= MOST
    }

    fn append(&mut self, other: &mut Self) {
        self.append(other);
    }

    fn pop(&mut self) -> Option<E> {
        self.pop_front()
    }

    fn is_reusable(&self) -> bool {
        self.capacity() <= MOST
    }
}
