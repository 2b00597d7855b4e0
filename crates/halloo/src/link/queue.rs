//! The two bounded queues between the server's thread and that of the cluster.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::sync::{Mutex, MutexGuard, PoisonError};

use super::{Incoming, Outgoing};

/// Maximum bytes that wait to be passed on: a third of a second at a gigabit, after which news is better than history.
const MAX_OUTGOING_BYTES: usize = 16 * 1024 * 1024;
/// Maximum bytes that wait to be delivered. More than goes out, since several nodes send.
const MAX_INCOMING_BYTES: usize = 64 * 1024 * 1024;

/// What waits in both directions.
#[derive(Debug, Default)]
pub(crate) struct LinkQueue {
    outgoing: Mutex<OutgoingQueue>,
    incoming: Mutex<IncomingQueue>,
}

#[derive(Debug, Default)]
struct OutgoingQueue {
    waiting: VecDeque<Outgoing>,
    bytes: usize,
    dropped: u64,
    clients: usize,
    /// Rooms whose number of members changed. At most as many as there are rooms, and those that were.
    rooms: HashMap<Arc<str>, usize>,
    counts_changed: bool,
    relaying: bool,
    closed: bool,
    waker: Option<Waker>,
}

#[derive(Debug, Default)]
struct IncomingQueue {
    waiting: VecDeque<Incoming>,
    bytes: usize,
    closed: bool,
}

/// The result of adding something for the server's thread.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pushed {
    pub(super) fits: bool,
    /// Nothing waited, so the thread has to be woken.
    pub(super) wake: bool,
}

impl OutgoingQueue {
    fn pop(&mut self) -> Option<Outgoing> {
        if std::mem::take(&mut self.counts_changed) {
            return Some(Outgoing::Counts { clients: self.clients, rooms: self.rooms.drain().collect() });
        }
        let next = self.waiting.pop_front()?;
        self.bytes -= next.bytes();
        Some(next)
    }
}

impl LinkQueue {
    /// Adds something to pass on. If there is no room for it, or nothing is passed on now, it is dropped and counted.
    pub(crate) fn push_outgoing(&self, outgoing: Outgoing) {
        let mut queue = lock(&self.outgoing);
        let bytes = outgoing.bytes();
        if !queue.relaying || queue.closed || queue.bytes + bytes > MAX_OUTGOING_BYTES {
            queue.dropped += outgoing.messages();
            return;
        }
        queue.bytes += bytes;
        queue.waiting.push_back(outgoing);
        wake(queue);
    }

    /// Sets the number of clients, and of the members of the rooms that changed.
    pub(crate) fn set_counts(&self, clients: usize, rooms: impl Iterator<Item = (Arc<str>, usize)>) {
        let mut queue = lock(&self.outgoing);
        queue.clients = clients;
        queue.rooms.extend(rooms);
        queue.counts_changed = true;
        wake(queue);
    }

    pub(crate) fn try_outgoing(&self) -> Option<Outgoing> {
        lock(&self.outgoing).pop()
    }

