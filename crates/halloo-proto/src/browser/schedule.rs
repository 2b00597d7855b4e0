//! When to ask everybody.

use std::time::Duration;

use crate::Time;

/// After the first probe. A lost datagram costs a hundred milliseconds, then three hundred, and so on; with a third of
/// all datagrams lost on either way, eight probes find a server that is silent in 99 of 100 cases, in 4 seconds. Never
/// more than four a second, for a server answers each asker five; and as long as it takes a server to answer a
/// thousand that all ask at once.
const START: [Duration; 9] = [
    Duration::from_millis(100),
    Duration::from_millis(300),
    Duration::from_millis(600),
    MODERATE,
    MODERATE,
    MODERATE,
    MODERATE,
    MODERATE,
    MODERATE,
];
const MODERATE: Duration = Duration::from_millis(700);
/// From then on, so that a server that appears silent, or vanishes without a word, is noticed.
const STABLE_AFTER: Duration = Duration::from_secs(3);
/// While some server is in doubt.
const DOUBT: Duration = Duration::from_millis(500);

/// One probe in so many, beginning with the first, also goes to the ports that a server falls back to. Few have to, and
/// it is ten times the traffic.
const WIDE: usize = 5;

/// A probe that goes to everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// To the discovery port.
    Port,
    /// And to the nine after it.
    Range,
}

/// The rhythm of probes that go to everybody.
#[derive(Debug)]
pub(super) struct Schedule {
    next: Time,
    last: Option<Time>,
    /// How many probes of the start were sent.
    sent: usize,
    random: u64,
}

impl Schedule {
    pub(super) fn new(seed: u64) -> Schedule {
        Schedule { next: Time::ZERO, last: None, sent: 0, random: seed | 1 }
    }

    pub(super) fn restart(&mut self, now: Time) {
        self.next = self.soon(now);
        self.sent = 0;
    }

    /// There is somebody to ask: the next probe comes soon.
    pub(super) fn hasten(&mut self, now: Time) {
        self.next = self.next.min(self.soon(now));
    }

    /// The earliest moment for a probe beyond the rhythm, whatever happens on the network.
    fn soon(&self, now: Time) -> Time {
        self.last.map_or(now, |last| now.max(last + DOUBT))
    }

    /// When the next probe is due.
    pub(super) fn next(&self, doubt: bool) -> Time {
        match self.last {
            // The start is dense enough as it is.
            Some(last) if doubt && self.sent > START.len() => self.next.min(last + DOUBT),
            _ => self.next,
        }
    }

    /// The probe that is due, if one is; then the next one is scheduled.
    pub(super) fn poll(&mut self, doubt: bool, now: Time) -> Option<Reach> {
        if now < self.next(doubt) {
            return None;
        }
        let mut reach = Reach::Port;
        // A probe that doubt brought about does not count as one of the rhythm.
        if now >= self.next {
            let wait = START.get(self.sent).copied().unwrap_or(STABLE_AFTER);
            let wait = self.jittered(wait);
            if self.sent.is_multiple_of(WIDE) {
                reach = Reach::Range;
            }
            self.sent += 1;
            self.next = now + wait;
        }
        self.last = Some(now);
        Some(reach)
    }

    /// The wait give or take 5 %, so that many browsers do not ask in chorus (xorshift64).
    fn jittered(&mut self, wait: Duration) -> Duration {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let share = (self.random % 1001) as u32;
        wait * 95 / 100 + wait / 10 * share / 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When probes are sent until `end`, in milliseconds.
    fn run(schedule: &mut Schedule, doubt: bool, end: u64) -> Vec<u64> {
        let mut sent = Vec::new();
        let mut now = Time::ZERO;
        while now < Time::from_micros(end * 1000) {
            if schedule.poll(doubt, now).is_some() {
                sent.push(now.as_micros() / 1000);
            }
            now = schedule.next(doubt);
        }
        sent
    }

    #[test]
    fn an_hour_of_asking() {
        let sent = run(&mut Schedule::new(7), false, 3_600_000);
        for (sent, planned) in sent.iter().zip([0, 100, 400, 1000, 1700, 2400, 3100, 3800, 4500, 5200]) {
            assert!(sent.abs_diff(planned) <= planned / 20, "{sent} instead of {planned}");
        }
        let gaps: Vec<u64> = sent[9..].windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps.iter().all(|gap| (2849..=3151).contains(gap)), "{gaps:?}");
        assert!(gaps.iter().any(|gap| *gap < 2950) && gaps.iter().any(|gap| *gap > 3050), "no jitter");
    }

    #[test]
    fn one_in_five_goes_to_all_ports() {
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
    fn even_in_doubt_a_server_is_asked_less_often_than_it_answers() {
        let sent = run(&mut Schedule::new(7), true, 60_000);
        assert!(sent.windows(5).all(|five| five[4] - five[0] > 1000), "{sent:?}");
        assert!(sent.windows(2).all(|pair| pair[1] - pair[0] <= 735));
    }

    #[test]
    fn a_network_that_changes_all_the_time_makes_no_flood() {
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
