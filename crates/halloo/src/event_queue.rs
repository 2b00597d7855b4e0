//! The bounded queue between the reactor and the application.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use crate::Event;

/// Events handed over in one go: enough to make the lock negligible, few enough to keep the bound meaningful.
const BATCH: usize = 512;

/// Events wait here until the application takes them. Beyond the limits the reactor stops reading.
#[derive(Debug)]
pub(crate) struct EventQueue {
    state: Mutex<State>,
    arrived: Condvar,
    max_events: usize,
    max_bytes: usize,
}

#[derive(Debug, Default)]
struct State {
    events: VecDeque<Event<'static>>,
    bytes: usize,
    closed: bool,
    paused: bool,
    waker: Option<Waker>,
}

/// Whether the reactor, having paused, is to go on.
pub(crate) struct Resume(pub(crate) bool);

impl EventQueue {
    pub(crate) fn new(max_events: usize, max_bytes: usize) -> EventQueue {
        EventQueue { state: Mutex::default(), arrived: Condvar::new(), max_events, max_bytes }
    }

    /// Appends `batch` and answers whether the queue is full now, in which case the reactor is taken as paused.
    pub(crate) fn push(&self, batch: &mut Vec<Event<'static>>) -> bool {
        let mut state = self.lock();
        let was_empty = state.events.is_empty();
        state.bytes += batch.iter().map(weight).sum::<usize>();
        state.events.extend(batch.drain(..));
        state.paused = state.events.len() >= self.max_events || state.bytes >= self.max_bytes;
        let paused = state.paused;
        let waker = state.waker.take();
        drop(state);
        if was_empty {
            self.arrived.notify_all();
        }
        if let Some(waker) = waker {
            waker.wake();
        }
        paused
    }

    /// No more events come: whoever waits learns it after the last one.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let waker = state.waker.take();
        drop(state);
        self.arrived.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Moves events into the empty `inbox`, waiting until `deadline` (`None`: for ever) for the first.
    pub(crate) fn take(&self, inbox: &mut VecDeque<Event<'static>>, deadline: Option<Instant>) -> Resume {
        let mut state = self.lock();
        while state.events.is_empty() && !state.closed {
            match deadline {
                None => state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Resume(false);
                    }
                    state = self.arrived.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
                }
            }
        }
        self.hand_over(state, inbox)
    }

    /// The same for a task: `Pending` until there are events or the end.
    pub(crate) fn poll_take(&self, inbox: &mut VecDeque<Event<'static>>, context: &mut Context<'_>) -> Poll<Resume> {
        let mut state = self.lock();
        if state.events.is_empty() && !state.closed {
            state.waker = Some(context.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(self.hand_over(state, inbox))
    }

    fn hand_over(&self, mut state: MutexGuard<'_, State>, inbox: &mut VecDeque<Event<'static>>) -> Resume {
        let count = state.events.len().min(BATCH);
        inbox.extend(state.events.drain(..count));
        state.bytes -= inbox.iter().map(weight).sum::<usize>();
        // Half empty before reading goes on, so that the reactor does not stop and start with every event.
        let roomy = state.events.len() <= self.max_events / 2 && state.bytes <= self.max_bytes / 2;
        let resume = state.paused && roomy;
        if resume {
            state.paused = false;
        }
        Resume(resume)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is consistent between any two statements that could panic, so a poisoned lock is still good.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn weight(event: &Event<'static>) -> usize {
    match event {
        Event::MessageReceived { message, .. } => message.bytes().len(),
        _ => 0,
    }
}
