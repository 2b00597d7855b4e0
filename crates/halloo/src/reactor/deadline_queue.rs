//! Deadlines of connections, coarse and lazy.

use std::collections::BTreeMap;
use std::time::Duration;

use halloo_proto::Time;

/// Deadlines within one grain expire together; none of them is finer than seconds.
const GRAIN: Duration = Duration::from_millis(50);

/// A deadline rounded up to the grain. Four bytes, because every connection keeps one; they last for 6.8 years.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tick(u32);

impl Tick {
    /// Later than every deadline.
    pub(super) const NEVER: Tick = Tick(u32::MAX);

    /// Returns the first tick at or after `at`.
    pub(super) fn at_or_after(at: Time) -> Tick {
        let tick = at.as_micros().div_ceil(GRAIN.as_micros() as u64);
        Tick(u32::try_from(tick).unwrap_or(u32::MAX))
    }

    fn time(self) -> Time {
        Time::from_micros(u64::from(self.0) * GRAIN.as_micros() as u64)
    }
}

/// Slots of connections by the tick of their timer. Traffic never touches the queue: an entry that expires too early is
/// inserted again for the actual deadline of the connection.
#[derive(Debug, Default)]
pub(super) struct DeadlineQueue {
    entries: BTreeMap<Tick, Vec<u32>>,
}

impl DeadlineQueue {
    /// Inserts `slot` for `tick`.
    pub(super) fn insert(&mut self, slot: u32, tick: Tick) {
        self.entries.entry(tick).or_default().push(slot);
    }

    /// Returns when the next entry expires.
    pub(super) fn next(&self) -> Option<Time> {
        self.entries.keys().next().map(|tick| tick.time())
    }

    /// Removes and returns the entries of one tick that has expired.
    pub(super) fn pop(&mut self, now: Time) -> Option<(Tick, Vec<u32>)> {
        let entry = self.entries.first_entry()?;
        let tick = *entry.key();
        (tick.time() <= now).then(|| (tick, entry.remove()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_expire_together_in_order_and_never_early() {
        let mut queue = DeadlineQueue::default();
        let at = |millis| Time::ZERO + Duration::from_millis(millis);
        let mut insert = |slot, millis| {
            let tick = Tick::at_or_after(at(millis));
            queue.insert(slot, tick);
            tick
        };
        let late = insert(1, 5001);
        assert!(late.time() >= at(5001) && late.time() - at(5001) < GRAIN);
        let early = insert(2, 10);
        assert_eq!(insert(3, 40), early);
        assert_eq!(queue.next(), Some(early.time()));
        assert_eq!(queue.pop(at(40)), None);
        assert_eq!(queue.pop(at(60)), Some((early, vec![2, 3])));
        assert_eq!(queue.pop(at(60)), None);
        assert_eq!(queue.pop(at(6000)), Some((late, vec![1])));
        assert_eq!(queue.next(), None);
    }

    #[test]
    fn never_is_later_than_any_uptime() {
        assert_eq!(Tick::at_or_after(Time::NEVER), Tick::NEVER);
        assert!(Tick::at_or_after(Time::ZERO + Duration::from_secs(5 * 365 * 86_400)) < Tick::NEVER);
    }
}
