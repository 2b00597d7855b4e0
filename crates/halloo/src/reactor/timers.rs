//! Which connections are due to be looked at.

use halloo_proto::Time;

use super::connection::Connection;
use super::deadline_queue::{DeadlineQueue, Tick};

/// The deadlines of all connections. Each connection has one live entry; older ones are ignored when they expire.
#[derive(Debug, Default)]
pub(super) struct Timers {
    queue: DeadlineQueue,
}

impl Timers {
    /// Looks at `connection` at `due`, unless it is looked at earlier anyway.
    pub(super) fn schedule(&mut self, connection: &mut Connection, due: Time) {
        let tick = Tick::at_or_after(due);
        if tick < connection.timer {
            connection.timer = tick;
            self.queue.insert(connection.slot, tick);
        }
    }

    /// Returns when the next deadline expires.
    pub(super) fn next(&self) -> Option<Time> {
        self.queue.next()
    }

    /// Returns the connections of one expired tick; those whose timer has changed since are to be ignored:
    /// [`Timers::take`].
    pub(super) fn pop(&mut self, now: Time) -> Option<(Tick, Vec<u32>)> {
        self.queue.pop(now)
    }

    /// Returns whether the entry for `tick` is the live one of `connection`, which then has none any more.
    pub(super) fn take(connection: &mut Connection, tick: Tick) -> bool {
        let is_live = connection.timer == tick;
        if is_live {
            connection.timer = Tick::NEVER;
        }
        is_live
    }
}
