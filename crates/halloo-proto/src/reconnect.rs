//! Whether and when to reconnect.

mod ending;

use std::time::Duration;

pub use ending::{Certainty, Ending, is_final_code, is_final_status};

use crate::Time;
use crate::defaults::{FIRST_RETRY_DELAY, MAX_RETRY_DELAY, STABLE_AFTER};

/// When a client stops trying to connect; the default is never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetryLimit {
    /// Attempts, including the first, without a stable connection, which is one that lasted 10 s.
    pub max_attempts: Option<u32>,
    /// Time without a stable connection.
    pub max_elapsed: Option<Duration>,
}

/// The delays between attempts: a random one of at most 100 ms, then of at most 200 ms, and so on up to 5 s.
///
/// The delay is drawn from the whole range ("full jitter"), so that a hundred clients whose server restarts do not all
/// reconnect at the same time.
#[derive(Clone, Debug)]
pub struct Backoff {
    retry_limit: RetryLimit,
    failures: u32,
    /// The start, or the end of the last stable connection.
    since: Time,
    connected: Option<Time>,
}

impl Backoff {
    /// Creates a backoff whose first attempt begins now.
    pub fn new(retry_limit: RetryLimit, now: Time) -> Backoff {
        Backoff { retry_limit, failures: 0, since: now, connected: None }
    }

    /// Records that the attempt succeeded.
    pub fn handle_connected(&mut self, now: Time) {
        self.connected = Some(now);
    }

    /// Returns whether the current connection is stable, which it is after 10 s.
    pub fn is_stable(&self, now: Time) -> bool {
        self.connected.is_some_and(|connected| now - connected >= STABLE_AFTER)
    }

    /// Records that the attempt failed or that the connection ended. Returns the delay before the next attempt; `None`
    /// to give up. `random` is uniformly distributed.
    pub fn handle_failure(&mut self, now: Time, random: u32) -> Option<Duration> {
        // A connection that ends at once counts as a failed attempt.
        if self.is_stable(now) {
            (self.failures, self.since) = (0, now);
        }
        self.connected = None;
        let range = FIRST_RETRY_DELAY.saturating_mul(1 << self.failures.min(16)).min(MAX_RETRY_DELAY);
        self.failures = self.failures.saturating_add(1);
        let delay = range.mul_f64(f64::from(random) / f64::from(u32::MAX));
        let out_of_attempts = self.retry_limit.max_attempts.is_some_and(|attempts| self.failures >= attempts);
        // No attempt begins after the limit.
        let out_of_time = self.retry_limit.max_elapsed.is_some_and(|time| now + delay - self.since >= time);
        (!out_of_attempts && !out_of_time).then_some(delay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNLIMITED: RetryLimit = RetryLimit { max_attempts: None, max_elapsed: None };

    fn at(millis: u64) -> Time {
        Time::ZERO + Duration::from_millis(millis)
    }

    /// Returns the longest and the shortest delay.
    fn delays(backoff: &Backoff, now: Time) -> (Option<Duration>, Option<Duration>) {
        (backoff.clone().handle_failure(now, u32::MAX), backoff.clone().handle_failure(now, 0))
    }

    #[test]
    fn delays_double_up_to_five_seconds_and_may_be_zero() {
        let mut backoff = Backoff::new(UNLIMITED, at(0));
        for longest in [100, 200, 400, 800, 1600, 3200, 5000, 5000] {
            assert_eq!(
                delays(&backoff, at(0)),
                (Some(Duration::from_millis(longest)), Some(Duration::ZERO)),
                "{longest}"
            );
            backoff.handle_failure(at(0), 7);
        }
        for _ in 0..100_000 {
            let delay = backoff.handle_failure(at(0), u32::MAX).expect("no limit");
            assert!(delay <= MAX_RETRY_DELAY);
        }
    }

    #[test]
    fn only_a_stable_connection_resets_the_delays() {
        let mut backoff = Backoff::new(UNLIMITED, at(0));
        for _ in 0..10 {
            backoff.handle_failure(at(0), 0);
        }
        backoff.handle_connected(at(1000));
        assert!(!backoff.is_stable(at(10_999)));
        assert_eq!(backoff.handle_failure(at(10_999), u32::MAX), Some(MAX_RETRY_DELAY), "it ended too soon");
        backoff.handle_connected(at(20_000));
        assert!(backoff.is_stable(at(30_000)));
        assert_eq!(backoff.handle_failure(at(30_000), u32::MAX), Some(FIRST_RETRY_DELAY));
        assert_eq!(backoff.handle_failure(at(60_000), u32::MAX), Some(2 * FIRST_RETRY_DELAY), "counted once");
    }

    #[test]
    fn gives_up_after_max_attempts_or_max_elapsed() {
        let mut backoff = Backoff::new(RetryLimit { max_attempts: Some(3), max_elapsed: None }, at(0));
        let attempts = (0..10).filter(|_| backoff.handle_failure(at(0), 0).is_some()).count();
        assert_eq!(attempts, 2, "the third attempt was the last");

        let time = RetryLimit { max_attempts: None, max_elapsed: Some(Duration::from_secs(60)) };
        let mut backoff = Backoff::new(time, at(0));
        assert!(backoff.handle_failure(at(59_000), 0).is_some());
        backoff.handle_connected(at(59_000));
        assert!(backoff.handle_failure(at(100_000), 0).is_some(), "the stable connection resets the time");
        assert!(backoff.handle_failure(at(159_999), 0).is_some());
        assert_eq!(backoff.handle_failure(at(160_000), 0), None);
        let mut once = Backoff::new(RetryLimit { max_attempts: Some(1), max_elapsed: None }, at(0));
        assert_eq!(once.handle_failure(at(0), 0), None);
    }

    #[test]
    fn hundred_clients_reconnect_at_different_times() {
        let times: std::collections::BTreeSet<Duration> = (0..100)
            .filter_map(|client: u32| {
                Backoff::new(UNLIMITED, at(0)).handle_failure(at(0), client.wrapping_mul(0x9e37_79b9))
            })
            .collect();
        assert!(times.len() > 90 && *times.last().expect("some") <= FIRST_RETRY_DELAY);
    }
}
