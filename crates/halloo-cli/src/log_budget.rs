//! How many lines the log may have, so that peers that connect again and again cannot fill a disk with it.

use std::time::{Duration, Instant};

/// Lines that may come at once, such as those of hundreds of clients that reconnect after a failure.
pub(crate) const MAX_LINES_AT_ONCE: u32 = 1000;
/// Lines per second in the long run.
pub(crate) const LINES_PER_SECOND: u32 = 20;

/// The time between two lines in the long run.
const INTERVAL: Duration = Duration::from_millis(1000 / LINES_PER_SECOND as u64);

/// Allows [`MAX_LINES_AT_ONCE`] lines, and then [`LINES_PER_SECOND`].
#[derive(Debug, Default)]
pub(crate) struct LogBudget {
    /// When every line so far had its time; `None` before the first.
    spent_until: Option<Instant>,
}

impl LogBudget {
    /// Returns whether another line may be written, and counts it.
    pub(crate) fn spend(&mut self, now: Instant) -> bool {
        let spent_until = self.spent_until.map_or(now, |time| time.max(now));
        let allowed = spent_until.saturating_duration_since(now) < INTERVAL * MAX_LINES_AT_ONCE;
        if allowed {
            self.spent_until = Some(spent_until + INTERVAL);
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_followed_by_a_steady_rate() {
        let (mut budget, start) = (LogBudget::default(), Instant::now());
        let mut lines = |time: Duration| (0..10_000).filter(|_| budget.spend(start + time)).count() as u32;
        assert_eq!(lines(Duration::ZERO), MAX_LINES_AT_ONCE);
        assert_eq!(lines(Duration::from_secs(1)), LINES_PER_SECOND);
        assert_eq!(lines(Duration::from_secs(11)), 10 * LINES_PER_SECOND);
        assert_eq!(lines(Duration::from_secs(3600)), MAX_LINES_AT_ONCE);
    }
}
