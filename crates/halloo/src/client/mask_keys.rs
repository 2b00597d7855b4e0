//! Random numbers for masking keys, handshake nonces and backoff.

use std::io;

/// Bytes that are fetched at once: enough for 256 keys, so that the system call is rare.
const BATCH: usize = 1024;

/// Random numbers from the operating system.
///
/// A masking key must be unpredictable to the author of the payload (RFC 6455 section 10.3); otherwise a web page could
/// make a client write bytes of the page's choice to the network. In batches, the generator of the operating system costs
/// a few nanoseconds per key, less than masking a short message, so that no weaker generator is needed.
#[derive(Debug)]
pub(super) struct MaskKeys {
    batch: [u8; BATCH],
    used: usize,
}

impl MaskKeys {
    pub(super) fn new() -> MaskKeys {
        MaskKeys { batch: [0; BATCH], used: BATCH }
    }

    /// Returns the masking key of one frame.
    pub(super) fn next(&mut self) -> io::Result<[u8; 4]> {
        self.take()
    }

    /// Returns the nonce of one opening handshake.
    pub(super) fn handshake_nonce(&mut self) -> io::Result<[u8; 16]> {
        self.take()
    }

    /// Returns a random number for the next backoff. Without entropy it is the largest one, for the longest pause.
    pub(super) fn backoff_jitter(&mut self) -> u32 {
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
    fn keys_do_not_repeat_from_batch_to_batch() {
        let mut keys = MaskKeys::new();
        let distinct: HashSet<[u8; 16]> = (0..10_000).map(|_| keys.handshake_nonce().unwrap()).collect();
        assert_eq!(distinct.len(), 10_000);
        let distinct: HashSet<[u8; 4]> = (0..1000).map(|_| keys.next().unwrap()).collect();
        assert!(distinct.len() > 990);
    }
}
