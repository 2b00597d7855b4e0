//! Pauses of reading, so that their time does not count against the peers.

use std::time::Duration;

use crate::Time;

/// Tolerance for a late turn of the loop on a busy machine, however short the heartbeat is.
const MAX_LATENESS: Duration = Duration::from_millis(100);
/// Time to read what arrived during a pause.
const CATCH_UP: Duration = Duration::from_secs(1);

/// The driver's clock, and the last pause in which the driver did not read: because the application did not take
/// events, because the process was suspended, because the machine was asleep, or because a handler was slow.
///
/// A plain [`Time`] converts into the clock of a driver that never paused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadPauses {
    now: Time,
    paused_from: Time,
    since: Time,
    paused: bool,
}

impl From<Time> for ReadPauses {
    fn from(now: Time) -> ReadPauses {
        ReadPauses { now, paused_from: now, since: Time::ZERO, paused: false }
    }
}

impl ReadPauses {
    /// Begins a turn at `now`, which was due at most `timeout` after the last one (`None`: at any time). A turn that is
    /// late by more than a heartbeat counts as a pause, because nothing was read meanwhile.
    pub fn handle_turn(&mut self, now: Time, timeout: Option<Duration>, heartbeat: Duration) {
        let before = std::mem::replace(&mut self.now, now);
        let is_late =
            timeout.is_some_and(|timeout| (now - before).saturating_sub(timeout) > heartbeat.max(MAX_LATENESS));
        if is_late && !self.paused {
            (self.paused_from, self.since) = (before, now);
        }
    }

    /// Pauses reading.
    pub fn pause(&mut self) {
        if !self.paused {
            (self.paused_from, self.paused) = (self.now, true);
        }
    }

    /// Resumes reading.
    pub fn resume(&mut self) {
        if std::mem::take(&mut self.paused) {
            self.since = self.now;
        }
    }

    /// Returns the clock of a connection that is not read while the others are.
    pub fn held(mut self) -> ReadPauses {
        self.pause();
        self
    }

    /// Returns whether reading is paused.
    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// Returns the time of the current turn.
    #[inline]
    pub fn now(&self) -> Time {
        self.now
    }

    /// Returns the end of the last pause. Earlier silence proves nothing, and no message had to be complete earlier.
    pub fn since(&self) -> Time {
        self.since
    }

    /// Returns the earliest time at which bytes that are being read now may have arrived.
    pub fn earliest(&self) -> Time {
        let catches_up = self.since > Time::ZERO && self.now - self.since < CATCH_UP;
        if catches_up { self.paused_from.min(self.now) } else { self.now }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Time {
        Time::from_micros(millis * 1000)
    }

    const HEARTBEAT: Duration = Duration::from_secs(5);

    #[test]
    fn repeated_pause_and_resume_do_not_change_the_pause() {
        let mut pauses = ReadPauses::from(at(1000));
        assert_eq!((pauses.since(), pauses.earliest()), (Time::ZERO, at(1000)));
        pauses.pause();
        pauses.handle_turn(at(4000), None, HEARTBEAT);
        pauses.pause();
        assert!(pauses.is_paused());
        pauses.handle_turn(at(9000), None, HEARTBEAT);
        pauses.resume();
        assert_eq!((pauses.since(), pauses.earliest()), (at(9000), at(1000)));
        pauses.handle_turn(at(9900), None, HEARTBEAT);
        pauses.resume();
        assert_eq!((pauses.since(), pauses.earliest()), (at(9000), at(1000)));
        pauses.handle_turn(at(10_000), None, HEARTBEAT);
        assert_eq!(pauses.earliest(), at(10_000), "everything has been read by then");
    }

    #[test]
    fn turn_that_is_late_by_more_than_a_heartbeat_is_a_pause() {
        let timeout = Some(Duration::from_millis(200));
        for (heartbeat, late, expected) in [(5000, 5200, false), (5000, 5201, true), (0, 300, false), (0, 301, true)] {
            let (mut pauses, heartbeat) = (ReadPauses::from(at(1000)), Duration::from_millis(heartbeat));
            pauses.handle_turn(at(1000 + late), timeout, heartbeat);
            let since = if expected { at(1000 + late) } else { Time::ZERO };
            assert_eq!(pauses.since(), since, "{heartbeat:?} {late}");
            assert_eq!(pauses.earliest(), if expected { at(1000) } else { at(1000 + late) });
        }
        let mut pauses = ReadPauses::from(at(1000));
        pauses.handle_turn(at(99_000), None, HEARTBEAT);
        assert_eq!(pauses.since(), Time::ZERO, "nothing was due");
    }
}
