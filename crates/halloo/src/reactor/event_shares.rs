//! The share of each client in the event queue, so that the messages of one do not delay those of the others.

use std::collections::VecDeque;

use halloo_proto::defaults::{
    EVENT_SHARES, EVENT_SHARES_OF_COUNT, MAX_EVENT_SHARE_BYTES, MERGED_EVENT_BYTES, MIN_EVENT_SHARE_BYTES,
};

use super::connection::Connection;
use super::connection_table::ConnectionTable;
use crate::{ClientId, EventQueueLimits};

/// The unit in which is counted, in bytes, so that a connection needs two bytes for it.
const UNIT: usize = 64;

/// Which part of the event queue each client uses. A read is charged to its client, and released once the application has
/// taken its events. There is one entry for a read and not for a message, so that a message costs nothing more.
#[derive(Debug)]
pub(super) struct EventShares {
    /// What one client may use before it is no longer read, in units.
    share: u16,
    /// The bytes as which an event counts besides those of its message.
    event_cost: usize,
    reads: VecDeque<Read>,
    /// The number of events that were pushed to the queue.
    published: u64,
}

/// The events of a read, or of some small ones.
#[derive(Debug)]
struct Read {
    client: ClientId,
    slot: u32,
    /// The number of events that were pushed to the queue up to the last of these.
    end: u64,
    cost: u16,
}

impl EventShares {
    pub(super) fn new(limits: EventQueueLimits) -> EventShares {
        let share = (limits.max_bytes / EVENT_SHARES).clamp(MIN_EVENT_SHARE_BYTES, MAX_EVENT_SHARE_BYTES);
        EventShares {
            share: units(share),
            event_cost: share / (limits.max_events / EVENT_SHARES_OF_COUNT).max(1),
            reads: VecDeque::new(),
            published: 0,
        }
    }

    /// Charges events with so many bytes of messages to `connection`. They are the last of `batched` events that are not
    /// published yet.
    pub(super) fn charge(&mut self, connection: &mut Connection, events: usize, bytes: usize, batched: usize) {
        let bytes = bytes.saturating_add(events.saturating_mul(self.event_cost));
        // What does not fit into the number is far more than a share in any case.
        let queued = connection.queued.saturating_add(units(bytes));
        let cost = queued - std::mem::replace(&mut connection.queued, queued);
        let end = self.published + batched as u64;
        match self.reads.back_mut() {
            Some(last) if last.client == connection.client && last.cost < units(MERGED_EVENT_BYTES) => {
                (last.end, last.cost) = (end, last.cost.saturating_add(cost));
            }
            _ => self.reads.push_back(Read { client: connection.client, slot: connection.slot, end, cost }),
        }
    }

    /// Records that `events` were pushed to the queue, and that the application has taken `released` since the start.
    pub(super) fn handle_published(&mut self, events: usize, released: u64, table: &mut ConnectionTable) {
        self.published += events as u64;
        self.handle_released(released, table);
    }

    /// Records that the application has taken `released` events since the start.
    pub(super) fn handle_released(&mut self, released: u64, table: &mut ConnectionTable) {
        while let Some(read) = self.reads.front().filter(|read| read.end <= released) {
            // The client may have left, and its slot may be in use again.
            if let Some(connection) = table.get_mut(read.slot as usize).filter(|c| c.client == read.client) {
                connection.queued = connection.queued.saturating_sub(read.cost);
            }
            self.reads.pop_front();
        }
    }

    /// Returns whether `connection` uses more than its share.
    pub(super) fn is_exceeded(&self, connection: &Connection) -> bool {
        connection.queued > self.share
    }

    /// Returns whether a connection that had exceeded its share uses at most half of it again.
    pub(super) fn has_room(&self, connection: &Connection) -> bool {
        connection.queued <= self.share / 2
    }
}

/// Returns a number of bytes in units, rounded up.
fn units(bytes: usize) -> u16 {
    u16::try_from(bytes.div_ceil(UNIT)).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use halloo_proto::Time;

    use super::*;

    /// Returns a table with two clients. The listener keeps their sockets connected.
    fn clients() -> (TcpListener, ConnectionTable) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let mut table = ConnectionTable::default();
        for client in [1, 2] {
            let stream = mio::net::TcpStream::connect(addr).unwrap();
            let slot = table.next_slot();
            let connection = table.insert(Connection::new(stream, addr, slot, 1, Time::NEVER));
            connection.client = ClientId(client);
        }
        (listener, table)
    }

    #[test]
    fn a_share_is_exceeded_by_bytes_or_events_and_free_again_when_half_was_taken() {
        let limits = EventQueueLimits::default();
        // Messages of 64 KiB, and reads of 64 small ones.
        for (events, bytes) in [(1, 64 * 1024), (64, 64)] {
            let (_listener, mut table) = clients();
            let mut shares = EventShares::new(limits);
            let mut reads: u64 = 0;
            while !shares.is_exceeded(table.get(0).unwrap()) {
                shares.charge(table.get_mut(0).unwrap(), events, bytes, events);
                shares.handle_published(events, 0, &mut table);
                reads += 1;
            }
            let queued = reads as usize * events;
            assert!(
                queued * bytes / events <= limits.max_bytes / 60 && queued <= limits.max_events / 3,
                "{reads} reads"
            );
            assert!(!shares.is_exceeded(table.get(1).unwrap()), "the other client has its own");
            let taken = (1..=reads).find(|&taken| {
                shares.handle_released(taken * events as u64, &mut table);
                shares.has_room(table.get(0).unwrap())
            });
            assert!(
                taken.unwrap().abs_diff(reads / 2) <= 2 + MERGED_EVENT_BYTES as u64 / 64 / events as u64,
                "{taken:?}"
            );
            shares.handle_released(reads * events as u64, &mut table);
            assert_eq!((table.get(0).unwrap().queued, shares.reads.len()), (0, 0), "everything is released");
        }
    }

    #[test]
    fn events_of_a_client_that_left_are_not_released_for_the_next_one_in_its_slot() {
        let (_listener, mut table) = clients();
        let mut shares = EventShares::new(EventQueueLimits::default());
        shares.charge(table.get_mut(0).unwrap(), 1, 100_000, 1);
        shares.handle_published(1, 0, &mut table);
        let connection = table.get_mut(0).unwrap();
        (connection.client, connection.queued) = (ClientId(3), 0);
        shares.charge(connection, 1, 100_000, 1);
        let queued = connection.queued;
        shares.handle_published(1, 1, &mut table);
        assert_eq!(table.get(0).unwrap().queued, queued);
        shares.handle_released(2, &mut table);
        assert_eq!(table.get(0).unwrap().queued, 0);
    }
}
