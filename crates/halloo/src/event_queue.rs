//! The bounded queue between a thread of halloo and the application.

mod batch;
mod packed;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

pub(crate) use batch::{Batch, Weigh};
pub(crate) use packed::Packed;

use crate::EventQueueLimits;

/// Empty batches that are kept to be filled again.
const SPARE: usize = 4;

/// Events wait here until the application takes them. Beyond the limits whoever produces them pauses.
#[derive(Debug)]
pub(crate) struct EventQueue<B> {
    state: Mutex<State<B>>,
    arrived: Condvar,
    /// The batch that was handed over to the application's side, which takes its events one by one.
    inbox: Mutex<B>,
    /// The inbox is not empty.
    in_hand: AtomicBool,
    limits: EventQueueLimits,
}

#[derive(Debug)]
struct State<B> {
    batches: VecDeque<B>,
    /// How many events there are in them, and their bytes of message.
    events: usize,
    bytes: usize,
    spare: Vec<B>,
    closed: bool,
    paused: bool,
    wakers: Vec<Waker>,
}

/// What the application got.
#[derive(Debug)]
pub(crate) struct Taken<E> {
    /// The event; `None` when there is none in time, or none any more.
    pub(crate) event: Option<E>,
    /// The producer, having paused, is to go on.
    pub(crate) resume: bool,
}

