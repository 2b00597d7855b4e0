//! The bounded event queue between a thread of this library and the application.

mod batch;
mod packed;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

pub(crate) use batch::{Batch, PayloadSize};
pub(crate) use packed::PackedEvents;

use crate::EventQueueLimits;
use crate::sync::{AtomicBool, Condvar, Mutex, MutexGuard, Ordering, PoisonError};

/// Maximum empty batches kept for reuse.
const MAX_SPARE_BATCHES: usize = 4;

/// Bytes of message payload per batch of more than one event. What the application takes is counted until it has the last
/// event of a batch, so a large batch would keep the producer paused for long.
const MAX_BATCH_BYTES: usize = 256 * 1024;

/// Queues events until the application takes them. When a limit is reached, the producer pauses. The limits include the
/// batch that the application is in the middle of.
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
    batches: VecDeque<Counted<B>>,
    /// The number of events in `batches` and in the inbox, and the bytes of their message payloads.
    events: usize,
    bytes: usize,
    /// The part of them that is in the inbox, or was when it was filled.
    inbox: (usize, usize),
    /// The number of events that are no longer counted, since the start.
    released: u64,
    /// Whether the producer waits until more events are released.
    watched: bool,
    spare: Vec<B>,
    closed: bool,
    /// Whether the producer must pause, or has paused.
    paused: bool,
    wakers: Vec<Waker>,
}

/// A batch, and what it was when it was queued.
#[derive(Debug)]
struct Counted<B> {
    batch: B,
    events: usize,
    bytes: usize,
}

/// The state of a queue as its producer sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Whether the producer must pause: the queue is full, or was full and is not yet half empty.
    pub(crate) paused: bool,
    /// The number of events that the application has taken, rounded down to whole batches.
    pub(crate) released: u64,
}

/// The result of taking an event.
#[derive(Debug)]
pub(crate) struct Dequeued<E> {
    /// The event; `None` if there is none in time or the queue is closed and empty.
    pub(crate) event: Option<E>,
    /// Whether the caller must wake the producer, which is paused or watches the queue.
    pub(crate) resume: bool,
}

impl<B: Batch> EventQueue<B> {
    /// Returns an empty queue.
    pub(crate) fn new(limits: EventQueueLimits) -> EventQueue<B> {
        let state = State {
            batches: VecDeque::new(),
            events: 0,
            bytes: 0,
            inbox: (0, 0),
            released: 0,
            watched: false,
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

    /// Moves the events of `batch` to the queue.
    pub(crate) fn push(&self, batch: &mut B) -> Progress {
        let mut guard = lock(&self.state);
        let state = &mut *guard;
        let was_empty = state.batches.is_empty();
        let (events, bytes) = (batch.len(), batch.payload_bytes());
        state.events += events;
        state.bytes += bytes;
        let last = state.batches.back_mut();
        match last.filter(|last| last.bytes + bytes <= MAX_BATCH_BYTES && last.batch.has_room_for(batch)) {
            Some(last) => {
                last.batch.append(batch);
                (last.events, last.bytes) = (last.events + events, last.bytes + bytes);
            }
            None => {
                let batch = std::mem::replace(batch, state.spare.pop().unwrap_or_default());
                state.batches.push_back(Counted { batch, events, bytes });
            }
        }
        // A paused producer resumes only when `Dequeued::resume` says so, even if it adds events in the meantime.
        state.paused |= state.events >= self.limits.max_events || state.bytes >= self.limits.max_bytes;
        let progress = state.progress();
        // No thread waits while the queue has events, and waking costs a system call.
        if was_empty {
            self.wake_waiters(guard);
        }
        progress
    }

    /// Returns the state of the queue. With `watch`, the producer is woken when more events are released.
    pub(crate) fn progress(&self, watch: bool) -> Progress {
        let mut state = lock(&self.state);
        state.watched |= watch;
        state.progress()
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
        !state.batches.is_empty() || self.is_mid_batch()
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
        let inbox = lock(&self.inbox);
        let state = lock(&self.state);
        inbox.len() + state.events - state.inbox.0
    }

    /// Returns the next event if there is one. Does not read the clock, which would cost a game time for each message.
    pub(crate) fn try_next(&self) -> Dequeued<B::Event> {
        let mut inbox = lock(&self.inbox);
        if inbox.len() == 0 {
            self.refill(&mut inbox);
        }
        let event = inbox.pop();
        let mid_batch = inbox.len() > 0;
        self.mid_batch.store(mid_batch, Ordering::Relaxed);
        let resume = event.is_some() && !mid_batch && self.release();
        Dequeued { event, resume }
    }

    /// Moves a batch into the empty `inbox`.
    fn refill(&self, inbox: &mut B) {
        let mut state = lock(&self.state);
        let Some(Counted { batch, events, bytes }) = state.batches.pop_front() else { return };
        state.inbox = (events, bytes);
        self.mid_batch.store(true, Ordering::Relaxed);
        let empty = std::mem::replace(inbox, batch);
        if empty.is_reusable() && state.spare.len() < MAX_SPARE_BATCHES {
            state.spare.push(empty);
        }
    }

    /// No longer counts the batch whose last event was taken. Returns whether the producer must be woken.
    fn release(&self) -> bool {
        let mut state = lock(&self.state);
        let (events, bytes) = std::mem::take(&mut state.inbox);
        state.events -= events;
        state.bytes -= bytes;
        state.released += events as u64;
        // Only when it is half empty, so that the producer does not pause and resume with every event.
        let half_empty = state.events <= self.limits.max_events / 2 && state.bytes <= self.limits.max_bytes / 2;
        let resume = state.paused && half_empty;
        state.paused &= !resume;
        std::mem::take(&mut state.watched) || resume
    }

    fn wake_waiters(&self, mut state: MutexGuard<'_, State<B>>) {
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        self.available.notify_all();
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl<B> State<B> {
    fn progress(&self) -> Progress {
        Progress { paused: self.paused, released: self.released }
    }
}

/// Ignores poisoning: the locked state is consistent wherever a panic can occur.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
