//! Events that wait for the event queue of the application.

use std::collections::VecDeque;

use super::event::BrowserEvent;
use crate::event_queue::EventQueue;

/// Events that are not in the queue yet. The events of one turn, or of the time in which the queue is full, are merged
/// into one per server, so that memory stays bounded and the application still learns the current state.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    events: VecDeque<BrowserEvent>,
    full: bool,
}

impl Backlog {
    /// Adds an event and merges it with the earlier one of the same server.
    pub(super) fn add(&mut self, event: BrowserEvent) {
        use BrowserEvent::{Found, Lost, Updated};
        let id = &event.server().id;
        let earlier = self.events.iter().position(|earlier| earlier.server().id == *id);
        let Some(earlier) = earlier.and_then(|index| self.events.remove(index)) else {
            return self.events.push_back(event);
        };
        match (earlier, event) {
            // The application never learned of this server.
            (Found(_), Lost(_)) => {}
            (Found(_), Updated(server)) => self.events.push_back(Found(server)),
            // The application still knows this server.
            (Lost(_), Found(server)) => self.events.push_back(Updated(server)),
            (_, latest) => self.events.push_back(latest),
        }
    }

    /// Handles that the queue has room again.
    pub(super) fn resume(&mut self) {
        self.full = false;
    }

    /// Moves the events to `queue`, unless it is full.
    pub(super) fn flush(&mut self, queue: &EventQueue<VecDeque<BrowserEvent>>) {
        if !self.full && !self.events.is_empty() {
            self.full = queue.push(&mut self.events).paused;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::super::{DiscoveryMethod, ServerInfo};
    use super::*;

    fn server(id: &str, clients: u32) -> ServerInfo {
        ServerInfo {
            id: id.into(),
            name: String::new(),
            url: String::new(),
            addresses: Vec::new(),
            sources: Vec::new(),
            challenge: None,
            clients: Some(clients),
            auth: false,
            tls: false,
            app: None,
            cluster: None,
            meta: Default::default(),
            via: DiscoveryMethod::Udp,
            last_received: Instant::now(),
        }
    }

    fn drain(queue: &EventQueue<VecDeque<BrowserEvent>>) -> Vec<(char, String, Option<u32>)> {
        let next = || queue.next(Some(Instant::now())).event;
        let letter = |event: BrowserEvent| {
            let letter = format!("{event:?}").remove(0);
            (letter, event.server().id.clone(), event.server().clients)
        };
        std::iter::from_fn(next).map(letter).collect()
    }

    #[test]
    fn full_queue_merges_events_per_server() {
        use BrowserEvent::{Found, Lost, Updated};
        let queue = EventQueue::new(crate::EventQueueLimits { max_events: 2, max_bytes: usize::MAX });
        let mut backlog = Backlog::default();
        for id in ["a", "b"] {
            backlog.add(Found(server(id, 0)));
        }
        backlog.flush(&queue);
        for clients in 1..=10_000 {
            backlog.add(Updated(server("a", clients)));
            backlog.add(Found(server("c", clients)));
            backlog.add(Lost(server("c", clients)));
            backlog.add(Lost(server("b", clients)));
            backlog.add(Found(server("b", clients)));
            backlog.flush(&queue);
        }
        backlog.add(Found(server("d", 1)));
        backlog.add(Updated(server("d", 2)));
        assert_eq!(backlog.events.len(), 3);
        assert_eq!(drain(&queue), [('F', "a".into(), Some(0)), ('F', "b".into(), Some(0))]);
        backlog.resume();
        backlog.flush(&queue);
        let later = [('U', "a".into(), Some(10_000)), ('U', "b".into(), Some(10_000)), ('F', "d".into(), Some(2))];
        assert_eq!(drain(&queue), later);
    }
}