    pub(super) fn poll_outgoing(&self, context: &mut Context<'_>) -> Poll<Option<Outgoing>> {
        let mut queue = lock(&self.outgoing);
        match queue.pop() {
            Some(next) => Poll::Ready(Some(next)),
            None if queue.closed => Poll::Ready(None),
            None => {
                queue.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }

    pub(crate) fn set_relaying(&self, relaying: bool) {
        let mut queue = lock(&self.outgoing);
        queue.relaying = relaying;
        if !relaying {
            queue.dropped += queue.waiting.iter().map(Outgoing::messages).sum::<u64>();
            queue.waiting.clear();
            queue.bytes = 0;
        }
    }

    pub(super) fn dropped(&self) -> u64 {
        lock(&self.outgoing).dropped
    }

    pub(super) fn push_incoming(&self, incoming: Incoming) -> Pushed {
        let mut queue = lock(&self.incoming);
        let bytes = incoming.bytes();
        if queue.closed || queue.bytes + bytes > MAX_INCOMING_BYTES {
            return Pushed { fits: false, wake: false };
        }
        queue.bytes += bytes;
        queue.waiting.push_back(incoming);
        Pushed { fits: true, wake: queue.waiting.len() == 1 }
    }

    /// Removes and returns the next thing to deliver. After `None`, the next that is added wakes the server's thread.
    pub(crate) fn pop_incoming(&self) -> Option<Incoming> {
        let mut queue = lock(&self.incoming);
        let next = queue.waiting.pop_front()?;
        queue.bytes -= next.bytes();
        Some(next)
    }

    /// Returns whether the cluster has ended.
    pub(crate) fn is_closed(&self) -> bool {
        lock(&self.incoming).closed
    }

    /// Closes both directions: nothing more is queued.
    pub(crate) fn close(&self) {
        let mut queue = lock(&self.incoming);
        queue.closed = true;
        queue.waiting.clear();
        queue.bytes = 0;
        drop(queue);
        let mut queue = lock(&self.outgoing);
        queue.closed = true;
        queue.waiting.clear();
        queue.bytes = 0;
        wake(queue);
    }
}

fn wake(mut queue: MutexGuard<'_, OutgoingQueue>) {
    let waker = queue.waker.take();
    drop(queue);
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// Ignores poisoning: the locked state is consistent wherever a panic can occur.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::super::{LinkTarget, ServerFrames};
    use super::*;

    fn message(bytes: usize) -> Outgoing {
        Outgoing::Frames { target: LinkTarget::All, frames: vec![0; bytes], count: 1 }
    }

    #[test]
    fn newest_are_dropped_and_counted_when_full() {
        let queue = LinkQueue::default();
        queue.set_relaying(true);
        for _ in 0..40_000 {
            queue.push_outgoing(message(1024));
        }
        let kept = std::iter::from_fn(|| queue.try_outgoing()).count() as u64;
        assert!((10_000..17_000).contains(&kept), "{kept}");
        assert_eq!(kept + queue.dropped(), 40_000);
        queue.push_outgoing(message(1));
        assert_eq!(queue.try_outgoing(), Some(message(1)), "there is room again");
    }

    #[test]
    fn nothing_is_kept_while_nothing_is_relayed() {
        let queue = LinkQueue::default();
        queue.push_outgoing(message(1));
        queue.set_relaying(true);
        queue.push_outgoing(message(2));
        queue.set_relaying(false);
        queue.set_relaying(true);
        assert_eq!((queue.try_outgoing(), queue.dropped()), (None, 2));
    }

    #[test]
    fn counts_are_merged_until_they_are_taken() {
        let queue = LinkQueue::default();
        let red: Arc<str> = "red".into();
        queue.set_counts(1, [(Arc::clone(&red), 1)].into_iter());
        queue.set_counts(3, [(Arc::clone(&red), 0)].into_iter());
        assert_eq!(queue.try_outgoing(), Some(Outgoing::Counts { clients: 3, rooms: vec![(red, 0)] }));
        assert_eq!(queue.try_outgoing(), None);
    }

    #[test]
    fn incoming_is_limited_and_wakes_once() {
        let queue = LinkQueue::default();
        let push = |bytes| {
            let mut frame = Vec::new();
            halloo_proto::frame::encode(&mut frame, halloo_proto::frame::Opcode::Binary, &vec![0; bytes], None);
            queue.push_incoming(Incoming::Frames(LinkTarget::All, ServerFrames::new(frame, 1).unwrap()))
        };
        let half = MAX_INCOMING_BYTES / 2 - 1000;
        assert!(push(half).wake && !push(half).wake && !push(half).fits);
        assert!(queue.pop_incoming().is_some() && queue.pop_incoming().is_some() && queue.pop_incoming().is_none());
        assert!(push(1).wake);
        queue.close();
        assert!(queue.pop_incoming().is_none() && !push(1).fits);
    }
}
