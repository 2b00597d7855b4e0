//! Events that must come.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use halloo::{Browser, BrowserEvent, Client, ClientEvent, Event, Server};

use crate::TEST_TIMEOUT;

/// Waiting for events of servers, clients and browsers.
pub trait ExpectEvent {
    /// The events.
    type Event: Debug;

    /// Returns the next event, or `None` if there is none within `timeout`.
    fn event_within(&self, timeout: Duration) -> Option<Self::Event>;

    /// Returns the next event.
    ///
    /// # Panics
    /// If there is none within [`TEST_TIMEOUT`].
    #[track_caller]
    fn expect_event(&self) -> Self::Event {
        match self.event_within(TEST_TIMEOUT) {
            Some(event) => event,
            None => panic!("no event within {TEST_TIMEOUT:?}"),
        }
    }

    /// Returns the first `Some` that `pick` makes of an event, and discards the events before it.
    ///
    /// # Panics
    /// If there is none.
    #[track_caller]
    fn expect_matching<T>(&self, mut pick: impl FnMut(Self::Event) -> Option<T>) -> T {
        let deadline = Instant::now() + 6 * TEST_TIMEOUT;
        loop {
            if let Some(picked) = pick(self.expect_event()) {
                return picked;
            }
            assert!(Instant::now() < deadline, "other events come again and again");
        }
    }

    /// Returns all events until the last one, after which no more can come.
    ///
    /// # Panics
    /// If the events do not end.
    #[track_caller]
    fn remaining_events(&self) -> Vec<Self::Event> {
        let mut events = Vec::new();
        loop {
            let start = Instant::now();
            match self.event_within(TEST_TIMEOUT) {
                Some(event) => events.push(event),
                None => {
                    assert!(start.elapsed() < TEST_TIMEOUT, "the events do not end");
                    return events;
                }
            }
        }
    }
}

impl ExpectEvent for Server {
    type Event = Event<'static>;

    fn event_within(&self, timeout: Duration) -> Option<Event<'static>> {
        self.wait_event(timeout)
    }
}

impl ExpectEvent for Client {
    type Event = ClientEvent;

    fn event_within(&self, timeout: Duration) -> Option<ClientEvent> {
        self.wait_event(timeout)
    }
}

impl ExpectEvent for Browser {
    type Event = BrowserEvent;

    fn event_within(&self, timeout: Duration) -> Option<BrowserEvent> {
        self.wait_event(timeout)
    }
}
