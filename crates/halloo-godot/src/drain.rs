//! Takes the events of one frame from the server's queue and emits them to the handlers of the project.
//!
//! Handlers call back: they send, stop the server, free nodes. So nothing is borrowed while a handler runs, and everything
//! is checked again after it.

use std::rc::Rc;
use std::time::Instant;

use godot::prelude::*;
use halloo::{ClientId, Event, Message};

use crate::emitter::Emitter;
use crate::frame_budget::FrameBudget;

/// The number of messages added to a batch between two checks of the clock. No handler runs in that time.
const MESSAGES_PER_CLOCK_CHECK: usize = 32;

/// The server as [`drain`] sees it. The closures borrow the node only while they run, because a handler may free it.
pub(crate) struct Source<'a> {
    pub(crate) emitter: Emitter,
    pub(crate) budget: Rc<FrameBudget>,
    /// The number of events in the queue.
    pub(crate) waiting: usize,
    /// Returns the next event; `None` if there is none or the node was freed.
    pub(crate) next: &'a dyn Fn() -> Option<Event<'static>>,
}

/// Emits events until the queue is empty or the frame's budget is used up. Other events stay in the queue; when it is full,
/// the server stops reading from the clients.
pub(crate) fn drain(source: Source<'_>) {
    if source.waiting == 0 {
        return;
    }
    source.budget.begin_frame(Instant::now());
    let mut frame = Frame { source, emitted: 0, ids: Vec::new(), texts: Vec::new() };
    while frame.has_time() {
        let Some(event) = frame.next() else { break };
        frame.emit(event);
    }
    frame.flush();
}

/// Emits all of `events`, without a time limit.
pub(crate) fn emit_all(mut emitter: Emitter, events: Vec<Event<'static>>) {
    for event in events {
        if !emitter.is_alive() {
            return;
        }
        emitter.event(event);
    }
}

struct Frame<'a> {
    source: Source<'a>,
    emitted: usize,
    ids: Vec<i64>,
    texts: Vec<GString>,
}

impl Frame<'_> {
    fn has_time(&self) -> bool {
        if !self.source.budget.is_limited() {
            // Without a limit, the frame handles the events that were waiting when it began.
            return self.emitted < self.source.waiting;
        }
        if !self.source.emitter.calls_per_message() && !self.emitted.is_multiple_of(MESSAGES_PER_CLOCK_CHECK) {
            return true;
        }
        // At least one event per frame, or a budget below the cost of an event would emit none.
        self.emitted == 0 || self.source.budget.has_time_after(self.texts.len(), Instant::now())
    }

    fn next(&self) -> Option<Event<'static>> {
        if self.source.emitter.is_alive() { (self.source.next)() } else { None }
    }

    fn emit(&mut self, event: Event<'static>) {
        self.emitted += 1;
        match event {
            Event::MessageReceived { client, message } => self.emit_message(client, &message),
            event => {
                // The batch so far precedes this event.
                self.flush();
                self.source.emitter.event(event);
            }
        }
    }

    fn emit_message(&mut self, client: ClientId, message: &Message<'_>) {
        if let Some(text) = self.source.emitter.message(client, message) {
            self.ids.push(client.0 as i64);
            self.texts.push(text);
        }
    }

    fn flush(&mut self) {
        let (ids, texts) = (std::mem::take(&mut self.ids), std::mem::take(&mut self.texts));
        if texts.is_empty() {
            return;
        }
        let (spent, messages) = (self.source.budget.spent(Instant::now()), texts.len());
        self.source.emitter.batch(ids, texts);
        let took = self.source.budget.spent(Instant::now()).saturating_sub(spent);
        self.source.budget.note_batch(took, messages);
    }
}
