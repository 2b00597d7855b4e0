//! When to probe all servers.

use std::time::Duration;

use crate::Time;

/// Delays after the first probes. With a third of all datagrams lost in one direction, five probes find a silent server
/// within 1.2 seconds in 99 of 100 cases; with as many lost in either direction, nine do within 4 seconds. There are never
/// more than four probes a second, because a server sends each source at most 20 replies a second, and a machine may run
/// several browsers. The short delays last as long as a server takes to reply to a thousand browsers that all probe at once.
const START: [Duration; 10] = [
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(400),
    Duration::from_millis(400),
    MODERATE,
    MODERATE,
    MODERATE,
    MODERATE,
    MODERATE,
    MODERATE,
];
const MODERATE: Duration = Duration::from_millis(700);
/// The delay after that, so that a server that appears or vanishes silently is noticed.
const REGULAR: Duration = Duration::from_secs(3);
/// The delay while a server is suspect.
const SUSPECT: Duration = Duration::from_millis(500);

/// One in this many probes, beginning with the first, also goes to the ports that a server falls back to. Few servers
/// use those, and it is ten times the traffic.
const WIDE_EVERY: usize = 5;

/// The ports that a broadcast probe goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// The discovery port.
    Port,
    /// The discovery port and the nine after it.
    Range,
}

/// The schedule of broadcast probes.
#[derive(Debug)]
pub(super) struct Schedule {
    next: Time,
    last: Option<Time>,
    /// Scheduled probes sent since the start.
    sent: usize,
    random: u64,
}

impl Schedule {
    /// Creates a schedule that begins at once; `seed` determines the jitter.
    pub(super) fn new(seed: u64) -> Schedule {
        Schedule { next: Time::ZERO, last: None, sent: 0, random: seed | 1 }
    }

    /// Begins anew with the short delays.
    pub(super) fn restart(&mut self, now: Time) {
        self.next = self.earliest(now);
        self.sent = 0;
    }

    /// Brings the next probe forward, because there is a server to probe.
    pub(super) fn hasten(&mut self, now: Time) {
        self.next = self.next.min(self.earliest(now));
    }

    /// Returns the earliest time for an extra probe, which bounds the rate on a network that changes all the time.
    fn earliest(&self, now: Time) -> Time {
        self.last.map_or(now, |last| now.max(last + SUSPECT))
    }

    /// Returns when the next probe is due.
    pub(super) fn next(&self, has_suspect: bool) -> Time {
        match self.last {
            // The first delays are short enough as they are.
            Some(last) if has_suspect && self.sent > START.len() => self.next.min(last + SUSPECT),
            _ => self.next,
        }
    }

    /// Returns the probe that is due, if there is one, and schedules the next.
    pub(super) fn poll(&mut self, has_suspect: bool, now: Time) -> Option<Reach> {
        if now < self.next(has_suspect) {
            return None;
        }
        let mut reach = Reach::Port;
        // A probe because of a suspect server does not count as a scheduled one.
        if now >= self.next {
            let delay = START.get(self.sent).copied().unwrap_or(REGULAR);
            let delay = self.jittered(delay);
            if self.sent.is_multiple_of(WIDE_EVERY) {
                reach = Reach::Range;
            }
            self.sent += 1;
            self.next = now + delay;
        }
        self.last = Some(now);
        Some(reach)
    }

    /// Returns the delay give or take 5 %, so that many browsers do not probe at the same time (xorshift64).
    fn jittered(&mut self, delay: Duration) -> Duration {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let share = (self.random % 1001) as u32;
        delay * 95 / 100 + delay / 10 * share / 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns when probes are sent until `end`, in milliseconds.
    fn run(schedule: &mut Schedule, has_suspect: bool, end: u64) -> Vec<u64> {
        let mut sent = Vec::new();
        let mut now = Time::ZERO;
        while now < Time::from_micros(end * 1000) {
            if schedule.poll(has_suspect, now).is_some() {
                sent.push(now.as_micros() / 1000);
            }
            now = schedule.next(has_suspect);
        }
        sent
    }

    #[test]
    fn delays_grow_to_three_seconds_with_jitter() {
        let sent = run(&mut Schedule::new(7), false, 3_600_000);
        for (sent, planned) in sent.iter().zip([0, 100, 300, 700, 1100, 1800, 2500, 3200, 3900, 4600, 5300]) {
            assert!(sent.abs_diff(planned) <= planned / 20, "{sent} instead of {planned}");
        }
        let gaps: Vec<u64> = sent[10..].windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps.iter().all(|gap| (2849..=3151).contains(gap)), "{gaps:?}");
        assert!(gaps.iter().any(|gap| *gap < 2950) && gaps.iter().any(|gap| *gap > 3050), "no jitter");
    }

    #[test]
    fn every_fifth_probe_goes_to_all_ports() {
        let (mut schedule, mut now) = (Schedule::new(7), Time::ZERO);
        let mut reaches = Vec::new();
        for _ in 0..20 {
            reaches.push(schedule.poll(false, now).expect("it is due") == Reach::Range);
            now = schedule.next(false);
        }
        assert_eq!(reaches.iter().filter(|wide| **wide).count(), 4);
        assert!(reaches[0] && reaches[5]);
    }

    #[test]
    fn suspect_server_is_probed_less_often_than_it_may_reply() {
        let sent = run(&mut Schedule::new(7), true, 60_000);
        assert!(sent.windows(5).all(|five| five[4] - five[0] > 1000), "{sent:?}");
        assert!(sent.windows(2).all(|pair| pair[1] - pair[0] <= 735));
    }

    #[test]
    fn constant_restarts_do_not_exceed_two_probes_a_second() {
        let mut schedule = Schedule::new(7);
        let mut sent = 0;
        for millis in 0..10_000 {
            let now = Time::from_micros(millis * 1000);
            schedule.restart(now);
            sent += usize::from(schedule.poll(false, now).is_some());
        }
        assert!((19..=21).contains(&sent), "{sent}");
    }
}
