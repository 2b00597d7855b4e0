//! What the application's threads and the client's thread both hold: the queue of messages, orders, and the state.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use halloo_proto::close::CloseCode;
use halloo_proto::frame::MAX_HEADER;
use halloo_proto::limits::OutboxLimits;
use halloo_proto::limits::SlowClient;

use super::ClientEvent;
use super::locate::Found;
use crate::{Delivery, Message, Stopped};

/// Between the application and the client's thread.
#[derive(Debug)]
pub(super) struct Line {
    state: Mutex<State>,
    /// There is a connection, or room, or neither will come: whoever waits looks again.
    settled: Condvar,
    waker: mio::Waker,
    limits: OutboxLimits,
    latency_micros: AtomicU32,
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Message<'static>>,
    bytes: usize,
    /// Drops that no event told yet.
    untold: u64,
    orders: Orders,
    /// Where it is connected to.
    url: Option<String>,
    /// No more messages are taken.
    closing: bool,
    /// The thread is gone.
    ended: bool,
}

/// What the client's thread is to do.
#[derive(Debug, Default)]
pub(super) struct Orders {
    /// Send what waits, then close.
    pub(super) close: Option<(CloseCode, String)>,
    /// End at once.
    pub(super) stop: bool,
    /// The application took events; go on reading.
    pub(super) resume: bool,
    /// What a lookup found.
    pub(super) located: Option<Result<Found, String>>,
}

impl Line {
    pub(super) fn new(waker: mio::Waker, limits: OutboxLimits) -> Line {
        Line {
            state: Mutex::default(),
            settled: Condvar::new(),
            waker,
            limits,
            latency_micros: AtomicU32::new(0),
            dropped: AtomicU64::new(0),
        }
    }

    pub(super) fn send(&self, message: Message<'static>) -> Result<Delivery, Stopped> {
        let mut state = self.lock();
        if state.closing || state.ended {
            return Err(Stopped);
        }
        let mut delivery = Delivery::Queued;
        let mut dropped = 0;
        let was_idle = state.waiting.is_empty();
        while state.is_full(message.bytes().len(), &self.limits) {
            dropped += 1;
            // Room that can never be enough is not made, or the others would be lost in vain.
            let fits = weight(&message) <= self.limits.max_bytes;
            if self.limits.when_full != SlowClient::DropOldest || !fits || state.pop().is_none() {
                delivery = Delivery::Backpressure;
                break;
            }
        }
        if delivery == Delivery::Queued {
            state.bytes += weight(&message);
            state.waiting.push_back(message);
        }
        // The thread takes all there is, so only the first message has to wake it, and the first drop.
        let wake = was_idle || (dropped > 0 && state.untold == 0);
        state.untold += dropped;
        drop(state);
        self.dropped.fetch_add(dropped, Ordering::Relaxed);
        if wake {
            self.wake();
        }
        Ok(delivery)
    }

    pub(super) fn close(&self, code: CloseCode, reason: &str) {
        self.order(|state| {
            state.closing = true;
            state.orders.close = Some((code, reason.to_owned()));
        });
    }

    pub(super) fn stop(&self) {
        self.order(|state| {
            state.closing = true;
            state.orders.stop = true;
        });
    }

    pub(super) fn resume(&self) {
        self.order(|state| state.orders.resume = true);
    }

    pub(super) fn located(&self, found: Result<Found, String>) {
        self.order(|state| state.orders.located = Some(found));
    }

    pub(super) fn url(&self) -> Option<String> {
        self.lock().url.clone()
    }

    pub(super) fn latency(&self) -> Option<Duration> {
        let micros = self.latency_micros.load(Ordering::Relaxed);
        (micros > 0).then(|| Duration::from_micros(micros.into()))
    }

    pub(super) fn messages_dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    pub(super) fn wait_connected(&self, timeout: Duration) -> bool {
        self.wait(timeout, |state| state.url.is_some() || state.ended).url.is_some()
    }

    pub(super) fn wait_room(&self, timeout: Duration) -> bool {
        let limits = &self.limits;
        let has_room = |state: &State| state.has_room(limits);
        let state = self.wait(timeout, |state| has_room(state) || state.ended);
        has_room(&state) && !state.ended
    }