impl<B: Batch> EventQueue<B> {
    /// An empty queue.
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
            arrived: Condvar::new(),
            inbox: Mutex::default(),
            in_hand: AtomicBool::new(false),
            limits,
        }
    }

    /// Appends `batch` and answers whether the queue is full now, in which case the producer is taken as paused.
    pub(crate) fn push(&self, batch: &mut B) -> bool {
        let mut guard = lock(&self.state);
        let state = &mut *guard;
        let was_empty = state.events == 0;
        state.events += batch.len();
        state.bytes += batch.weight();
        match state.batches.back_mut().filter(|last| last.has_room_for(batch)) {
            Some(last) => last.append(batch),
            None => state.batches.push_back(std::mem::replace(batch, state.spare.pop().unwrap_or_default())),
        }
        // One that paused already goes on only when it is told to, whatever it still adds meanwhile.
        state.paused |= state.events >= self.limits.max_events || state.bytes >= self.limits.max_bytes;
        let paused = state.paused;
        // Nobody waits for what is there already, and each call to wake somebody is a system call.
        if was_empty {
            self.wake(guard);
        }
        paused
    }

    /// No more events come: whoever waits learns it after the last one.
    pub(crate) fn close(&self) {
        let mut state = lock(&self.state);
        state.closed = true;
        self.wake(state);
    }

    /// The next event, waited for until `deadline` (`None`: for ever).
    pub(crate) fn next(&self, deadline: Option<Instant>) -> Taken<B::Event> {
        loop {
            let taken = self.take();
            if taken.event.is_some() || !self.wait(deadline) {
                return taken;
            }
        }
    }

    /// The same for a task: `Pending` until there is an event or the end.
    pub(crate) fn poll_next(&self, context: &mut Context<'_>) -> Poll<Taken<B::Event>> {
        loop {
            let taken = self.take();
            if taken.event.is_some() {
                return Poll::Ready(taken);
            }
            let mut state = lock(&self.state);
            if self.has_some(&state) {
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

    /// Whether there is an event, perhaps in the batch that another thread is at.
    fn has_some(&self, state: &State<B>) -> bool {
        state.events > 0 || self.is_in_hand()
    }

    /// Waits for an event without holding anything another thread could need. Answers whether it is worth a look.
    fn wait(&self, deadline: Option<Instant>) -> bool {
        let mut state = lock(&self.state);
        while !self.has_some(&state) {
            if state.closed {
                return false;
            }
            match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
                None => state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(left) if left.is_zero() => return false,
                Some(left) => {
                    state = self.arrived.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
                }
            }
        }
        true
    }

    /// Whether the application is in the middle of a batch: it will look at the next event without being woken.
    pub(crate) fn is_in_hand(&self) -> bool {
        self.in_hand.load(Ordering::Relaxed)
    }

    /// How many events wait.
    pub(crate) fn len(&self) -> usize {
        lock(&self.inbox).len() + lock(&self.state).events
    }

    /// The next event if there is one. Asks no clock, which a game would pay for with each message.
    pub(crate) fn take(&self) -> Taken<B::Event> {
        let mut inbox = lock(&self.inbox);
        let resume = inbox.len() == 0 && self.refill(&mut inbox);
        let event = inbox.pop();
        self.in_hand.store(inbox.len() > 0, Ordering::Relaxed);
        Taken { event, resume }
    }

    /// Moves a batch into the empty `inbox`, and answers whether the producer is to go on.
    fn refill(&self, inbox: &mut B) -> bool {
        let mut state = lock(&self.state);
        let Some(batch) = state.batches.pop_front() else { return false };
        state.events -= batch.len();
        state.bytes -= batch.weight();
        self.in_hand.store(true, Ordering::Relaxed);
        let empty = std::mem::replace(inbox, batch);
        if empty.is_reusable() && state.spare.len() < SPARE {
            state.spare.push(empty);
        }
        // Half empty before it goes on, so that it does not stop and start with every event.
        let roomy = state.events <= self.limits.max_events / 2 && state.bytes <= self.limits.max_bytes / 2;
        let resume = state.paused && roomy;
        state.paused &= !resume;
        resume
    }

    fn wake(&self, mut state: MutexGuard<'_, State<B>>) {
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        self.arrived.notify_all();
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// What is locked here is consistent between any two statements that could panic, so a poisoned lock is still good.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::batch::MOST as BATCH;
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    impl Weigh for usize {
        fn weight(&self) -> usize {
            *self
        }
    }

    fn queue(max_events: usize, max_bytes: usize) -> EventQueue<VecDeque<usize>> {
        EventQueue::new(EventQueueLimits { max_events, max_bytes })
    }

    fn push(queue: &EventQueue<VecDeque<usize>>, event: usize, count: usize) -> bool {
        (0..count).map(|_| queue.push(&mut [event].into())).last().unwrap_or_default()
    }

    fn try_next(queue: &EventQueue<VecDeque<usize>>) -> Taken<usize> {
        queue.next(Some(Instant::now()))
    }

    #[test]
    fn a_full_queue_pauses_until_it_is_half_empty() {
        for (queue, weight) in [(queue(4 * BATCH, usize::MAX), 1), (queue(usize::MAX, 4 * BATCH * 10), 10)] {
            assert!(!push(&queue, weight, 4 * BATCH - 1));
            assert!(push(&queue, weight, 1));
            assert_eq!(queue.len(), 4 * BATCH);
            let resumed: Vec<usize> = (0..4 * BATCH).filter(|_| try_next(&queue).resume).collect();
            assert_eq!(resumed, [BATCH], "once, when the second batch leaves half of it");
            assert!(try_next(&queue).event.is_none());
        }
    }

    #[test]
    fn what_is_added_to_a_full_queue_does_not_end_its_pause() {
        let queue = queue(4 * BATCH, usize::MAX);
        assert!(push(&queue, 1, 4 * BATCH));
        (0..BATCH).for_each(|_| assert!(!try_next(&queue).resume));
        assert!(push(&queue, 1, 1), "it is not half empty yet");
        assert_eq!((0..3 * BATCH + 1).filter(|_| try_next(&queue).resume).count(), 1);
        assert!(!push(&queue, 1, 1), "from then on as before");
    }

    #[test]
    fn one_that_waits_is_not_passed_over_by_one_that_only_looks() {
        let queue = queue(10, 10);
        push(&queue, 1, 2);
        assert!(try_next(&queue).event.is_some());
        assert!(queue.wait(Some(Instant::now())), "the second is in the hands of the first");
        let mut context = Context::from_waker(Waker::noop());
        assert!(matches!(queue.poll_next(&mut context), Poll::Ready(Taken { event: Some(1), .. })));
        assert!(queue.poll_next(&mut context).is_pending());
    }

    #[test]
    fn a_batch_is_in_hand_until_its_last_event_is_taken() {
        let queue = queue(usize::MAX, usize::MAX);
        push(&queue, 1, 3);
        let in_hand: Vec<bool> = (0..4).map(|_| (try_next(&queue), queue.is_in_hand()).1).collect();
        assert_eq!(in_hand, [true, true, false, false]);
    }

    #[test]
    fn what_was_handed_over_still_waits() {
        let queue = queue(usize::MAX, usize::MAX);
        push(&queue, 1, 2 * BATCH);
        for left in (0..2 * BATCH).rev() {
            assert!(try_next(&queue).event.is_some());
            assert_eq!(queue.len(), left);
        }
    }

    #[test]
    fn one_that_waits_does_not_hold_up_one_that_only_looks() {
        let queue = Arc::new(queue(10, 10));
        let waiting = {
            let queue = Arc::clone(&queue);
            std::thread::spawn(move || queue.next(None).event)
        };
        // Whichever of the two comes first, looking answers at once.
        for _ in 0..1000 {
            assert!(try_next(&queue).event.is_none());
        }
        push(&queue, 7, 1);
        assert_eq!(waiting.join().unwrap(), Some(7));
    }

    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn every_task_that_waits_is_woken() {
        let queue = queue(10, 10);
        let counts: Vec<Arc<Count>> = (0..2).map(|_| Arc::new(Count(AtomicUsize::new(0)))).collect();
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
                Poll::Ready(Taken { event: None, .. })
            ));
        }
    }
}
