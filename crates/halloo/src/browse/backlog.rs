//! Events on their way to an application that may not take them.

use std::collections::VecDeque;

use super::event::BrowserEvent;
use crate::event_queue::EventQueue;

/// What happens in one turn, or while the queue is full, is merged to one event for each server, so that nothing grows
/// and the application still learns how things stand.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    events: VecDeque<BrowserEvent>,
    full: bool,
}

impl Backlog {
    pub(super) fn add(&mut self, event: BrowserEvent) {
        use BrowserEvent::{Found, Lost, Updated};
        let id = &event.server().id;
        let earlier = self.events.iter().position(|earlier| earlier.server().id == *id);
        let Some(earlier) = earlier.and_then(|index| self.events.remove(index)) else {
            return self.events.push_back(event);
        };
        match (earlier, event) {
            // It came and went unseen.
            (Found(_), Lost(_)) => {}
            (Found(_), Updated(server)) => self.events.push_back(Found(server)),
            // It was gone for a while, unseen.
            (Lost(_), Found(server)) => self.events.push_back(Updated(server)),
            (_, latest) => self.events.push_back(latest),
        }
    }

    /// The queue has room again.
    pub(super) fn resume(&mut self) {
        self.full = false;
    }

    /// Hands over what waits, if there is room.
    pub(super) fn flush(&mut self, queue: &EventQueue<VecDeque<BrowserEvent>>) {
        if !self.full && !self.events.is_empty() {
            self.full = queue.push(&mut self.events);
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
            clients: Some(clients),
            auth: false,
            tls: false,
            via: DiscoveryMethod::Udp,
            heard: Instant::now(),
        }
    }

    fn told(queue: &EventQueue<VecDeque<BrowserEvent>>) -> Vec<(char, String, Option<u32>)> {
        let next = || queue.next(Some(Instant::now())).event;
        let letter = |event: BrowserEvent| {
            let letter = format!("{event:?}").remove(0);
            (letter, event.server().id.clone(), event.server().clients)
        };
        std::iter::from_fn(next).map(letter).collect()
    }

    #[test]
    fn a_full_queue_gets_one_event_for_each_server() {
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
        assert_eq!(told(&queue), [('F', "a".into(), Some(0)), ('F', "b".into(), Some(0))]);
        backlog.resume();
        backlog.flush(&queue);
        let later = [('U', "a".into(), Some(10_000)), ('U', "b".into(), Some(10_000)), ('F', "d".into(), Some(2))];
        assert_eq!(told(&queue), later);
    }
}
