//! The events of one frame, from the server's queue to the project's handlers.
//!
//! Handlers call back: they send, stop the server, free nodes. So nothing is borrowed while one runs, and everything is
//! looked at anew after it.

use std::time::{Duration, Instant};

use godot::prelude::*;
use halloo::{ClientId, Event, Message};

use crate::emitter::Emitter;

/// Messages kept for the batch between two looks at the clock, where no handler runs that could take long.
const UNCLOCKED: usize = 32;

/// A server in a frame. Its closures borrow the node only while they run, because a handler may free it.
pub(crate) struct Source<'a> {
    pub(crate) emitter: Emitter,
    /// Zero for no bound.
    pub(crate) budget: Duration,
    pub(crate) waiting: usize,
    /// Returns the next event; `None` also when the node is gone.
    pub(crate) next: &'a dyn Fn() -> Option<Event<'static>>,
    /// Returns what the handler of a batch takes per message, judging by earlier ones.
    pub(crate) batched_cost: &'a dyn Fn() -> Duration,
    pub(crate) note_batch: &'a dyn Fn(Duration, usize),
}

/// Takes events until none wait or the frame's budget is spent. The rest waits: first in the queue, then, when that is
/// full, with the clients, whose connections are not read meanwhile.
pub(crate) fn drain(source: Source<'_>) {
    if source.waiting == 0 {
        return;
    }
    let mut frame = Frame { source, start: Instant::now(), told: 0, ids: Vec::new(), texts: Vec::new() };
    while frame.has_time() {
        let Some(event) = frame.next() else { break };
        frame.tell(event);
    }
    frame.flush();
}

/// Emits `events` without regard to time.
pub(crate) fn tell_all(mut emitter: Emitter, events: Vec<Event<'static>>) {
    for event in events {
        if !emitter.is_alive() {
            return;
        }
        emitter.event(event);
    }
}

struct Frame<'a> {
    source: Source<'a>,
    start: Instant,
    told: usize,
    ids: Vec<i64>,
    texts: Vec<GString>,
}

impl Frame<'_> {
    fn has_time(&self) -> bool {
        let budget = self.source.budget;
        if budget.is_zero() {
            // Events that waited when the frame began end a frame without a bound.
            return self.told < self.source.waiting;
        }
        if !self.source.emitter.calls_for_each() && !self.told.is_multiple_of(UNCLOCKED) {
            return true;
        }
        // At least one, or a budget below the cost of one event would never end the queue.
        self.told == 0 || self.start.elapsed() + self.cost_of_batch() < budget
    }

    fn next(&self) -> Option<Event<'static>> {
        if self.source.emitter.is_alive() { (self.source.next)() } else { None }
    }

    fn tell(&mut self, event: Event<'static>) {
        self.told += 1;
        match event {
            Event::MessageReceived { client, message } => self.tell_message(client, &message),
            event => {
                // What came before is told before.
                self.flush();
                self.source.emitter.event(event);
            }
        }
    }

    fn tell_message(&mut self, client: ClientId, message: &Message<'_>) {
        if let Some(text) = self.source.emitter.message(client, message) {
            self.ids.push(client.0 as i64);
            self.texts.push(text);
        }
    }

    /// What the handler of the batch will probably take, judging by the last one.
    fn cost_of_batch(&self) -> Duration {
        if self.texts.is_empty() {
            return Duration::ZERO;
        }
        (self.source.batched_cost)().mul_f64(self.texts.len() as f64)
    }

    fn flush(&mut self) {
        let (ids, texts) = (std::mem::take(&mut self.ids), std::mem::take(&mut self.texts));
        if texts.is_empty() {
            return;
        }
        let (start, messages) = (Instant::now(), texts.len());
        self.source.emitter.batch(ids, texts);
        (self.source.note_batch)(start.elapsed(), messages);
    }
}
