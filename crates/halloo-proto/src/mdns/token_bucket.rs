//! A limit on what may happen per second.

use std::time::Duration;

use crate::Time;

/// Allows a number of events at once, and as many per second on average.
#[derive(Clone, Debug)]
pub(super) struct TokenBucket {
    per_second: u32,
    /// The time at which the bucket is full again.
    full_at: Time,
}

impl TokenBucket {
    /// Creates a full bucket.
    pub(super) fn new(per_second: u32) -> TokenBucket {
        TokenBucket { per_second, full_at: Time::ZERO }
    }

    /// Takes a token. Returns whether there was one.
    pub(super) fn take(&mut self, now: Time) -> bool {
        let available = self.poll_available(now) <= now;
        if available {
            self.full_at = self.full_at.max(now) + Duration::from_secs(1) / self.per_second;
        }
        available
    }

    /// Returns when there is a token.
    pub(super) fn poll_available(&self, now: Time) -> Time {
        let token = Duration::from_secs(1) / self.per_second;
        // The bucket holds a second's worth of tokens.
        now + ((self.full_at - now) + token).saturating_sub(Duration::from_secs(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn burst_is_followed_by_the_average() {
        let mut bucket = TokenBucket::new(10);
        let taken = (0..2000).filter(|millis| bucket.take(Time::ZERO + Duration::from_millis(*millis))).count();
        assert!((29..=30).contains(&taken), "{taken}");
        let at = Time::ZERO + Duration::from_millis(2000);
        assert_eq!(bucket.take(at), bucket.poll_available(at) > at);
        assert!(bucket.take(Time::ZERO + Duration::from_secs(60)));
    }
}
