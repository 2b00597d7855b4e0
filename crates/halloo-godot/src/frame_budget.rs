//! How much time of a frame the handlers of signals may use.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// The budget of a server. Its node shares it with the loop that emits events, because a handler may free the node.
#[derive(Debug)]
pub(crate) struct FrameBudget {
    /// The time in each frame; zero for no limit.
    limit: Cell<Duration>,
    /// When the frame began.
    start: Cell<Instant>,
    /// The time in this frame that does not count.
    exempt: Cell<Duration>,
    /// The time that counts, per message, as the last batches suggest.
    message_cost: Cell<Duration>,
}

impl FrameBudget {
    pub(crate) fn new(limit: Duration, now: Instant) -> FrameBudget {
        let zero = Cell::<Duration>::default;
        FrameBudget { limit: Cell::new(limit), start: Cell::new(now), exempt: zero(), message_cost: zero() }
    }

    pub(crate) fn set_limit(&self, limit: Duration) {
        self.limit.set(limit);
    }

    pub(crate) fn is_limited(&self) -> bool {
        !self.limit.get().is_zero()
    }

    pub(crate) fn begin_frame(&self, now: Instant) {
        self.start.set(now);
        self.exempt.set(Duration::ZERO);
    }

    /// Returns the time of this frame that counts.
    pub(crate) fn spent(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.start.get()).saturating_sub(self.exempt.get())
    }

    /// Returns whether a batch of `messages` would leave time for another event. What its handler takes is estimated from the
    /// last batches.
    pub(crate) fn has_time_after(&self, messages: usize, now: Instant) -> bool {
        self.spent(now) + self.message_cost.get().mul_f64(messages as f64) < self.limit.get()
    }

    /// Adds to the time in this frame that does not count.
    pub(crate) fn exempt(&self, time: Duration) {
        self.exempt.set(self.exempt.get().saturating_add(time));
    }

    /// Records the time that the handler of a batch took, without what does not count.
    pub(crate) fn note_batch(&self, took: Duration, messages: usize) {
        // If the estimate fell at once after a small batch that was exempt, the next batch of a flood would have no limit.
        self.message_cost.set(took.div_f64(messages as f64).max(self.message_cost.get() / 2));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn batch_is_limited_by_what_the_last_one_took() {
        let start = Instant::now();
        let budget = FrameBudget::new(2 * MS, start);
        assert!(budget.has_time_after(1000, start) && !budget.has_time_after(0, start + 2 * MS));
        budget.note_batch(10 * MS, 100);
        budget.begin_frame(start + 16 * MS);
        assert!(budget.has_time_after(19, start + 16 * MS));
        assert!(!budget.has_time_after(19, start + 17 * MS));
        assert!(!budget.has_time_after(20, start + 16 * MS));
    }

    #[test]
    fn estimate_falls_slowly_and_rises_at_once() {
        let start = Instant::now();
        let budget = FrameBudget::new(2 * MS, start);
        budget.note_batch(10 * MS, 100);
        budget.note_batch(Duration::ZERO, 10);
        assert!(budget.has_time_after(39, start) && !budget.has_time_after(40, start));
        budget.note_batch(MS, 5);
        assert!(budget.has_time_after(9, start) && !budget.has_time_after(10, start));
    }

    #[test]
    fn exempt_time_does_not_count_in_its_frame() {
        let start = Instant::now();
        let budget = FrameBudget::new(2 * MS, start);
        budget.exempt(3 * MS);
        assert_eq!(budget.spent(start + 4 * MS), MS);
        assert!(budget.has_time_after(1, start + 4 * MS));
        budget.begin_frame(start);
        assert!(!budget.has_time_after(1, start + 4 * MS));
        budget.exempt(Duration::MAX);
        budget.exempt(Duration::MAX);
        assert_eq!(budget.spent(start + 4 * MS), Duration::ZERO);
    }
}
