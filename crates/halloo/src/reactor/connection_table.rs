//! All connections by slot.

use slab::Slab;

use super::connection::Connection;

/// The table of connections. A connection that is closed stays in its slot until [`ConnectionTable::reap`] at the end of
/// the turn, so that no call invalidates the connection its caller works on, and no slot is reused within a turn.
#[derive(Debug, Default)]
pub(super) struct ConnectionTable {
    slab: Slab<Connection>,
}

impl ConnectionTable {
    /// Returns the slot that the next connection gets.
    pub(super) fn next_slot(&self) -> usize {
        self.slab.vacant_key()
    }

    /// Adds a connection in [`ConnectionTable::next_slot`].
    pub(super) fn insert(&mut self, connection: Connection) -> &mut Connection {
        let slot = self.slab.insert(connection);
        &mut self.slab[slot]
    }

    /// Returns the number of connections, pending and closing ones included.
    pub(super) fn len(&self) -> usize {
        self.slab.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slab.is_empty()
    }

    /// Returns the slot after the last one.
    pub(super) fn end(&self) -> usize {
        self.slab.iter().next_back().map_or(0, |(slot, _)| slot + 1)
    }

    #[inline]
    pub(super) fn get(&self, slot: usize) -> Option<&Connection> {
        self.slab.get(slot)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, slot: usize) -> Option<&mut Connection> {
        self.slab.get_mut(slot)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Connection> {
        self.slab.iter().map(|(_, connection)| connection)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Connection> {
        self.slab.iter_mut().map(|(_, connection)| connection)
    }

    /// Removes the closed connection in `slot`, which closes its socket.
    pub(super) fn reap(&mut self, slot: u32) {
        let removed = self.slab.try_remove(slot as usize);
        debug_assert!(removed.is_some_and(|connection| connection.is_closed()), "only closed connections are reaped");
    }
}
