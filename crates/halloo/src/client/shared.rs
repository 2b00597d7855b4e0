//! What the threads of the application and the client's thread share: queued messages, commands, and the state.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use halloo_proto::close::CloseCode;
use halloo_proto::limits::OutboxLimits;

use super::lookup::LookupResult;
use super::send_queue::SendQueue;
use crate::{Delivery, Message, Stopped};

/// What the application and the client's thread share.
#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    /// Notified when the client connects or ends, and when the queue has room again.
    changed: Condvar,
    waker: mio::Waker,
    latency_micros: AtomicU32,
}

#[derive(Debug)]
struct State {
    queue: SendQueue,
    commands: Commands,
    /// The URL of the server that the client is connected to.
    url: Option<String>,
    /// No more messages are accepted.
    closing: bool,
    /// The client's thread ended.
    ended: bool,
}

/// Commands to the client's thread.
#[derive(Debug, Default)]
pub(super) struct Commands {
    /// Send the queued messages, then close.
    pub(super) close: Option<(CloseCode, String)>,
    /// End at once.
    pub(super) stop: bool,
    /// Resume reading, since the application took events.
    pub(super) resume: bool,
    /// Use the result of a lookup.
    pub(super) lookup: Option<LookupResult>,
}

impl Shared {
    pub(super) fn new(waker: mio::Waker, limits: OutboxLimits) -> Shared {
        let state = State {
            queue: SendQueue::new(limits),
            commands: Commands::default(),
            url: None,
            closing: false,
            ended: false,
        };
        Shared { state: Mutex::new(state), changed: Condvar::new(), waker, latency_micros: AtomicU32::new(0) }
    }

    // For the application's threads.

    pub(super) fn send(&self, message: Message<'static>) -> Result<Delivery, Stopped> {
        let mut state = self.lock();
        if state.closing || state.ended {
            return Err(Stopped);
        }
        let (was_empty, had_unreported) = (state.queue.is_empty(), state.queue.has_unreported());
        let delivery = state.queue.push(message);
        // The thread takes all messages, so that only the first one needs to wake it, and the first drop.
        let wake = was_empty || (!had_unreported && state.queue.has_unreported());
        drop(state);
        if wake {
            self.wake();
        }
        Ok(delivery)
    }

    pub(super) fn close(&self, code: CloseCode, reason: &str) {
        self.command(|state| {
            state.closing = true;
            state.commands.close = Some((code, reason.to_owned()));
        });
    }

    pub(super) fn stop(&self) {
        self.command(|state| {
            state.closing = true;
            state.commands.stop = true;
        });
    }

    pub(super) fn resume(&self) {
        self.command(|state| state.commands.resume = true);
    }

    pub(super) fn url(&self) -> Option<String> {
        self.lock().url.clone()
    }

    pub(super) fn latency(&self) -> Option<Duration> {
        let micros = self.latency_micros.load(Ordering::Relaxed);
        (micros > 0).then(|| Duration::from_micros(micros.into()))
    }

    pub(super) fn messages_dropped(&self) -> u64 {
        self.lock().queue.dropped()
    }

    pub(super) fn wait_connected(&self, timeout: Duration) -> bool {
        self.wait(timeout, |state| state.url.is_some() || state.ended).url.is_some()
    }

    pub(super) fn wait_room(&self, timeout: Duration) -> bool {
        let state = self.wait(timeout, |state| state.queue.has_room() || state.ended);
        state.queue.has_room() && !state.ended
    }

    // For the thread of a lookup.

    pub(super) fn deliver_lookup(&self, result: LookupResult) {
        self.command(|state| state.commands.lookup = Some(result));
    }

    // For the client's thread.

    pub(super) fn take_commands(&self) -> Commands {
        std::mem::take(&mut self.lock().commands)
    }

    /// Moves the oldest messages to `batch`, until they have at least `min_bytes` bytes or the queue is empty.
    pub(super) fn take_messages(&self, min_bytes: usize, batch: &mut Vec<Message<'static>>) {
        let mut state = self.lock();
        let had_room = state.queue.has_room();
        state.queue.take(min_bytes, batch);
        if !had_room && state.queue.has_room() {
            self.changed.notify_all();
        }
    }

    pub(super) fn has_messages(&self) -> bool {
        !self.lock().queue.is_empty()
    }

    pub(super) fn set_connected(&self, url: Option<String>) {
        self.lock().url = url;
        self.changed.notify_all();
    }

    pub(super) fn set_latency(&self, micros: u32) {
        self.latency_micros.store(micros, Ordering::Relaxed);
    }

    /// Counts messages that were lost with a connection.
    pub(super) fn count_dropped(&self, messages: u64) {
        self.lock().queue.count_dropped(messages);
    }

    /// Drops the queued messages.
    pub(super) fn drop_queued(&self) {
        self.lock().queue.clear();
    }

    /// Returns the number of messages that were dropped since the last call.
    pub(super) fn take_unreported_drops(&self) -> u64 {
        self.lock().queue.take_unreported()
    }

    /// Drops the queued messages and accepts no more, since the thread ends.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        (state.ended, state.url) = (true, None);
        state.queue.clear();
        drop(state);
        self.changed.notify_all();
    }

    fn command(&self, give: impl FnOnce(&mut State)) {
        give(&mut self.lock());
        self.wake();
    }

    fn wake(&self) {
        if let Err(error) = self.waker.wake() {
            tracing::error!(%error, "cannot wake the client's thread");
        }
    }

    fn wait(&self, timeout: Duration, is_over: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        let start = Instant::now();
        let mut state = self.lock();
        loop {
            let left = timeout.saturating_sub(start.elapsed());
            if is_over(&state) || left.is_zero() {
                return state;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The state is consistent wherever a statement could panic, so that a poisoned lock is still usable.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use halloo_proto::limits::SlowClient;

    fn shared(max_messages: usize) -> (Shared, mio::Poll) {
        let poll = mio::Poll::new().unwrap();
        let waker = mio::Waker::new(poll.registry(), mio::Token(0)).unwrap();
        let limits = OutboxLimits { max_messages, max_bytes: 1000, when_full: SlowClient::DropNewest };
        (Shared::new(waker, limits), poll)
    }

    fn send(shared: &Shared) -> Delivery {
        shared.send(Message::from("x".to_owned())).unwrap()
    }

    #[test]
    fn wait_room_returns_when_half_of_the_queue_is_free() {
        let (shared, _poll) = shared(4);
        // Often enough that the other thread is already waiting in some rounds.
        for _ in 0..200 {
            while send(&shared) == Delivery::Queued {}
            assert!(!shared.wait_room(Duration::ZERO));
            std::thread::scope(|scope| {
                let waiting = scope.spawn(|| shared.wait_room(Duration::MAX));
                std::thread::yield_now();
                shared.take_messages(1, &mut Vec::new());
                shared.take_messages(1, &mut Vec::new());
                assert!(waiting.join().unwrap());
            });
        }
    }

    #[test]
    fn wait_room_returns_when_the_client_ends() {
        let (shared, _poll) = shared(4);
        while send(&shared) == Delivery::Queued {}
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| shared.wait_room(Duration::MAX));
            shared.end();
            assert!(!waiting.join().unwrap());
        });
    }

    #[test]
    fn the_end_drops_queued_messages_and_refuses_new_ones() {
        let (shared, _poll) = shared(100);
        for _ in 0..7 {
            send(&shared);
        }
        shared.end();
        assert_eq!((shared.take_unreported_drops(), shared.messages_dropped()), (7, 7));
        assert_eq!(shared.send(Message::from("late")), Err(Stopped));
    }
}
