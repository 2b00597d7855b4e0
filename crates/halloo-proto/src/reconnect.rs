//! When to try again, and when not to.

use std::time::Duration;

use crate::Time;
use crate::close::CloseCode;
use crate::defaults::{RETRY_FIRST, RETRY_LONGEST, STABLE_AFTER};

/// How long a client goes on trying; without a limit it never gives up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetryLimit {
    /// Attempts without a steady connection (one that lived 10 s), the first included.
    pub max_attempts: Option<u32>,
    /// Time without a steady connection.
    pub max_elapsed: Option<Duration>,
}

/// The pauses between attempts: at random up to 100 ms, then up to 200 ms, and so on up to 5 s.
///
/// The pause is drawn from the whole range ("full jitter"), so that a hundred clients whose server restarts do not
/// come back in the same instant.
#[derive(Clone, Debug)]
pub struct Backoff {
    retry_limit: RetryLimit,
    failures: u32,
    /// The last moment at which there was reason for hope: the start, or the end of a steady connection.
    since: Time,
    connected: Option<Time>,
}

impl Backoff {
    /// The first attempt begins now.
    pub fn new(retry_limit: RetryLimit, now: Time) -> Backoff {
        Backoff { retry_limit, failures: 0, since: now, connected: None }
    }

    /// The attempt led to a connection.
    pub fn handle_connected(&mut self, now: Time) {
        self.connected = Some(now);
    }

    /// The attempt failed, or the connection ended. Answers after which pause to try again; `None` is giving up.
    /// `random` is any number, each as likely as the others.
    pub fn handle_failure(&mut self, now: Time, random: u32) -> Option<Duration> {
        // One that comes and goes at once is no better than one that does not come.
        if self.connected.take().is_some_and(|connected| now - connected >= STABLE_AFTER) {
            (self.failures, self.since) = (0, now);
        }
        let range = RETRY_FIRST.saturating_mul(1 << self.failures.min(16)).min(RETRY_LONGEST);
        self.failures = self.failures.saturating_add(1);
        let pause = range.mul_f64(f64::from(random) / f64::from(u32::MAX));
        let out_of_tries = self.retry_limit.max_attempts.is_some_and(|tries| self.failures >= tries);
        // An attempt that would begin too late is not waited for.
        let out_of_time = self.retry_limit.max_elapsed.is_some_and(|time| now + pause - self.since >= time);
        (!out_of_tries && !out_of_time).then_some(pause)
    }
}

/// Whether a connection closed with `code` stays closed, since the next one would end in the same way.
///
/// Final are broken rules (1002, 1003, 1007 to 1010) and the codes of applications (3000 to 4999): somebody decided
/// that. An ordinary end, a restart, an overload or a lost connection is worth another try.
pub fn is_final_code(code: CloseCode) -> bool {
    matches!(code.number(), 1002 | 1003 | 1007..=1010 | 3000..=4999)
}

/// Whether a handshake refused with the HTTP `status` would be refused again: all but 408, 425, 429 and the server's
/// own troubles (500 and up).
pub fn is_final_status(status: u16) -> bool {
    status < 500 && !matches!(status, 408 | 425 | 429)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEVER_ENDING: RetryLimit = RetryLimit { max_attempts: None, max_elapsed: None };

    fn at(millis: u64) -> Time {
        Time::ZERO + Duration::from_millis(millis)
    }

    /// The pauses with the largest and the smallest chance.
    fn pauses(backoff: &Backoff, now: Time) -> (Option<Duration>, Option<Duration>) {
        (backoff.clone().handle_failure(now, u32::MAX), backoff.clone().handle_failure(now, 0))
    }

    #[test]
    fn pauses_double_up_to_five_seconds_and_may_be_nothing() {
        let mut backoff = Backoff::new(NEVER_ENDING, at(0));
        for longest in [100, 200, 400, 800, 1600, 3200, 5000, 5000] {
            assert_eq!(
                pauses(&backoff, at(0)),
                (Some(Duration::from_millis(longest)), Some(Duration::ZERO)),
                "{longest}"
            );
            backoff.handle_failure(at(0), 7);
        }
        for _ in 0..100_000 {
            let pause = backoff.handle_failure(at(0), u32::MAX).expect("without a limit it goes on");
            assert!(pause <= RETRY_LONGEST);
        }
    }

    #[test]
    fn only_a_steady_connection_is_a_new_start() {
        let mut backoff = Backoff::new(NEVER_ENDING, at(0));
        for _ in 0..10 {
            backoff.handle_failure(at(0), 0);
        }
        backoff.handle_connected(at(1000));
        assert_eq!(backoff.handle_failure(at(10_999), u32::MAX), Some(RETRY_LONGEST), "it lived too short");
        backoff.handle_connected(at(20_000));
        assert_eq!(backoff.handle_failure(at(30_000), u32::MAX), Some(RETRY_FIRST));
        assert_eq!(backoff.handle_failure(at(60_000), u32::MAX), Some(2 * RETRY_FIRST), "counted once");
    }

    #[test]
    fn patience_ends_by_tries_or_by_time() {
        let mut backoff = Backoff::new(RetryLimit { max_attempts: Some(3), max_elapsed: None }, at(0));
        let tries = (0..10).filter(|_| backoff.handle_failure(at(0), 0).is_some()).count();
        assert_eq!(tries, 2, "the third attempt was the last");

        let time = RetryLimit { max_attempts: None, max_elapsed: Some(Duration::from_secs(60)) };
        let mut backoff = Backoff::new(time, at(0));
        assert!(backoff.handle_failure(at(59_000), 0).is_some());
        backoff.handle_connected(at(59_000));
        assert!(backoff.handle_failure(at(100_000), 0).is_some(), "the steady connection starts it anew");
        assert!(backoff.handle_failure(at(159_999), 0).is_some());
        assert_eq!(backoff.handle_failure(at(160_000), 0), None);
        let mut once = Backoff::new(RetryLimit { max_attempts: Some(1), max_elapsed: None }, at(0));
        assert_eq!(once.handle_failure(at(0), 0), None);
    }

    #[test]
    fn a_hundred_clients_come_back_spread_out() {
        let times: std::collections::BTreeSet<Duration> = (0..100)
            .filter_map(|client: u32| {
                Backoff::new(NEVER_ENDING, at(0)).handle_failure(at(0), client.wrapping_mul(0x9e37_79b9))
            })
            .collect();
        assert!(times.len() > 90 && *times.last().expect("some") <= RETRY_FIRST);
    }

    #[test]
    fn what_is_final() {
        for code in [1000, 1001, 1005, 1006, 1011, 1012, 1013] {
            assert!(!is_final_code(code.into()), "{code}");
        }
        for code in [1002, 1003, 1007, 1008, 1009, 1010, 3000, 4000, 4999] {
            assert!(is_final_code(code.into()), "{code}");
        }
        assert!([200, 301, 400, 401, 403, 404, 405, 426, 431].into_iter().all(is_final_status));
        assert!(![408, 425, 429, 500, 502, 503].into_iter().any(is_final_status));
    }
}
