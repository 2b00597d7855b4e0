//! Since when peers are heard: a time in which nobody listened is not to be held against them.

use std::time::Duration;

use crate::Time;

/// A turn may come so late on a busy machine, whatever the heartbeat is.
const LATE: Duration = Duration::from_millis(100);
/// How long what has gathered meanwhile may take to be read.
const CATCH_UP: Duration = Duration::from_secs(1);

/// The driver's clock, and the last time in which it did not read: because its application did not keep up, or because the
/// process was suspended, its machine asleep, or a handler slow.
///
/// A [`Time`] is the pauses of one who always listened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadPauses {
    now: Time,
    deaf_from: Time,
    since: Time,
    paused: bool,
}

impl From<Time> for ReadPauses {
    fn from(now: Time) -> ReadPauses {
        ReadPauses { now, deaf_from: now, since: Time::ZERO, paused: false }
    }
}

impl ReadPauses {
    /// A turn begins `now`, which was to come after `timeout` at the latest (`None`: whenever). Answers whether it comes
    /// so late that nobody can have been heard, or asked whether he is there.
    pub fn handle_turn(&mut self, now: Time, timeout: Option<Duration>, heartbeat: Duration) -> bool {
        let before = std::mem::replace(&mut self.now, now);
        let held_up = timeout.is_some_and(|timeout| (now - before).saturating_sub(timeout) > heartbeat.max(LATE));
        if held_up && !self.paused {
            (self.deaf_from, self.since) = (before, now);
        }
        held_up
    }

    /// Nothing is read from now on.
    pub fn pause(&mut self) {
        if !self.paused {
            (self.deaf_from, self.paused) = (self.now, true);
        }
    }

    /// It is read again.
    pub fn resume(&mut self) {
        if std::mem::take(&mut self.paused) {
            self.since = self.now;
        }
    }

    /// This turn's moment.
    pub fn now(&self) -> Time {
        self.now
    }

    /// Silence before this moment proves nothing, and nothing can have ended before it.
    pub fn since(&self) -> Time {
        self.since
    }

    /// When what is read now may have come at the earliest.
    pub fn earliest(&self) -> Time {
        let catches_up = self.since > Time::ZERO && self.now - self.since < CATCH_UP;
        if catches_up { self.deaf_from.min(self.now) } else { self.now }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Time {
        Time::from_micros(millis * 1000)
    }

    const BEAT: Duration = Duration::from_secs(5);

    #[test]
    fn a_pause_counts_from_its_beginning_to_its_end() {
        let mut pauses = ReadPauses::from(at(1000));
        assert_eq!((pauses.since(), pauses.earliest()), (Time::ZERO, at(1000)));
        pauses.pause();
        pauses.handle_turn(at(4000), None, BEAT);
        pauses.pause();
        pauses.handle_turn(at(9000), None, BEAT);
        pauses.resume();
        assert_eq!((pauses.since(), pauses.earliest()), (at(9000), at(1000)));
        pauses.handle_turn(at(9900), None, BEAT);
        pauses.resume();
        assert_eq!((pauses.since(), pauses.earliest()), (at(9000), at(1000)));
        pauses.handle_turn(at(10_000), None, BEAT);
        assert_eq!(pauses.earliest(), at(10_000), "by now all has been read");
    }

    #[test]
    fn a_turn_that_is_late_by_more_than_a_heartbeat_was_held_up() {
        let timeout = Some(Duration::from_millis(200));
        for (beat, late, expected) in [(5000, 5200, false), (5000, 5201, true), (0, 300, false), (0, 301, true)] {
            let (mut pauses, beat) = (ReadPauses::from(at(1000)), Duration::from_millis(beat));
            assert_eq!(pauses.handle_turn(at(1000 + late), timeout, beat), expected, "{beat:?} {late}");
            let since = if expected { at(1000 + late) } else { Time::ZERO };
            assert_eq!(pauses.since(), since);
            assert_eq!(pauses.earliest(), if expected { at(1000) } else { at(1000 + late) });
        }
        assert!(!ReadPauses::from(at(1000)).handle_turn(at(99_000), None, BEAT), "nothing was due");
    }
}
