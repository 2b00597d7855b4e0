//! The application's end of an event queue: poll, block, wait with a timeout, await, or iterate.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::event_queue::{Batch, Dequeued, EventQueue};

/// Takes events from the queue of a server, client or browser, and resumes its thread if that paused because the queue
/// was full.
pub(crate) struct EventReceiver<B> {
    queue: Arc<EventQueue<B>>,
    resume: Box<dyn Fn() + Send + Sync>,
}

impl<B: Batch> EventReceiver<B> {
    /// `resume` is called when the paused thread that fills `queue` can continue.
    pub(crate) fn new(queue: Arc<EventQueue<B>>, resume: impl Fn() + Send + Sync + 'static) -> EventReceiver<B> {
        EventReceiver { queue, resume: Box::new(resume) }
    }

    /// Returns the next event if there is one. Does not block, and does not read the clock.
    #[inline]
    pub(crate) fn try_next(&self) -> Option<B::Event> {
        self.finish(self.queue.try_next())
    }

    /// Waits for the next event for at most `timeout`.
    pub(crate) fn next_timeout(&self, timeout: Duration) -> Option<B::Event> {
        // If the clock cannot represent the deadline, there is none.
        self.next_deadline(Instant::now().checked_add(timeout))
    }

    /// Waits for the next event until `deadline`; if that is `None`, until there is one or the queue is closed.
    pub(crate) fn next_deadline(&self, deadline: Option<Instant>) -> Option<B::Event> {
        self.finish(self.queue.next(deadline))
    }

    /// Awaits the next event, with any executor. Returns `None` when the queue is closed.
    pub(crate) async fn next(&self) -> Option<B::Event> {
        let dequeued = poll_fn(|context| self.queue.poll_next(context)).await;
        self.finish(dequeued)
    }

    /// Returns an iterator that blocks until the next event. It ends when the queue is closed.
    pub(crate) fn iter(&self) -> impl Iterator<Item = B::Event> + '_ {
        std::iter::from_fn(|| self.next_deadline(None))
    }

    /// Returns the number of queued events.
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    #[inline]
    fn finish(&self, dequeued: Dequeued<B::Event>) -> Option<B::Event> {
        if dequeued.resume {
            (self.resume)();
        }
        dequeued.event
    }
}

impl<B> std::fmt::Debug for EventReceiver<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventReceiver").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::{BrowserEvent, EventQueueLimits};

    #[test]
    fn endless_timeout_waits_instead_of_overflowing() {
        let queue: Arc<EventQueue<VecDeque<BrowserEvent>>> = Arc::new(EventQueue::new(EventQueueLimits::default()));
        let receiver = EventReceiver::new(Arc::clone(&queue), || {});
        queue.close();
        assert_eq!(receiver.next_timeout(Duration::MAX), None);
        assert_eq!((receiver.try_next(), receiver.iter().count(), receiver.len()), (None, 0, 0));
    }

    #[test]
    fn producer_is_resumed_once_when_the_queue_is_half_empty() {
        let limits = EventQueueLimits { max_events: 2, max_bytes: usize::MAX };
        let queue: Arc<EventQueue<VecDeque<crate::ClientEvent>>> = Arc::new(EventQueue::new(limits));
        let resumed = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&resumed);
        let receiver = EventReceiver::new(Arc::clone(&queue), move || {
            counter.fetch_add(1, Ordering::Relaxed);
        });
        let event = || crate::ClientEvent::MessagesDropped { messages: 1 };
        assert!(queue.push(&mut [event(), event()].into()).paused);
        queue.close();
        assert_eq!(receiver.iter().count(), 2);
        assert_eq!(resumed.load(Ordering::Relaxed), 1);
    }
}
