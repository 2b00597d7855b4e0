//! A limit on what compressed messages are inflated to: a kilobyte may become a megabyte.

use std::time::Duration;

use crate::Time;
use crate::defaults::{INFLATE_MEMORY, INFLATE_RATIO};

/// How long a budget may be overdrawn, in microseconds: so much as it allows in this time is inflated at once.
const BURST_MICROS: u64 = 1_000_000;

/// A leaky bucket for the bytes that messages are inflated to beyond [`INFLATE_RATIO`] times those received. Whatever
/// exceeds it is not lost; the peer is only not read meanwhile.
///
/// ```
/// use halloo_proto::Time;
/// use halloo_proto::inflate_budget::InflateBudget;
///
/// let mut budget = InflateBudget::default();
/// budget.spend(1000, 3_000_000, 1_000_000, Time::ZERO);
/// assert!(budget.blocked_until() > Time::ZERO);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InflateBudget {
    /// When the bucket is empty again.
    empty_at: Time,
}

impl InflateBudget {
    /// Counts a message of `compressed` bytes that was inflated to `inflated`, with `rate` bytes per second allowed beyond
    /// the ratio.
    pub fn spend(&mut self, compressed: usize, inflated: usize, rate: usize, now: Time) {
        let excess = inflated.saturating_sub(compressed.saturating_mul(INFLATE_RATIO)) as u64;
        let micros = excess.saturating_mul(1_000_000) / (rate as u64).max(1);
        if micros > 0 {
            self.empty_at = self.empty_at.max(now) + Duration::from_micros(micros);
        }
    }

    /// Returns whether nothing was counted, or everything leaked out long ago.
    pub fn is_forgotten(&self, now: Time) -> bool {
        self.empty_at == Time::ZERO || self.empty_at + INFLATE_MEMORY <= now
    }

    /// Returns the time until which no further message is to be inflated; it may have passed.
    pub fn blocked_until(&self) -> Time {
        Time::from_micros(self.empty_at.as_micros().saturating_sub(BURST_MICROS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;
    const RATE: usize = 4 * MIB;

    /// Returns how many messages are inflated in `seconds` when there is always another one.
    fn inflated_within(seconds: u64, compressed: usize, inflated: usize) -> u64 {
        let (mut budget, mut messages, mut now) = (InflateBudget::default(), 0, Time::ZERO);
        while now < Time::ZERO + Duration::from_secs(seconds) && messages < 1_000_000 {
            budget.spend(compressed, inflated, RATE, now);
            messages += 1;
            now = now.max(budget.blocked_until());
        }
        messages
    }

    #[test]
    fn bombs_are_inflated_at_the_allowed_rate_after_a_burst() {
        let messages = inflated_within(100, 1000, MIB);
        assert!((400..=415).contains(&messages), "{messages} MiB in 100 s at 4 MiB/s");
    }

    #[test]
    fn data_within_the_ratio_is_not_delayed() {
        assert_eq!(inflated_within(1, MIB / INFLATE_RATIO, MIB), 1_000_000);
        let mut budget = InflateBudget::default();
        budget.spend(10, 10 * INFLATE_RATIO, RATE, Time::ZERO);
        assert!(budget.is_forgotten(Time::ZERO));
    }

    #[test]
    fn one_message_of_the_largest_size_is_never_delayed() {
        let mut budget = InflateBudget::default();
        budget.spend(1, RATE, RATE, Time::ZERO);
        assert_eq!(budget.blocked_until(), Time::ZERO);
        budget.spend(usize::MAX, 0, 0, Time::ZERO);
        budget.spend(0, usize::MAX, 0, Time::ZERO);
        assert!(budget.blocked_until() > Time::ZERO && !budget.is_forgotten(Time::ZERO));
    }
}
