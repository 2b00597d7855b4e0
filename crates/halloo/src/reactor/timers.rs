//! The timers of all connections.

use halloo_proto::Time;

use super::connection::Connection;
use super::deadline_queue::{DeadlineQueue, Tick};

/// The deadlines of all connections. Each connection has one live entry; older ones are ignored when they expire.
#[derive(Debug, Default)]
pub(super) struct Timers {
    queue: DeadlineQueue,
}

impl Timers {
    /// Sets the timer of `connection` to `due`, unless it expires earlier anyway.
    pub(super) fn schedule(&mut self, connection: &mut Connection, due: Time) {
        let tick = Tick::at_or_after(due);
        if tick < connection.timer {
            connection.timer = tick;
            self.queue.insert(connection.slot, tick);
        }
    }

    /// Returns when the next entry expires.
    pub(super) fn next(&self) -> Option<Time> {
        self.queue.next()
    }

    /// Removes and returns one expired tick and its connections. [`Timers::take`] returns whether the entry of one is
    /// live.
    pub(super) fn pop(&mut self, now: Time) -> Option<(Tick, Vec<u32>)> {
        self.queue.pop(now)
    }

    /// Returns whether the entry for `tick` is the live one of `connection`, and removes it in this case.
    pub(super) fn take(connection: &mut Connection, tick: Tick) -> bool {
        let is_live = connection.timer == tick;
        if is_live {
            connection.timer = Tick::NEVER;
        }
        is_live
    }
}
