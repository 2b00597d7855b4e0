//! The bounded queue of messages that are waiting to be sent.

use std::collections::VecDeque;

use halloo_proto::frame::MAX_HEADER;
use halloo_proto::limits::{OutboxLimits, SlowClient};

use crate::{Delivery, Message};

/// Messages that are waiting to be sent, and the number of those that were dropped.
#[derive(Debug)]
pub(super) struct SendQueue {
    messages: VecDeque<Message<'static>>,
    /// The size of `messages` with the largest headers that they could have.
    bytes: usize,
    limits: OutboxLimits,
    dropped: u64,
    /// Dropped messages that no event has reported yet.
    unreported: u64,
}

impl SendQueue {
    pub(super) fn new(limits: OutboxLimits) -> SendQueue {
        SendQueue { messages: VecDeque::new(), bytes: 0, limits, dropped: 0, unreported: 0 }
    }

    /// Appends `message`, unless the queue is full. [`SlowClient::DropOldest`] makes room for it.
    pub(super) fn push(&mut self, message: Message<'static>) -> Delivery {
        while self.is_full(&message) {
            self.count_dropped(1);
            // A message that does not fit into an empty queue must not evict the others in vain.
            let fits = size(&message) <= self.limits.max_bytes;
            if self.limits.when_full != SlowClient::DropOldest || !fits || self.pop().is_none() {
                return Delivery::Backpressure;
            }
        }
        self.bytes += size(&message);
        self.messages.push_back(message);
        Delivery::Queued
    }

    /// Moves the oldest messages to `batch`, until they have at least `min_bytes` bytes or the queue is empty.
    pub(super) fn take(&mut self, min_bytes: usize, batch: &mut Vec<Message<'static>>) {
        let mut bytes = 0;
        while bytes < min_bytes {
            let Some(message) = self.pop() else { break };
            bytes += size(&message);
            batch.push(message);
        }
    }

    /// Drops all messages.
    pub(super) fn clear(&mut self) {
        self.count_dropped(self.messages.len() as u64);
        self.messages.clear();
        self.bytes = 0;
    }

    /// Counts messages that were dropped, here or with a connection.
    pub(super) fn count_dropped(&mut self, messages: u64) {
        self.dropped += messages;
        self.unreported += messages;
    }

    /// Returns the number of messages that were dropped since the last call.
    pub(super) fn take_unreported(&mut self) -> u64 {
        std::mem::take(&mut self.unreported)
    }

    /// Returns `true` if messages were dropped since the last [`SendQueue::take_unreported`].
    pub(super) fn has_unreported(&self) -> bool {
        self.unreported > 0
    }

    /// Returns the number of messages that were ever dropped.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Returns `true` if at least half of the queue is free, so that a waiting sender can go on with many messages.
    pub(super) fn has_room(&self) -> bool {
        let OutboxLimits { max_messages, max_bytes, .. } = self.limits;
        self.messages.is_empty() || (self.messages.len() <= max_messages / 2 && self.bytes <= max_bytes / 2)
    }

    fn is_full(&self, message: &Message<'_>) -> bool {
        let OutboxLimits { max_messages, max_bytes, .. } = self.limits;
        let bytes = self.bytes + size(message);
        !self.messages.is_empty() && (self.messages.len() >= max_messages || bytes > max_bytes)
    }

    fn pop(&mut self) -> Option<Message<'static>> {
        let message = self.messages.pop_front()?;
        self.bytes -= size(&message);
        Some(message)
    }
}

fn size(message: &Message<'_>) -> usize {
    message.bytes().len() + MAX_HEADER
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(max_messages: usize, max_bytes: usize, when_full: SlowClient) -> SendQueue {
        SendQueue::new(OutboxLimits { max_messages, max_bytes, when_full })
    }

    fn push(queue: &mut SendQueue, text: &str) -> Delivery {
        queue.push(Message::from(text.to_owned()))
    }

    fn take_texts(queue: &mut SendQueue) -> Vec<String> {
        let mut batch = Vec::new();
        queue.take(usize::MAX, &mut batch);
        batch.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_full_queue_refuses_new_messages() {
        for when_full in [SlowClient::DropNewest, SlowClient::Disconnect] {
            let mut queue = queue(2, 1000, when_full);
            assert_eq!((push(&mut queue, "a"), push(&mut queue, "b")), (Delivery::Queued, Delivery::Queued));
            assert_eq!(
                (push(&mut queue, "c"), push(&mut queue, "d")),
                (Delivery::Backpressure, Delivery::Backpressure)
            );
            assert_eq!(queue.take_unreported(), 2);
            assert_eq!((queue.take_unreported(), queue.dropped()), (0, 2));
            assert_eq!(take_texts(&mut queue), ["a", "b"]);
            assert_eq!(push(&mut queue, "e"), Delivery::Queued);
        }
    }

    #[test]
    fn drop_oldest_evicts_until_the_message_fits() {
        let mut queue = queue(3, 60, SlowClient::DropOldest);
        for text in ["a", "b", "c"] {
            assert_eq!(push(&mut queue, text), Delivery::Queued);
        }
        assert_eq!(push(&mut queue, &"d".repeat(30)), Delivery::Queued);
        assert_eq!(queue.take_unreported(), 2);
        assert_eq!(push(&mut queue, &"e".repeat(100)), Delivery::Backpressure, "larger than the whole queue");
        assert_eq!(take_texts(&mut queue), ["c".to_owned(), "d".repeat(30)]);
        assert_eq!(push(&mut queue, &"f".repeat(100)), Delivery::Queued, "an empty queue accepts any message");
    }

    #[test]
    fn a_batch_ends_with_the_message_that_reaches_its_size() {
        let mut queue = queue(100, 100_000, SlowClient::DropNewest);
        for _ in 0..10 {
            push(&mut queue, &"x".repeat(100));
        }
        let mut batch = Vec::new();
        queue.take(300, &mut batch);
        assert_eq!(batch.len(), 3);
        queue.clear();
        assert_eq!(queue.take_unreported(), 7);
    }
}
