//! The bounded event queue between a thread of this library and the application.

mod batch;
mod packed;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

pub(crate) use batch::{Batch, PayloadSize};
pub(crate) use packed::PackedEvents;

use crate::EventQueueLimits;

/// Maximum empty batches kept for reuse.
const MAX_SPARE_BATCHES: usize = 4;

/// Queues events until the application takes them. When a limit is reached, the producer pauses.
#[derive(Debug)]
pub(crate) struct EventQueue<B> {
    state: Mutex<State<B>>,
    available: Condvar,
    /// The batch that the application takes events from, one by one.
    inbox: Mutex<B>,
    /// Whether `inbox` contains events.
    mid_batch: AtomicBool,
    limits: EventQueueLimits,
}

#[derive(Debug)]
struct State<B> {
    batches: VecDeque<B>,
    /// The number of events in `batches`, and the bytes of their message payloads.
    events: usize,
    bytes: usize,
    spare: Vec<B>,
    closed: bool,
    /// Whether the producer must pause, or has paused.
    paused: bool,
    wakers: Vec<Waker>,
}

/// The result of taking an event.
#[derive(Debug)]
pub(crate) struct Dequeued<E> {
    /// The event; `None` if there is none in time or the queue is closed and empty.
    pub(crate) event: Option<E>,
    /// Whether the caller must resume the paused producer.
    pub(crate) resume: bool,
}

impl<B: Batch> EventQueue<B> {
    /// Returns an empty queue.
    pub(crate) fn new(limits: EventQueueLimits) -> EventQueue<B> {
        let state = State {
            batches: VecDeque::new(),
            events: 0,
            bytes: 0,
            spare: Vec::new(),
            closed: false,
            paused: false,
            wakers: Vec::new(),
        };
        EventQueue {
            state: Mutex::new(state),
            available: Condvar::new(),
            inbox: Mutex::default(),
            mid_batch: AtomicBool::new(false),
            limits,
        }
    }

    /// Moves the events of `batch` to the queue. Returns whether the producer must pause, because the queue is full or
    /// was full and is not yet half empty.
    pub(crate) fn push(&self, batch: &mut B) -> bool {
        let mut guard = lock(&self.state);
        let state = &mut *guard;
        let was_empty = state.events == 0;
        state.events += batch.len();
        state.bytes += batch.payload_bytes();
        match state.batches.back_mut().filter(|last| last.has_room_for(batch)) {
            Some(last) => last.append(batch),
            None => state.batches.push_back(std::mem::replace(batch, state.spare.pop().unwrap_or_default())),
        }
        // A paused producer resumes only when `Dequeued::resume` says so, even if it adds events in the meantime.
        state.paused |= state.events >= self.limits.max_events || state.bytes >= self.limits.max_bytes;
        let paused = state.paused;
        // No thread waits while the queue has events, and waking costs a system call.
        if was_empty {
            self.wake_waiters(guard);
        }
        paused
    }

    /// Closes the queue: after its last event, waiting ends without one.
    pub(crate) fn close(&self) {
        let mut state = lock(&self.state);
        state.closed = true;
        self.wake_waiters(state);
    }

    /// Waits for the next event until `deadline`; if that is `None`, until there is one or the queue is closed.
    pub(crate) fn next(&self, deadline: Option<Instant>) -> Dequeued<B::Event> {
        loop {
            let taken = self.try_next();
            if taken.event.is_some() || !self.wait(deadline) {
                return taken;
            }
        }
    }

    /// Polls for the next event. Returns `Pending` until there is one or the queue is closed.
    pub(crate) fn poll_next(&self, context: &mut Context<'_>) -> Poll<Dequeued<B::Event>> {
        loop {
            let taken = self.try_next();
            if taken.event.is_some() {
                return Poll::Ready(taken);
            }
            let mut state = lock(&self.state);
            if self.has_events(&state) {
                continue;
            }
            if state.closed {
                return Poll::Ready(taken);
            }
            if !state.wakers.iter().any(|waker| waker.will_wake(context.waker())) {
                state.wakers.push(context.waker().clone());
            }
            return Poll::Pending;
        }
    }

    /// Returns whether there is an event, which may be in the inbox that another thread is taking from.
    fn has_events(&self, state: &State<B>) -> bool {
        state.events > 0 || self.is_mid_batch()
    }

