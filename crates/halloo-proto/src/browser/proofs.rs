//! Addresses that are asked to prove what a datagram claims.
//!
//! Any device can send a datagram with any source and any content. A reply to a nonce that was sent to one address alone
//! shows what is at that address.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::nonce::{Nonce, Nonces};
use super::source::Source;
use crate::Time;

/// Maximum number of addresses that wait for their probe or their reply.
const MAX_PENDING: usize = 1024;
/// The interval of probes while many wait. Half of them go to the address that waits longest, so that each of 1,024
/// sources has its turn within 4.1 seconds, and half to the newest one, which has a chance among any number of sources.
const PROBE_INTERVAL: Duration = Duration::from_millis(2);
/// Probes that are sent at once.
const BURST: u32 = 32;
/// Time after a probe in which no other is sent to the address.
const RETRY_DELAY: Duration = Duration::from_millis(250);
/// Time after a probe without a reply until the address is checked over TCP: several servers on one machine share a UDP
/// port, and a probe to its address reaches only one of them.
const CHECK_DELAY: Duration = Duration::from_millis(100);
/// Time in which a reply is accepted.
const REPLY_TIME: Duration = Duration::from_secs(1);

/// An address that was claimed.
#[derive(Debug)]
struct Pending {
    /// Where the server accepts connections.
    addr: SocketAddr,
    source: Source,
    /// Where it receives probes.
    to: SocketAddr,
    /// The nonce and the time of its probe; `None` before.
    sent: Option<(Nonce, Time)>,
    is_checked: bool,
}

/// See the module documentation.
#[derive(Debug, Default)]
pub(super) struct Proofs {
    /// In the order in which they are probed.
    pending: VecDeque<Pending>,
    /// The time of the next probe if the interval were kept without bursts.
    next: Time,
    /// Whether the next probe goes to the newest address.
    prefers_newest: bool,
    /// Chooses what is replaced when all places are taken.
    random: u64,
}

impl Proofs {
    /// Requests a proof from `addr` by a probe to `to`. A datagram leads to at most one probe. Returns whether the
    /// request is accepted.
    pub(super) fn request(&mut self, addr: SocketAddr, to: SocketAddr, now: Time) -> bool {
        if let Some(index) = self.pending.iter().position(|pending| pending.addr == addr) {
            match self.pending[index].sent {
                Some((_, at)) if now >= at + RETRY_DELAY => self.pending.remove(index),
                _ => return true,
            };
        }
        let pending = Pending { addr, source: Source::of(addr.ip()), to, sent: None, is_checked: false };
        if self.pending.len() < MAX_PENDING {
            self.pending.push_back(pending);
            return true;
        }
        self.random = self.random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        let victim = (self.random >> 33) as usize % MAX_PENDING;
        let count = |source: Source| self.pending.iter().filter(|other| other.source == source).count();
        if count(self.pending[victim].source) <= count(pending.source) {
            return false;
        }
        self.pending.remove(victim);
        self.pending.push_back(pending);
        true
    }

    /// Returns the next probe that is due, and its nonce.
    pub(super) fn poll_probe(&mut self, nonces: &mut Nonces, now: Time) -> Option<(SocketAddr, Nonce)> {
        if now + PROBE_INTERVAL * BURST < self.next {
            return None;
        }
        let mut waiting = self.pending.iter_mut().filter(|pending| pending.sent.is_none());
        let pending = if self.prefers_newest { waiting.next_back()? } else { waiting.next()? };
        self.prefers_newest = !self.prefers_newest;
        let nonce = nonces.next();
        pending.sent = Some((nonce, now));
        self.next = self.next.max(now) + PROBE_INTERVAL;
        Some((pending.to, nonce))
    }

    /// Returns whether a reply from `ip` proves something: it repeats the nonce that was sent there.
    pub(super) fn is_proof(&self, nonce: Nonce, ip: IpAddr) -> bool {
        let repeats = |pending: &Pending| pending.sent.is_some_and(|(sent, _)| sent == nonce);
        self.pending.iter().any(|pending| pending.to.ip() == ip && repeats(pending))
    }

    /// Handles that `addr` has proven what it claimed.
    pub(super) fn handle_proof(&mut self, addr: SocketAddr) {
        self.pending.retain(|pending| pending.addr != addr);
    }

