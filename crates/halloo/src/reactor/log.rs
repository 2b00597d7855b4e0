//! This turn's broadcasts, encoded once for all.

/// Bytes that the buffer of a log keeps when a turn is over.
const KEPT: usize = 128 * 1024;

/// Encoded frames, and where they begin in the stream of all broadcasts since the start. A client's mark is a place in
/// that stream.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) bytes: Vec<u8>,
    start: u64,
}

impl Log {
    /// The mark of a client that has got everything so far.
    pub(super) fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    /// From where on a client with this mark has not got the log yet.
    pub(super) fn missed_from(&self, mark: u64) -> usize {
        mark.saturating_sub(self.start) as usize
    }

    /// Everybody has got everything.
    pub(super) fn clear(&mut self) {
        self.start = self.end();
        self.bytes.clear();
        self.bytes.shrink_to(KEPT);
    }
}