    /// Waits until there is an event, without locking the inbox. Returns `false` on timeout or if the queue is closed.
    fn wait(&self, deadline: Option<Instant>) -> bool {
        let mut state = lock(&self.state);
        while !self.has_events(&state) {
            if state.closed {
                return false;
            }
            match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
                None => state = self.available.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(left) if left.is_zero() => return false,
                Some(left) => {
                    state = self.available.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
                }
            }
        }
        true
    }

    /// Returns whether the application is in the middle of a batch, so that it takes the next event without being
    /// woken.
    pub(crate) fn is_mid_batch(&self) -> bool {
        self.mid_batch.load(Ordering::Relaxed)
    }

    /// Returns the number of queued events.
    pub(crate) fn len(&self) -> usize {
        lock(&self.inbox).len() + lock(&self.state).events
    }

    /// Returns the next event if there is one. Does not read the clock, which would cost a game time for each message.
    pub(crate) fn try_next(&self) -> Dequeued<B::Event> {
        let mut inbox = lock(&self.inbox);
        let resume = inbox.len() == 0 && self.refill(&mut inbox);
        let event = inbox.pop();
        self.mid_batch.store(inbox.len() > 0, Ordering::Relaxed);
        Dequeued { event, resume }
    }

    /// Moves a batch into the empty `inbox`. Returns whether the producer must be resumed.
    fn refill(&self, inbox: &mut B) -> bool {
        let mut state = lock(&self.state);
        let Some(batch) = state.batches.pop_front() else { return false };
        state.events -= batch.len();
        state.bytes -= batch.payload_bytes();
        self.mid_batch.store(true, Ordering::Relaxed);
        let empty = std::mem::replace(inbox, batch);
        if empty.is_reusable() && state.spare.len() < MAX_SPARE_BATCHES {
            state.spare.push(empty);
        }
        // Only when it is half empty, so that the producer does not pause and resume with every event.
        let half_empty = state.events <= self.limits.max_events / 2 && state.bytes <= self.limits.max_bytes / 2;
        let resume = state.paused && half_empty;
        state.paused &= !resume;
        resume
    }

    fn wake_waiters(&self, mut state: MutexGuard<'_, State<B>>) {
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        self.available.notify_all();
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// Ignores poisoning: the locked state is consistent wherever a panic can occur.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::batch::MAX_EVENTS_PER_BATCH as BATCH;
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    impl PayloadSize for usize {
        fn payload_bytes(&self) -> usize {
            *self
        }
    }

    fn queue(max_events: usize, max_bytes: usize) -> EventQueue<VecDeque<usize>> {
        EventQueue::new(EventQueueLimits { max_events, max_bytes })
    }

    fn push(queue: &EventQueue<VecDeque<usize>>, event: usize, count: usize) -> bool {
        (0..count).map(|_| queue.push(&mut [event].into())).last().unwrap_or_default()
    }

    fn next_now(queue: &EventQueue<VecDeque<usize>>) -> Dequeued<usize> {
        queue.next(Some(Instant::now()))
    }

    #[test]
    fn producer_pauses_when_full_and_resumes_when_half_empty() {
        for (queue, payload) in [(queue(4 * BATCH, usize::MAX), 1), (queue(usize::MAX, 4 * BATCH * 10), 10)] {
            assert!(!push(&queue, payload, 4 * BATCH - 1));
            assert!(push(&queue, payload, 1));
            assert_eq!(queue.len(), 4 * BATCH);
            let resumed: Vec<usize> = (0..4 * BATCH).filter(|_| next_now(&queue).resume).collect();
            assert_eq!(resumed, [BATCH], "once, when the second batch leaves half of it");
            assert!(next_now(&queue).event.is_none());
        }
    }

    #[test]
    fn push_to_full_queue_does_not_end_the_pause() {
        let queue = queue(4 * BATCH, usize::MAX);
        assert!(push(&queue, 1, 4 * BATCH));
        (0..BATCH).for_each(|_| assert!(!next_now(&queue).resume));
        assert!(push(&queue, 1, 1), "it is not half empty yet");
        assert_eq!((0..3 * BATCH + 1).filter(|_| next_now(&queue).resume).count(), 1);
        assert!(!push(&queue, 1, 1), "the pause is over");
    }

    #[test]
    fn wait_returns_while_the_inbox_has_events() {
        let queue = queue(10, 10);
        push(&queue, 1, 2);
        assert!(next_now(&queue).event.is_some());
        assert!(queue.wait(Some(Instant::now())), "the second event is in the inbox");
        let mut context = Context::from_waker(Waker::noop());
        assert!(matches!(queue.poll_next(&mut context), Poll::Ready(Dequeued { event: Some(1), .. })));
        assert!(queue.poll_next(&mut context).is_pending());
    }

    #[test]
    fn is_mid_batch_until_last_event_is_taken() {
        let queue = queue(usize::MAX, usize::MAX);
        push(&queue, 1, 3);
        let mid_batch: Vec<bool> = (0..4).map(|_| (next_now(&queue), queue.is_mid_batch()).1).collect();
        assert_eq!(mid_batch, [true, true, false, false]);
    }

    #[test]
    fn len_includes_events_in_the_inbox() {
        let queue = queue(usize::MAX, usize::MAX);
        push(&queue, 1, 2 * BATCH);
        for left in (0..2 * BATCH).rev() {
            assert!(next_now(&queue).event.is_some());
            assert_eq!(queue.len(), left);
        }
    }

    #[test]
    fn blocked_next_does_not_block_other_callers() {
        let queue = Arc::new(queue(10, 10));
        let waiting = {
            let queue = Arc::clone(&queue);
            std::thread::spawn(move || queue.next(None).event)
        };
        // Returns immediately, whether or not the other thread already waits.
        for _ in 0..1000 {
            assert!(next_now(&queue).event.is_none());
        }
        push(&queue, 7, 1);
        assert_eq!(waiting.join().unwrap(), Some(7));
    }

    struct WakeCount(AtomicUsize);

    impl Wake for WakeCount {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn close_wakes_each_waiting_task_once() {
        let queue = queue(10, 10);
        let counts: Vec<Arc<WakeCount>> = (0..2).map(|_| Arc::new(WakeCount(AtomicUsize::new(0)))).collect();
        for count in &counts {
            let waker = Waker::from(Arc::clone(count));
            for _ in 0..3 {
                assert!(queue.poll_next(&mut Context::from_waker(&waker)).is_pending());
            }
        }
        queue.close();
        for count in &counts {
            assert_eq!(count.0.load(Ordering::Relaxed), 1);
            let waker = Waker::from(Arc::clone(count));
            assert!(matches!(
                queue.poll_next(&mut Context::from_waker(&waker)),
                Poll::Ready(Dequeued { event: None, .. })
            ));
        }
    }
}
