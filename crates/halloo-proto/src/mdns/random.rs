//! Random delays from a seed.

use std::time::Duration;

/// A generator of delays (xorshift64). They spread packets over time, and need not be unpredictable.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Random {
        Random(seed | 1)
    }

    /// Returns a delay of at least `from` and less than `to`.
    pub(super) fn delay(&mut self, from: Duration, to: Duration) -> Duration {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        from + (to - from) * (self.0 % 1000) as u32 / 1000
    }
}
