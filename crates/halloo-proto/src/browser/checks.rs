//! The checks over TCP, a few at a time, shared by the addresses that cause them.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::server::DiscoveryMethod;
use super::source::Source;

/// Maximum number of checks over TCP at a time, which bounds the connections that forged beacons can cause.
pub const MAX_CHECKS: usize = 16;
/// The same for everything that is not proven; the rest is kept for servers that have proven their address.
const MAX_UNPROVEN: usize = 12;
/// The same for addresses that are claimed by something that is not listed: kept for them while they wait.
const MAX_CLAIMED: usize = 4;
/// The same for one source.
const MAX_FOR_SOURCE: usize = 3;
/// Maximum number of addresses that wait for their check.
const MAX_WAITING: usize = 64;

/// The result of requesting `GET /discovery.json` from an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckResult<'a> {
    /// The body of a response with status 200.
    Body(&'a [u8]),
    /// Any other response: an older server, or another program.
    Unexpected,
    /// The connection was refused.
    Refused,
    /// No response in time, or the address cannot be reached.
    NoResponse,
}

/// Why an address is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A server that has proven its address may be gone, or its reply was truncated.
    Proven,
    /// A server that has proven nothing may be gone.
    Unproven,
    /// The address was claimed, in the way that is given.
    Claimed(DiscoveryMethod),
}

/// See the module documentation.
#[derive(Debug, Default)]
pub(super) struct Checks {
    /// Claimed addresses whose check has not started.
    waiting: VecDeque<(SocketAddr, DiscoveryMethod)>,
    running: Vec<(SocketAddr, Purpose)>,
}

impl Checks {
    /// Adds an address that was claimed. The source with the most addresses loses one when there are too many.
    pub(super) fn add(&mut self, addr: SocketAddr, via: DiscoveryMethod) {
        let is_running = self.running.iter().any(|(known, _)| *known == addr);
        if is_running || self.waiting.iter().any(|(known, _)| *known == addr) {
            return;
        }
        if self.waiting.len() >= MAX_WAITING {
            let count = |addr: SocketAddr| {
                let source = Source::of(addr.ip());
                self.waiting.iter().filter(|(other, _)| Source::of(other.ip()) == source).count()
            };
            let counts = self.waiting.iter().enumerate().map(|(index, &(other, _))| (count(other), index));
            // The newest of the source, so that the others keep their turn.
            let Some((most, victim)) = counts.max() else { return };
            if most <= count(addr) + 1 {
                return;
            }
            self.waiting.remove(victim);
        }
        self.waiting.push_back((addr, via));
    }

    /// Returns whether a check of `addr` may start.
    pub(super) fn allows(&self, addr: SocketAddr, purpose: Purpose) -> bool {
        let source = Source::of(addr.ip());
        let of_source = self.running.iter().filter(|(other, _)| Source::of(other.ip()) == source).count();
        let proven = self.running.iter().filter(|(_, other)| *other == Purpose::Proven).count();
        let unproven = self.running.iter().filter(|(_, other)| *other == Purpose::Unproven).count();
        let claimed = self.running.len() - proven - unproven;
        let is_free = match purpose {
            Purpose::Proven => self.running.len() < MAX_CHECKS,
            Purpose::Unproven if self.waiting.is_empty() => unproven + claimed < MAX_UNPROVEN,
            Purpose::Unproven => unproven + MAX_CLAIMED < MAX_UNPROVEN,
            Purpose::Claimed(_) => claimed < MAX_CLAIMED && unproven + claimed < MAX_UNPROVEN,
        };
        is_free && self.running.len() < MAX_CHECKS && of_source < MAX_FOR_SOURCE
    }

    /// Starts a check that is allowed.
    pub(super) fn start(&mut self, addr: SocketAddr, purpose: Purpose) {
        self.running.push((addr, purpose));
    }

    /// Starts the check of an address that was claimed.
    pub(super) fn poll_claimed(&mut self) -> Option<SocketAddr> {
        let index = self.waiting.iter().position(|&(addr, via)| self.allows(addr, Purpose::Claimed(via)))?;
        let (addr, via) = self.waiting.remove(index)?;
        self.start(addr, Purpose::Claimed(via));
        Some(addr)
    }

    /// Handles the end of a check; returns what it was for.
    pub(super) fn handle_result(&mut self, addr: SocketAddr) -> Option<Purpose> {
        let index = self.running.iter().position(|(other, _)| *other == addr)?;
        Some(self.running.swap_remove(index).1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_up_servers_do_not_delay_the_check_of_others() {
        let mut checks = Checks::default();
        for port in 1..10_000 {
            checks.add(([10, 0, 0, 66], port).into(), DiscoveryMethod::Mdns);
        }
        assert_eq!(std::iter::from_fn(|| checks.poll_claimed()).count(), MAX_FOR_SOURCE);
        let real: SocketAddr = ([10, 0, 0, 1], 8765).into();
        checks.add(real, DiscoveryMethod::Udp);
        assert_eq!(checks.poll_claimed(), Some(real));
        for source in 0..100 {
            checks.add(([10, 0, 1, source], 1).into(), DiscoveryMethod::Mdns);
        }
        assert!(checks.waiting.len() <= MAX_WAITING);
        assert_eq!(checks.poll_claimed(), None);
        assert!(checks.allows(real, Purpose::Proven), "a part is kept");
        assert_eq!(checks.handle_result(real), Some(Purpose::Claimed(DiscoveryMethod::Udp)));
        assert_eq!(checks.handle_result(real), None);
    }
}
