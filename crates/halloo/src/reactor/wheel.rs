//! Deadlines, coarse and lazy: a connection has one entry, looked at again when it fires.

use std::collections::BTreeMap;
use std::time::Duration;

use halloo_proto::Time;

/// Deadlines within one such span fire together; none of them is finer than seconds.
const GRAIN: Duration = Duration::from_millis(50);

/// Slots of connections by the moment to look at them. Activity never touches the wheel: an entry that fires too
/// early is simply entered again for the connection's true deadline.
#[derive(Debug, Default)]
pub(crate) struct Wheel {
    entries: BTreeMap<u64, Vec<usize>>,
}

impl Wheel {
    /// Enters `slot` to fire at or just after `at`, and answers the rounded moment by which the entry is known.
    pub(crate) fn enter(&mut self, slot: usize, at: Time) -> Time {
        let tick = at.as_micros().div_ceil(GRAIN.as_micros() as u64);
        self.entries.entry(tick).or_default().push(slot);
        moment(tick)
    }

    /// When the next entry fires.
    pub(crate) fn next(&self) -> Option<Time> {
        self.entries.keys().next().map(|&tick| moment(tick))
    }

    /// Takes the entries of one moment that has come.
    pub(crate) fn pop(&mut self, now: Time) -> Option<(Time, Vec<usize>)> {
        let entry = self.entries.first_entry()?;
        let at = moment(*entry.key());
        (at <= now).then(|| (at, entry.remove()))
    }
}

fn moment(tick: u64) -> Time {
    Time::from_micros(tick.saturating_mul(GRAIN.as_micros() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_fire_together_in_order_and_never_early() {
        let mut wheel = Wheel::default();
        let at = |millis| Time::ZERO + Duration::from_millis(millis);
        let late = wheel.enter(1, at(5001));
        assert!(late >= at(5001) && late - at(5001) < GRAIN);
        let early = wheel.enter(2, at(10));
        assert_eq!(wheel.enter(3, at(40)), early);
        assert_eq!(wheel.next(), Some(early));
        assert_eq!(wheel.pop(at(40)), None);
        assert_eq!(wheel.pop(at(60)), Some((early, vec![2, 3])));
        assert_eq!(wheel.pop(at(60)), None);
        assert_eq!(wheel.pop(at(6000)), Some((late, vec![1])));
        assert_eq!(wheel.next(), None);
    }
}
