//! The rate limit for replies to probes: high enough for many browsers at once, too low to flood a third party.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use crate::Time;

/// Maximum number of replies in any second to all sources.
const MAX_REPLIES: usize = 200;
/// Maximum number of replies in any second to one source: for ten programs of one machine that search at once, since each
/// sends a probe to all and one to the address that it is to prove.
const MAX_REPLIES_TO_ONE: usize = 20;
const SECOND: Duration = Duration::from_secs(1);
/// After more than [`MAX_REPLIES`] probes in a second, only sources that had no reply for this time get one: long
/// enough for a thousand browsers to get a reply each.
const CROWD_MEMORY: Duration = Duration::from_secs(6);

/// Decides which probes get a reply: in any second 20 for each source (loopback exempt), and 200 in total.
#[derive(Debug, Default)]
pub struct Responder {
    /// The replies of the last second, oldest first: at most [`MAX_REPLIES`].
    last_second: VecDeque<(Time, IpAddr)>,
    /// Earlier replies within [`CROWD_MEMORY`]: at most [`MAX_REPLIES`] for each second.
    earlier: VecDeque<(Time, IpAddr)>,
    /// Until this time, sources that had a reply recently get none.
    crowd_until: Time,
}

impl Responder {
    /// Returns whether to reply to a probe from `source` now. Call [`Responder::handle_reply`] when the reply is sent.
    pub fn allows(&mut self, source: IpAddr, now: Time) -> bool {
        self.forget(now);
        if self.last_second.len() >= MAX_REPLIES {
            self.crowd_until = now + SECOND;
            return false;
        }
        // All programs on this machine share one address, which cannot be forged from the network.
        if source.is_loopback() {
            return true;
        }
        let to_source = |list: &VecDeque<(Time, IpAddr)>| list.iter().filter(|(_, to)| *to == source).count();
        let lately = to_source(&self.last_second);
        let is_crowd = now < self.crowd_until;
        if is_crowd { lately == 0 && to_source(&self.earlier) == 0 } else { lately < MAX_REPLIES_TO_ONE }
    }

    /// Counts a reply to `source`. Probes do not count: otherwise a flood of probes would silence the server.
    pub fn handle_reply(&mut self, source: IpAddr, now: Time) {
        self.last_second.push_back((now, source));
    }

    fn forget(&mut self, now: Time) {
        while self.last_second.front().is_some_and(|&(at, _)| now - at >= SECOND) {
            self.earlier.extend(self.last_second.pop_front());
        }
        while self.earlier.front().is_some_and(|&(at, _)| now - at >= CROWD_MEMORY) {
            self.earlier.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(responder: &mut Responder, source: impl Into<IpAddr>, now: Time) -> bool {
        let source = source.into();
        let allowed = responder.allows(source, now);
        if allowed {
            responder.handle_reply(source, now);
        }
        allowed
    }

    fn at(millis: u64) -> Time {
        Time::from_micros(millis * 1000)
    }

    #[test]
    fn replies_to_one_source_are_limited() {
        let mut responder = Responder::default();
        assert_eq!((0..100).filter(|_| probe(&mut responder, [10, 0, 0, 1], at(7000))).count(), MAX_REPLIES_TO_ONE);
        assert!(!probe(&mut responder, [10, 0, 0, 1], at(7999)));
        assert!(probe(&mut responder, [10, 0, 0, 1], at(8000)));
    }

    #[test]
    fn all_sources_get_200_replies_in_any_second() {
        let mut responder = Responder::default();
        let mut count = |now| (0..=255).filter(|&last| probe(&mut responder, [10, 0, 1, last], now)).count();
        assert_eq!(count(at(500)), 200);
        assert_eq!(count(at(1000)), 0, "the second slides");
        assert_eq!(count(at(10_500)), 200);
        let mut local = Responder::default();
        assert_eq!((0..300).filter(|_| probe(&mut local, [127, 0, 0, 1], at(0))).count(), 200);
    }

    #[test]
    fn every_browser_of_a_crowd_gets_a_reply() {
        let mut responder = Responder::default();
        let mut waiting: std::collections::BTreeSet<u16> = (0..1000).collect();
        // All of them probe ten times a second, including those that had a reply.
        for tenth in 0..50 {
            for number in 0..1000 {
                let [high, low] = u16::to_be_bytes(number);
                if probe(&mut responder, [10, 1, high, low], at(tenth * 100)) {
                    waiting.remove(&number);
                }
            }
        }
        assert!(waiting.is_empty(), "{} had no reply", waiting.len());
        assert!(responder.earlier.len() <= 6 * MAX_REPLIES);
    }
}
