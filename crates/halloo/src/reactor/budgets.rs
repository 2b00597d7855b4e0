//! The memory that all connections together may take: partial messages, outboxes, and what arrives before a handshake is
//! complete.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use halloo_proto::defaults::MAX_PENDING_BYTES_TOTAL;

use super::connection::{Connection, State};
use super::connection_table::ConnectionTable;
use crate::Config;

/// Totals over all connections. When one is exceeded, the connection that uses the most memory is closed.
#[derive(Debug)]
pub(super) struct Budgets {
    max_partial_bytes: u64,
    max_pending_bytes: u64,
    max_outbox_bytes: usize,
    partial_bytes: u64,
    pending_bytes: u64,
    outbox_bytes: Arc<AtomicUsize>,
}

impl Budgets {
    pub(super) fn new(config: &Config, outbox_bytes: Arc<AtomicUsize>) -> Budgets {
        // One message of the largest allowed size is no attack, whatever its buffer grew to.
        let least = config.messages.max_message_bytes.saturating_mul(2);
        Budgets {
            max_partial_bytes: config.max_partial_bytes_total.max(least) as u64,
            // As with messages, one head of the largest allowed size is no attack.
            max_pending_bytes: config.handshakes.max_head_bytes.saturating_mul(2).max(MAX_PENDING_BYTES_TOTAL) as u64,
            max_outbox_bytes: config.max_outbox_bytes_total,
            partial_bytes: 0,
            pending_bytes: 0,
            outbox_bytes,
        }
    }

    /// Counts what the partial message of `connection` takes now. Returns whether the total is exceeded by it.
    #[inline]
    pub(super) fn track_partial(&mut self, connection: &mut Connection) -> bool {
        let bytes = match &connection.state {
            State::WebSocket(websocket) => u32::try_from(websocket.partial_bytes()).unwrap_or(u32::MAX),
            State::Pending(_) | State::Closed => 0,
        };
        self.partial_bytes = self.partial_bytes - u64::from(connection.tracked_bytes) + u64::from(bytes);
        connection.tracked_bytes = bytes;
        bytes > 0 && self.partial_bytes > self.max_partial_bytes
    }

    /// Counts what the incomplete head and TLS handshake of a pending `connection` take now. Returns whether the total is
    /// exceeded by it.
    pub(super) fn track_pending(&mut self, connection: &mut Connection) -> bool {
        let State::Pending(pending) = &connection.state else { return false };
        let bytes = u32::try_from(pending.head.len() + connection.stream.handshake_bytes()).unwrap_or(u32::MAX);
        self.pending_bytes = self.pending_bytes - u64::from(connection.tracked_bytes) + u64::from(bytes);
        connection.tracked_bytes = bytes;
        bytes > 0 && self.pending_bytes > self.max_pending_bytes
    }

    /// No longer counts what `connection` takes. Called before its state changes.
    pub(super) fn release(&mut self, connection: &mut Connection) {
        let bytes = u64::from(std::mem::take(&mut connection.tracked_bytes));
        match connection.state {
            State::Pending(_) => self.pending_bytes -= bytes,
            State::WebSocket(_) | State::Closed => self.partial_bytes -= bytes,
        }
    }

    /// Returns whether the outboxes together exceed their total.
    #[inline]
    pub(super) fn outboxes_exceed(&self) -> bool {
        self.outbox_bytes.load(Ordering::Relaxed) > self.max_outbox_bytes
    }

    /// Returns the connection with the largest partial message.
    pub(super) fn largest_partial(table: &mut ConnectionTable) -> Option<&mut Connection> {
        let websockets = table.iter_mut().filter(|connection| matches!(connection.state, State::WebSocket(_)));
        websockets.max_by_key(|connection| connection.tracked_bytes)
    }

    /// Returns the pending connection of which the most has arrived.
    pub(super) fn largest_pending(table: &mut ConnectionTable) -> Option<&mut Connection> {
        let pending = table.iter_mut().filter(|connection| matches!(connection.state, State::Pending(_)));
        pending.max_by_key(|connection| connection.tracked_bytes)
    }

    /// Returns the slot of the connection with the largest outbox.
    pub(super) fn largest_outbox(table: &ConnectionTable) -> Option<usize> {
        let waiting = |connection: &Connection| connection.outbox.as_ref().map_or(0, |outbox| outbox.memory());
        let sockets = table.iter().filter(|connection| !connection.is_closed());
        sockets.max_by_key(|connection| waiting(connection)).map(|connection| connection.slot as usize)
    }
}
