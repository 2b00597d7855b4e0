//! Threads that wait until a client has accepted everything that was sent to it.

use std::sync::Weak;
use std::sync::mpsc::SyncSender;

use super::connections::Connections;
use crate::ClientId;

/// One waiting thread.
#[derive(Debug)]
pub(crate) struct DrainWaiter {
    pub(crate) client: ClientId,
    /// Receives whether the client accepted everything; `false` if it left.
    pub(crate) reply: SyncSender<bool>,
    /// Gone when the thread does not wait any more.
    pub(crate) is_waiting: Weak<()>,
}

/// The threads that wait.
#[derive(Debug, Default)]
pub(super) struct DrainWaiters {
    waiters: Vec<DrainWaiter>,
}

impl DrainWaiters {
    pub(super) fn add(&mut self, waiter: DrainWaiter) {
        self.waiters.push(waiter);
    }

    /// At the end of a turn: replies to those whose client has accepted everything, or left.
    pub(super) fn reply(&mut self, connections: &Connections) {
        self.waiters.retain(|waiter| {
            let drained = connections.is_drained(waiter.client);
            if drained != Some(false) {
                // The thread may have stopped waiting, which is no error.
                let _ = waiter.reply.try_send(drained.is_some());
            }
            drained == Some(false) && waiter.is_waiting.strong_count() > 0
        });
    }
}
