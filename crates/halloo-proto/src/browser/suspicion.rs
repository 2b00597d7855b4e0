//! Whether a server is still there: after a silence, or because a datagram says that it is gone.

use std::net::SocketAddr;
use std::time::Duration;

use super::nonce::{Nonce, Nonces};
use crate::Time;

/// Time from becoming suspect to the check over TCP: three more probes.
const CHECK_DELAY: Duration = Duration::from_millis(1500);
/// Time from becoming suspect to being lost if nothing is received at all, which can be the network's fault. A refused
/// connection counts at once.
const SUSPECT_TIMEOUT: Duration = Duration::from_millis(5500);
/// Time between two checks over TCP that fail at once.
const CHECK_INTERVAL: Duration = Duration::from_millis(500);
/// Time between two unicast probes.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);

/// After a goodbye: the probes, their interval, and the time to the check over TCP, which is not needed if the first
/// probe is answered.
const HASTY_PROBES: u8 = 3;
const HASTY_INTERVAL: Duration = Duration::from_millis(25);
/// Time from a goodbye to being lost if nothing is received at all, and the time that a check is given.
const HASTY_TIMEOUT: Duration = Duration::from_millis(80);
const HASTY_CHECK_TIME: Duration = Duration::from_millis(50);

/// The state of a server that may be gone.
#[derive(Debug)]
pub(super) struct Suspicion {
    since: Time,
    next_probe: Time,
    probes: u8,
    /// What proves that the server was there after this began.
    nonce: Option<Nonce>,
    next_check: Time,
    /// When the last check started.
    checked: Option<Time>,
    /// Addresses whose check has not started.
    to_check: Vec<SocketAddr>,
    /// Addresses whose check is in progress.
    checking: Vec<SocketAddr>,
    /// Every check of this round was refused so far.
    all_refused: bool,
    /// A datagram says that the server is gone, so only a proof shows that it is not.
    pub(super) is_hasty: bool,
    /// If nothing is received, the server is lost after [`HASTY_TIMEOUT`].
    believes_silence: bool,
}

impl Suspicion {
    fn new(next_check: Time, is_hasty: bool, believes_silence: bool, now: Time) -> Suspicion {
        Suspicion {
            since: now,
            next_probe: now,
            probes: 0,
            nonce: None,
            next_check,
            checked: None,
            to_check: Vec::new(),
            checking: Vec::new(),
            all_refused: true,
            is_hasty,
            believes_silence,
        }
    }

    /// After a silence. A server that never replied was probed all the time, without success.
    pub(super) fn after_silence(has_replied: bool, now: Time) -> Suspicion {
        Suspicion::new(if has_replied { now + CHECK_DELAY } else { now }, false, false, now)
    }

    /// After a datagram that says that the server is gone.
    pub(super) fn after_goodbye(believes_silence: bool, now: Time) -> Suspicion {
        Suspicion::new(now + HASTY_INTERVAL, true, believes_silence, now)
    }

    /// For a server that does not answer probes: the check over TCP alone decides.
    pub(super) fn without_probes(mut self) -> Suspicion {
        self.next_probe = Time::NEVER;
        self
    }

    /// Returns whether a probe is due, and its nonce. A server that has proven nothing is probed once: the address may
    /// belong to a third party.
    pub(super) fn poll_probe(&mut self, is_proven: bool, nonces: &mut Nonces, now: Time) -> Option<(Nonce, u8)> {
        if now < self.next_probe {
            return None;
        }
        self.probes = self.probes.saturating_add(1);
        let next = if self.is_hasty && self.probes < HASTY_PROBES { HASTY_INTERVAL } else { PROBE_INTERVAL };
        self.next_probe = if is_proven { now + next } else { Time::NEVER };
        Some((*self.nonce.get_or_insert_with(|| nonces.next()), self.probes))
    }

    /// Returns whether `nonce` was sent since this began.
    pub(super) fn is_proof(&self, nonce: Nonce) -> bool {
        self.nonce == Some(nonce)
    }

    /// Checks all addresses, of which one may have been taken by another server.
    pub(super) fn handle_address_taken(&mut self, addr: SocketAddr, now: Time) {
        self.to_check.retain(|own| *own != addr);
        self.next_check = self.next_check.min(now);
    }

    /// Starts the checks of `addresses` when they are due. Returns whether the server is lost: it said goodbye and
    /// answers nothing.
    pub(super) fn handle_timeout(&mut self, addresses: impl Iterator<Item = SocketAddr>, now: Time) -> bool {
        if now >= self.next_check {
            self.next_check = Time::NEVER;
            self.to_check = addresses.collect();
            self.all_refused = true;
        }
        self.is_hasty && self.believes_silence && now >= self.silence_ends()
    }

    /// Returns when a server that said goodbye is lost.
    fn silence_ends(&self) -> Time {
        match self.checked {
            // Checks of other servers must not use up the time of this one.
            Some(at) if self.to_check.is_empty() => (self.since + HASTY_TIMEOUT).max(at + HASTY_CHECK_TIME),
            _ => Time::NEVER,
        }
    }

    /// Handles a failed check of `addr`; `refused` if this server is certainly not there. Returns whether it is lost,
    /// which it is after `deadline` even if nothing was refused.
    pub(super) fn handle_failed_check(
        &mut self,
        addr: SocketAddr,
        refused: bool,
        deadline: Option<Time>,
        now: Time,
    ) -> bool {
        self.checking.retain(|checked| *checked != addr);
        self.all_refused &= refused;
        if !self.checking.is_empty() || !self.to_check.is_empty() {
            return false;
        }
        if self.all_refused || now >= deadline.unwrap_or(self.since + SUSPECT_TIMEOUT) {
            return true;
        }
        self.next_check = now + CHECK_INTERVAL;
        false
    }

    /// Returns the address to check next.
    pub(super) fn next_to_check(&self) -> Option<SocketAddr> {
        self.to_check.last().copied()
    }

    /// Handles that the check of [`Suspicion::next_to_check`] starts.
    pub(super) fn handle_check_started(&mut self, now: Time) {
        self.checking.extend(self.to_check.pop());
        self.checked = Some(now);
    }

    pub(super) fn is_checking(&self, addr: SocketAddr) -> bool {
        self.checking.contains(&addr)
    }

    pub(super) fn next_timeout(&self) -> Time {
        let silence_ends = if self.is_hasty && self.believes_silence { self.silence_ends() } else { Time::NEVER };
        self.next_probe.min(self.next_check).min(silence_ends)
    }
}
