//! The events of one frame, from the server's queue to the project's handlers.
//!
//! Handlers call back: they send, stop the server, free nodes. So nothing is borrowed while one runs, and everything is
//! looked at anew after it.

use std::time::{Duration, Instant};

use godot::prelude::*;
use halloo::{ClientId, Event, Message};

use crate::emitter::Emitter;
use crate::server::HallooServer;

/// Messages kept for the batch between two looks at the clock, where no handler runs that could take long.
const UNCLOCKED: usize = 32;

/// Takes events until none wait or the frame's budget is spent. The rest waits: first in the queue, then, when that is
/// full, with the clients, whose connections are not read meanwhile.
pub(crate) fn drain(server: &Gd<HallooServer>) {
    let Some(mut frame) = Frame::begin(server) else { return };
    while frame.has_time() {
        let Some(event) = frame.next() else { break };
        frame.tell(event);
    }
    frame.flush();
}

/// Emits `events` without regard to time.
pub(crate) fn tell_all(server: &Gd<HallooServer>, events: Vec<Event<'static>>) {
    let mut emitter = server.bind().emitter();
    for event in events {
        if !emitter.is_alive() {
            return;
        }
        emitter.event(event);
    }
}

struct Frame<'a> {
    server: &'a Gd<HallooServer>,
    emitter: Emitter,
    start: Instant,
    /// `None` for no bound.
    budget: Option<Duration>,
    /// Events that waited when the frame began, which ends a frame without a bound; and those told since.
    waiting: usize,
    told: usize,
    ids: Vec<i64>,
    texts: Vec<GString>,
}

impl Frame<'_> {
    fn begin(server: &Gd<HallooServer>) -> Option<Frame<'_>> {
        let node = server.bind();
        let waiting = node.waiting_events();
        if waiting == 0 {
            return None;
        }
        let (emitter, budget) = (node.emitter(), node.frame_budget());
        let budget = Some(budget).filter(|budget| !budget.is_zero());
        drop(node);
        let (ids, texts) = (Vec::new(), Vec::new());
        Some(Frame { server, emitter, start: Instant::now(), budget, waiting, told: 0, ids, texts })
    }

    fn has_time(&self) -> bool {
        let Some(budget) = self.budget else { return self.told < self.waiting };
        if !self.emitter.calls_for_each() && !self.told.is_multiple_of(UNCLOCKED) {
            return true;
        }
        // At least one, or a budget below the cost of one event would never end the queue.
        self.told == 0 || self.start.elapsed() + self.cost_of_batch() < budget
    }

    fn next(&self) -> Option<Event<'static>> {
        if !self.server.is_instance_valid() || !self.emitter.is_alive() {
            return None;
        }
        self.server.bind().try_event()
    }

    fn tell(&mut self, event: Event<'static>) {
        self.told += 1;
        match event {
            Event::MessageReceived { client, message } => self.tell_message(client, &message),
            event => {
                // What came before is told before.
                self.flush();
                self.emitter.event(event);
            }
        }
    }

    fn tell_message(&mut self, client: ClientId, message: &Message<'_>) {
        if let Some(text) = self.emitter.message(client, message) {
            self.ids.push(client.0 as i64);
            self.texts.push(text);
        }
    }

    /// What the handler of the batch will probably take, judging by the last one.
    fn cost_of_batch(&self) -> Duration {
        if self.texts.is_empty() || !self.server.is_instance_valid() {
            return Duration::ZERO;
        }
        self.server.bind().cost_of_batched_message().mul_f64(self.texts.len() as f64)
    }

    fn flush(&mut self) {
        let (ids, texts) = (std::mem::take(&mut self.ids), std::mem::take(&mut self.texts));
        if texts.is_empty() {
            return;
        }
        let (start, messages) = (Instant::now(), texts.len());
        self.emitter.batch(ids, texts);
        if self.server.is_instance_valid() {
            self.server.bind().note_batch(start.elapsed(), messages);
        }
    }
}
