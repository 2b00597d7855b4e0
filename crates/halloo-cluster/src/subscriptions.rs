//! The subjects that a node receives, taken in the order in which they came.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use async_nats::{Message, Subscriber};
use futures_util::Stream;

/// Several subscriptions of one connection. The client of NATS has a queue for each; it fills them while it reads from its
/// socket, on the same thread. So what is in them together is everything up to some message, and taking all of it, ordered
/// by the sender's numbers, restores the order of each sender across subjects. Only those that have something are polled.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    subscribers: HashMap<Arc<str>, (Subscriber, Waker)>,
    ready: Arc<Ready>,
}

/// The subscriptions that have something, and what to wake.
#[derive(Debug, Default)]
struct Ready {
    state: Mutex<ReadyState>,
}

#[derive(Debug, Default)]
struct ReadyState {
    subjects: Vec<Arc<str>>,
    waker: Option<Waker>,
}

/// Wakes for one subscription.
struct SubjectWaker {
    subject: Arc<str>,
    ready: Arc<Ready>,
}

impl Wake for SubjectWaker {
    fn wake(self: Arc<Self>) {
        let mut state = self.ready.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.subjects.push(self.subject.clone());
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Subscriptions {
    /// Adds a subscription. It is polled at once, so that its queue knows what to wake.
    pub(crate) fn insert(&mut self, subject: Arc<str>, subscriber: Subscriber) {
        let waker = Arc::new(SubjectWaker { subject: subject.clone(), ready: Arc::clone(&self.ready) });
        Arc::clone(&waker).wake();
        self.subscribers.insert(subject, (subscriber, waker.into()));
    }

    /// Ends a subscription.
    pub(crate) fn remove(&mut self, subject: &str) {
        self.subscribers.remove(subject);
    }

    pub(crate) fn contains(&self, subject: &str) -> bool {
        self.subscribers.contains_key(subject)
    }

    /// Waits until a subscription has something, or has ended, and adds everything that is there to `messages`.
    pub(crate) fn poll_messages(&mut self, context: &mut Context<'_>, messages: &mut Vec<Message>) -> Poll<()> {
        let mut state = self.ready.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.waker = Some(context.waker().clone());
        let subjects = std::mem::take(&mut state.subjects);
        drop(state);
        for subject in &subjects {
            let Some((subscriber, waker)) = self.subscribers.get_mut(&**subject) else { continue };
            let mut context = Context::from_waker(waker);
            while let Poll::Ready(Some(message)) = Pin::new(&mut *subscriber).poll_next(&mut context) {
                messages.push(message);
            }
        }
        if messages.is_empty() { Poll::Pending } else { Poll::Ready(()) }
    }
}
