//! The broadcasts of one turn, encoded once for all clients.

/// Bytes of capacity that the buffer keeps when a turn is over.
const RETAINED: usize = 128 * 1024;

/// Encoded frames, and their position in the stream of all broadcasts since the start. A client's offset is a position in
/// that stream.
#[derive(Debug, Default)]
pub(super) struct BroadcastBuffer {
    pub(super) bytes: Vec<u8>,
    start: u64,
}

impl BroadcastBuffer {
    /// Returns the offset of a client that has every broadcast so far.
    pub(super) fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    /// Returns where in [`BroadcastBuffer::bytes`] the frames begin that a client with this offset lacks.
    pub(super) fn missing_from(&self, offset: u64) -> usize {
        offset.saturating_sub(self.start) as usize
    }

    /// Empties the buffer once every client has everything.
    pub(super) fn clear(&mut self) {
        self.start = self.end();
        self.bytes.clear();
        self.bytes.shrink_to(RETAINED);
    }
}
