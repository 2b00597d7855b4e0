//! The questions that are asked, and when.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::{Name, RecordType};
use crate::Time;

/// The first and the longest interval of a question. It doubles each time (RFC 6762 section 5.2).
const FIRST_INTERVAL: Duration = Duration::from_secs(1);
const MAX_INTERVAL: Duration = Duration::from_secs(3600);
/// Maximum questions. Only those about services that other machines claim to exist can be that many.
const MAX_QUESTIONS: usize = 1024;
/// Maximum questions that are asked together; the rest are asked in the next second.
const MAX_AT_ONCE: usize = 128;

#[derive(Clone, Copy, Debug)]
struct Timing {
    next: Time,
    interval: Duration,
    /// Not to be repeated.
    is_once: bool,
}

/// See the module documentation.
#[derive(Debug, Default)]
pub(super) struct Questions {
    asked: BTreeMap<(Name, RecordType), Timing>,
}

impl Questions {
    /// Asks at `at`, and then with increasing intervals. A question that is asked already stays as it is.
    pub(super) fn ask(&mut self, name: &Name, record_type: RecordType, at: Time) {
        if self.asked.len() < MAX_QUESTIONS {
            let timing = self.asked.entry((name.clone(), record_type));
            timing.or_insert(Timing { next: at, interval: FIRST_INTERVAL, is_once: false }).is_once = false;
        }
    }

    /// Asks once more, beside the increasing intervals.
    pub(super) fn ask_once(&mut self, name: &Name, record_type: RecordType, at: Time) {
        if self.asked.len() < MAX_QUESTIONS {
            let timing = self.asked.entry((name.clone(), record_type));
            let timing = timing.or_insert(Timing { next: at, interval: FIRST_INTERVAL, is_once: true });
            timing.next = timing.next.min(at);
        }
    }

    pub(super) fn cancel(&mut self, name: &Name, record_type: RecordType) {
        self.asked.remove(&(name.clone(), record_type));
    }

    /// Begins with the first interval again.
    pub(super) fn restart(&mut self, now: Time) {
        for timing in self.asked.values_mut() {
            timing.next = timing.next.min(now + FIRST_INTERVAL / 10);
            timing.interval = FIRST_INTERVAL;
        }
    }

    /// Returns the questions that are due, and schedules them again.
    pub(super) fn poll_due(&mut self, now: Time) -> Vec<(Name, RecordType)> {
        let mut due = Vec::new();
        self.asked.retain(|(name, record_type), timing| {
            if timing.next > now {
                return true;
            }
            if due.len() == MAX_AT_ONCE {
                timing.next = now + FIRST_INTERVAL;
                return true;
            }
            due.push((name.clone(), *record_type));
            timing.next = now + timing.interval;
            timing.interval = (timing.interval * 2).min(MAX_INTERVAL);
            !timing.is_once
        });
        due
    }

    pub(super) fn poll_timeout(&self) -> Time {
        self.asked.values().map(|timing| timing.next).min().unwrap_or(Time::NEVER)
    }
}