    fn wait(&self, timeout: Duration, is_over: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        let start = Instant::now();
        let mut state = self.lock();
        loop {
            let left = timeout.saturating_sub(start.elapsed());
            if is_over(&state) || left.is_zero() {
                return state;
            }
            state = self.settled.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    // What follows is for the client's thread.

    pub(super) fn take_orders(&self) -> Orders {
        std::mem::take(&mut self.lock().orders)
    }

    /// Moves messages of together at least `most` bytes, if there are so many, into `batch`.
    pub(super) fn take_messages(&self, most: usize, batch: &mut Vec<Message<'static>>) {
        let mut state = self.lock();
        let had_room = state.has_room(&self.limits);
        let mut bytes = 0;
        while bytes < most {
            let Some(message) = state.pop() else { break };
            bytes += weight(&message);
            batch.push(message);
        }
        if !had_room && state.has_room(&self.limits) {
            self.settled.notify_all();
        }
    }

    pub(super) fn has_messages(&self) -> bool {
        !self.lock().waiting.is_empty()
    }

    pub(super) fn set_connected(&self, url: Option<String>) {
        self.lock().url = url;
        self.settled.notify_all();
    }

    pub(super) fn set_latency(&self, micros: u32) {
        self.latency_micros.store(micros, Ordering::Relaxed);
    }

    /// Counts messages that a connection took along when it broke.
    pub(super) fn drop_messages(&self, messages: u64) {
        self.lock().untold += messages;
        self.dropped.fetch_add(messages, Ordering::Relaxed);
    }

    /// Drops what still waits.
    pub(super) fn drop_waiting(&self) {
        let mut state = self.lock();
        let left = std::mem::take(&mut state.waiting).len() as u64;
        state.bytes = 0;
        drop(state);
        self.drop_messages(left);
    }

    /// The event about drops, when there were any since the last.
    pub(super) fn take_dropped(&self) -> Option<ClientEvent> {
        let messages = std::mem::take(&mut self.lock().untold);
        (messages > 0).then_some(ClientEvent::MessagesDropped { messages })
    }

    /// The thread ends: nothing is taken any more, and what still waits is dropped and told.
    pub(super) fn end(&self, events: &mut Vec<ClientEvent>) {
        {
            let mut state = self.lock();
            (state.ended, state.url) = (true, None);
        }
        self.drop_waiting();
        events.extend(self.take_dropped());
        self.settled.notify_all();
    }

    fn order(&self, give: impl FnOnce(&mut State)) {
        give(&mut self.lock());
        self.wake();
    }

    fn wake(&self) {
        if let Err(error) = self.waker.wake() {
            tracing::error!(%error, "cannot wake the client's thread");
        }
    }

    /// The state is consistent between any two statements that could panic, so a poisoned lock is still good.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_full(&self, length: usize, limits: &OutboxLimits) -> bool {
        let bytes = self.bytes + length + MAX_HEADER;
        !self.waiting.is_empty() && (self.waiting.len() >= limits.max_messages || bytes > limits.max_bytes)
    }

    /// Half of it is free, so that whoever waits does not come back for a single message.
    fn has_room(&self, limits: &OutboxLimits) -> bool {
        self.waiting.is_empty() || (self.waiting.len() <= limits.max_messages / 2 && self.bytes <= limits.max_bytes / 2)
    }

    fn pop(&mut self) -> Option<Message<'static>> {
        let message = self.waiting.pop_front()?;
        self.bytes -= weight(&message);
        Some(message)
    }
}

fn weight(message: &Message<'_>) -> usize {
    message.bytes().len() + MAX_HEADER
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(messages: usize, bytes: usize, policy: SlowClient) -> (Line, mio::Poll) {
        let poll = mio::Poll::new().unwrap();
        let waker = mio::Waker::new(poll.registry(), mio::Token(0)).unwrap();
        (Line::new(waker, OutboxLimits { max_messages: messages, max_bytes: bytes, when_full: policy }), poll)
    }

    fn texts(line: &Line) -> Vec<String> {
        let mut batch = Vec::new();
        line.take_messages(usize::MAX, &mut batch);
        batch.iter().map(ToString::to_string).collect()
    }

    fn send(line: &Line, text: &str) -> Delivery {
        line.send(Message::from(text.to_owned())).unwrap()
    }

    #[test]
    fn beyond_the_limit_the_sender_is_told() {
        for policy in [SlowClient::DropNewest, SlowClient::Disconnect] {
            let (line, _poll) = line(2, 1000, policy);
            assert_eq!((send(&line, "a"), send(&line, "b")), (Delivery::Queued, Delivery::Queued));
            assert_eq!((send(&line, "c"), send(&line, "d")), (Delivery::Backpressure, Delivery::Backpressure));
            assert_eq!(line.take_dropped(), Some(ClientEvent::MessagesDropped { messages: 2 }));
            assert_eq!((line.take_dropped(), line.messages_dropped()), (None, 2));
            assert_eq!(texts(&line), ["a", "b"]);
            assert_eq!(send(&line, "e"), Delivery::Queued);
        }
    }

    #[test]
    fn or_the_oldest_make_room() {
        let (line, _poll) = line(3, 60, SlowClient::DropOldest);
        for text in ["a", "b", "c"] {
            assert_eq!(send(&line, text), Delivery::Queued);
        }
        assert_eq!(send(&line, &"d".repeat(30)), Delivery::Queued);
        assert_eq!(line.take_dropped(), Some(ClientEvent::MessagesDropped { messages: 2 }));
        assert_eq!(send(&line, &"e".repeat(100)), Delivery::Backpressure, "too large for any room");
        assert_eq!(texts(&line), ["c".to_owned(), "d".repeat(30)]);
        assert_eq!(send(&line, &"f".repeat(100)), Delivery::Queued, "alone, it is taken");
    }

    #[test]
    fn whoever_waits_for_room_is_told_at_half() {
        let (line, _poll) = line(4, 1000, SlowClient::DropNewest);
        // Often enough that the other thread is really waiting in some rounds.
        for _ in 0..200 {
            while !line.lock().is_full(0, &line.limits) {
                send(&line, "x");
            }
            assert!(!line.wait_room(Duration::ZERO));
            std::thread::scope(|scope| {
                let waiting = scope.spawn(|| line.wait_room(Duration::MAX));
                std::thread::yield_now();
                line.take_messages(1, &mut Vec::new());
                line.take_messages(1, &mut Vec::new());
                assert!(waiting.join().unwrap());
            });
        }
        send(&line, "x");
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| line.wait_room(Duration::MAX));
            line.end(&mut Vec::new());
            assert!(!waiting.join().unwrap());
        });
    }

    #[test]
    fn a_batch_is_bounded_and_the_end_counts_what_is_left() {
        let (line, _poll) = line(100, 100_000, SlowClient::DropNewest);
        for _ in 0..10 {
            send(&line, &"x".repeat(100));
        }
        let mut batch = Vec::new();
        line.take_messages(300, &mut batch);
        assert_eq!(batch.len(), 3);
        let mut last = Vec::new();
        line.end(&mut last);
        assert_eq!(last, [ClientEvent::MessagesDropped { messages: 7 }]);
        assert_eq!(line.send(Message::from("late")), Err(Stopped));
    }
}
