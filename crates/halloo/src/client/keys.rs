//! Random numbers for masking keys, nonces and pauses.

use std::io;

/// Bytes fetched in one go: 256 keys, so that the call to the system is spread thin.
const BATCH: usize = 1024;

/// Random numbers from the system.
///
/// A masking key must not be guessable by whoever chooses the payload (RFC 6455 section 10.3), or a page could make a
/// client write bytes of the page's choice into the network. The system's own generator is the strongest source there
/// is, and in batches it costs a few nanoseconds a key: less than masking a short message. So no weaker generator
/// stands between it and the keys.
#[derive(Debug)]
pub(super) struct Keys {
    batch: [u8; BATCH],
    used: usize,
}

impl Keys {
    pub(super) fn new() -> Keys {
        Keys { batch: [0; BATCH], used: BATCH }
    }

    /// The key of one frame.
    pub(super) fn next(&mut self) -> io::Result<[u8; 4]> {
        self.take()
    }

    /// The nonce of one handshake.
    pub(super) fn nonce(&mut self) -> io::Result<[u8; 16]> {
        self.take()
    }

    /// A number to spread pauses by. Without entropy the pause is the longest of its range.
    pub(super) fn number(&mut self) -> u32 {
        self.take().map_or(u32::MAX, u32::from_ne_bytes)
    }

    fn take<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        if self.used + N > BATCH {
            getrandom::fill(&mut self.batch).map_err(|error| io::Error::other(error.to_string()))?;
            self.used = 0;
        }
        let mut taken = [0; N];
        taken.copy_from_slice(&self.batch[self.used..self.used + N]);
        self.used += N;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn keys_are_not_repeated_from_batch_to_batch() {
        let mut keys = Keys::new();
        let distinct: HashSet<[u8; 16]> = (0..10_000).map(|_| keys.nonce().unwrap()).collect();
        assert_eq!(distinct.len(), 10_000);
        let distinct: HashSet<[u8; 4]> = (0..1000).map(|_| keys.next().unwrap()).collect();
        assert!(distinct.len() > 990);
    }
}