    /// Returns an address that did not reply, once, and forgets those that were given enough time.
    pub(super) fn poll_unanswered(&mut self, now: Time) -> Option<SocketAddr> {
        self.pending.retain(|pending| pending.sent.is_none_or(|(_, at)| now < at + REPLY_TIME));
        let is_unanswered =
            |pending: &&mut Pending| !pending.is_checked && pending.sent.is_some_and(|(_, at)| now >= at + CHECK_DELAY);
        let pending = self.pending.iter_mut().find(is_unanswered)?;
        pending.is_checked = true;
        Some(pending.addr)
    }

    pub(super) fn next_timeout(&self) -> Time {
        let timeouts = self.pending.iter().map(|pending| match pending.sent {
            None => {
                Time::from_micros(self.next.as_micros().saturating_sub((PROBE_INTERVAL * BURST).as_micros() as u64))
            }
            Some((_, at)) if pending.is_checked => at + REPLY_TIME,
            Some((_, at)) => at + CHECK_DELAY,
        });
        timeouts.min().unwrap_or(Time::NEVER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(source: u16, port: u16) -> SocketAddr {
        let [high, low] = source.to_be_bytes();
        ([10, 1, high, low], port).into()
    }

    /// Returns how many probes are sent until `asked` is probed beside a flood of claims from `sources`, of `each` servers.
    fn probes_until(asked: SocketAddr, sources: u16, each: u16) -> usize {
        let (mut proofs, mut nonces, mut now, mut sent) = (Proofs::default(), Nonces::new(1), Time::ZERO, 0);
        for step in 0..2000_u16 {
            for number in 0..13_u16 {
                let claim = step.wrapping_mul(13).wrapping_add(number);
                proofs.request(addr(claim % sources, 1000 + claim / sources % each), addr(claim % sources, 8766), now);
            }
            if step == 400 {
                assert!(proofs.request(asked, asked, now), "there is no place for an address that has none");
            }
            while let Some((to, _)) = proofs.poll_probe(&mut nonces, now) {
                sent += usize::from(step >= 400);
                if to == asked {
                    return sent;
                }
            }
            while proofs.poll_unanswered(now).is_some() {}
            assert!(proofs.pending.len() <= MAX_PENDING);
            now = now + PROBE_INTERVAL;
        }
        usize::MAX
    }

    #[test]
    fn address_has_its_turn_beside_a_thousand_others_with_64_servers_each() {
        let sent = probes_until(addr(60_000, 8765), 1000, 64);
        assert!(sent <= 2 * MAX_PENDING + usize::try_from(BURST).unwrap(), "{sent} others came first");
    }

    #[test]
    fn flood_leads_to_a_bounded_rate_of_probes() {
        let (mut proofs, mut nonces, mut sent) = (Proofs::default(), Nonces::new(1), 0);
        for millis in 0..1000_u16 {
            let now = Time::from_micros(u64::from(millis) * 1000);
            for number in 0..20 {
                proofs.request(addr(millis, number), addr(millis, 8766), now);
            }
            while proofs.poll_probe(&mut nonces, now).is_some() {
                sent += 1;
            }
            while proofs.poll_unanswered(now).is_some() {}
        }
        assert!((500..=500 + 34).contains(&sent), "{sent}");
    }

    #[test]
    fn only_the_address_that_was_probed_proves_something() {
        let (mut proofs, mut nonces) = (Proofs::default(), Nonces::new(1));
        proofs.request(addr(1, 8765), addr(1, 8766), Time::ZERO);
        let (to, nonce) = proofs.poll_probe(&mut nonces, Time::ZERO).unwrap();
        assert!(proofs.is_proof(nonce, to.ip()));
        assert!(!proofs.is_proof(nonce, addr(2, 1).ip()) && !proofs.is_proof(nonces.next(), to.ip()));
        assert_eq!(proofs.poll_unanswered(Time::ZERO + CHECK_DELAY), Some(addr(1, 8765)));
        assert_eq!(proofs.poll_unanswered(Time::ZERO + CHECK_DELAY), None);
        assert_eq!(proofs.poll_unanswered(Time::ZERO + REPLY_TIME), None);
        assert!(!proofs.is_proof(nonce, to.ip()), "too late");
    }
}
