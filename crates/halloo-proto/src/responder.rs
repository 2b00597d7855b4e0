//! How often probes are answered: enough for everybody, and of no use to whoever wants to flood a third party.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::time::Duration;

use crate::Time;

/// Replies in any second, to all and to one source.
const REPLIES: usize = 200;
const REPLIES_TO_ONE: usize = 5;
const SECOND: Duration = Duration::from_secs(1);
/// When there were too many in the last second, it is a crowd that asks, and only those are answered that were not in
/// this time: enough for a thousand to have their turn.
const MEMORY: Duration = Duration::from_secs(6);

/// Decides which probes are answered: in any second five of one source (loopback exempt), 200 of all.
#[derive(Debug, Default)]
pub struct Responder {
    /// The replies of the last second, oldest first: never more than [`REPLIES`].
    last_second: VecDeque<(Time, Ipv4Addr)>,
    /// Those before, as long as they are remembered: never more than [`REPLIES`] for each second.
    earlier: VecDeque<(Time, Ipv4Addr)>,
    /// Until then it is a crowd.
    crowd_until: Time,
}

impl Responder {
    /// Whether a probe from `source` may be answered now; [`Responder::answered`] counts the answer.
    pub fn allows(&mut self, source: Ipv4Addr, now: Time) -> bool {
        self.forget(now);
        if self.last_second.len() >= REPLIES {
            self.crowd_until = now + SECOND;
            return false;
        }
        // All programs of this machine share one address, and none of them is far away or forged.
        if source.is_loopback() {
            return true;
        }
        let to_source = |list: &VecDeque<(Time, Ipv4Addr)>| list.iter().filter(|(_, to)| *to == source).count();
        let lately = to_source(&self.last_second);
        let is_crowd = now < self.crowd_until;
        if is_crowd { lately == 0 && to_source(&self.earlier) == 0 } else { lately < REPLIES_TO_ONE }
    }

    /// A reply goes to `source`. Only replies count, or probes that get none would silence the server.
    pub fn answered(&mut self, source: Ipv4Addr, now: Time) {
        self.last_second.push_back((now, source));
    }

    fn forget(&mut self, now: Time) {
        while self.last_second.front().is_some_and(|&(at, _)| now - at >= SECOND) {
            self.earlier.extend(self.last_second.pop_front());
        }
        while self.earlier.front().is_some_and(|&(at, _)| now - at >= MEMORY) {
            self.earlier.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(responder: &mut Responder, source: impl Into<Ipv4Addr>, now: Time) -> bool {
        let source = source.into();
        let allowed = responder.allows(source, now);
        if allowed {
            responder.answered(source, now);
        }
        allowed
    }

    fn at(millis: u64) -> Time {
        Time::from_micros(millis * 1000)
    }

    #[test]
    fn five_a_second_for_one() {
        let mut responder = Responder::default();
        assert_eq!((0..100).filter(|_| ask(&mut responder, [10, 0, 0, 1], at(7000))).count(), 5);
        assert!(!ask(&mut responder, [10, 0, 0, 1], at(7999)));
        assert!(ask(&mut responder, [10, 0, 0, 1], at(8000)));
    }

    #[test]
    fn two_hundred_in_any_second_for_all() {
        let mut responder = Responder::default();
        let mut count = |now| (0..=255).filter(|&last| ask(&mut responder, [10, 0, 1, last], now)).count();
        assert_eq!(count(at(500)), 200);
        assert_eq!(count(at(1000)), 0, "a second is any second, not one of the clock");
        assert_eq!(count(at(10_500)), 200);
        let mut local = Responder::default();
        assert_eq!((0..300).filter(|_| ask(&mut local, Ipv4Addr::LOCALHOST, at(0))).count(), 200);
    }

    #[test]
    fn in_a_crowd_everybody_has_a_turn() {
        let mut responder = Responder::default();
        let mut waiting: std::collections::BTreeSet<u16> = (0..1000).collect();
        // All of them ask ten times a second, also those that had an answer.
        for tenth in 0..50 {
            for number in 0..1000 {
                let [high, low] = u16::to_be_bytes(number);
                if ask(&mut responder, [10, 1, high, low], at(tenth * 100)) {
                    waiting.remove(&number);
                }
            }
        }
        assert!(waiting.is_empty(), "{} had no answer", waiting.len());
        assert!(responder.earlier.len() <= 6 * REPLIES);
    }
}
