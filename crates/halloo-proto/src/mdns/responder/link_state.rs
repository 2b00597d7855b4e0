//! The service on one interface.

use std::net::IpAddr;
use std::time::Duration;

use super::super::own_records::Kind;
use super::super::token_bucket::TokenBucket;
use super::schedule::Schedule;
use crate::Time;

/// Probes, and the time after each (RFC 6762 section 8.1).
pub(super) const PROBES: u8 = 3;
const PROBE_INTERVAL: Duration = Duration::from_millis(250);
/// Announcements, and the time between them (RFC 6762 section 8.3).
const ANNOUNCEMENTS: u8 = 2;
const ANNOUNCEMENT_INTERVAL: Duration = Duration::from_secs(1);
/// Maximum unicast responses per second on an interface; multicast ones have limits of their own.
const MAX_UNICASTS_PER_SECOND: u32 = 50;
/// Maximum packets per second that are processed on an interface. Further ones are ignored, so that a flood costs little.
const MAX_RECEIVED_PER_SECOND: u32 = 500;

/// What is happening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Asks whether another machine has the names.
    Probing {
        /// Probes that were sent.
        sent: u8,
        next: Time,
    },
    /// Publishes the records unasked.
    Announcing { sent: u8, next: Time },
    /// Responds to queries.
    Established,
}

/// See the module documentation.
#[derive(Clone, Debug)]
pub(super) struct LinkState {
    pub(super) addresses: Vec<IpAddr>,
    pub(super) phase: Phase,
    pub(super) schedule: Schedule,
    pub(super) unicasts: TokenBucket,
    pub(super) received: TokenBucket,
}

impl LinkState {
    /// Begins to probe at `at`.
    pub(super) fn new(addresses: &[IpAddr], at: Time) -> LinkState {
        LinkState {
            addresses: addresses.into(),
            phase: Phase::Probing { sent: 0, next: at },
            schedule: Schedule::new(),
            unicasts: TokenBucket::new(MAX_UNICASTS_PER_SECOND),
            received: TokenBucket::new(MAX_RECEIVED_PER_SECOND),
        }
    }

    /// Returns whether other machines may know the records.
    pub(super) fn is_announced(&self) -> bool {
        matches!(self.phase, Phase::Announcing { sent: 1.., .. } | Phase::Established)
    }

    pub(super) fn poll_timeout(&self) -> Time {
        match self.phase {
            Phase::Probing { next, .. } => next,
            Phase::Announcing { next, .. } => next.min(self.schedule.poll_timeout()),
            Phase::Established => self.schedule.poll_timeout(),
        }
    }

    /// Begins to probe again, and discards the responses that wait.
    pub(super) fn probe_again(&mut self, at: Time) {
        self.phase = Phase::Probing { sent: 0, next: at };
        self.schedule = Schedule::new();
    }

    /// Announces the records again, of which those of `changed` kinds are different now.
    pub(super) fn announce_again(&mut self, changed: &[Kind], now: Time) {
        if !matches!(self.phase, Phase::Probing { .. }) {
            self.schedule.handle_change(changed);
            self.phase = Phase::Announcing { sent: 0, next: now };
        }
    }

    /// Returns whether a probe is due. After the last one, the records are announced.
    pub(super) fn poll_probe(&mut self, now: Time) -> bool {
        match self.phase {
            Phase::Probing { sent, next } if next <= now && sent < PROBES => {
                self.phase = Phase::Probing { sent: sent + 1, next: now + PROBE_INTERVAL };
                true
            }
            Phase::Probing { next, .. } if next <= now => {
                self.phase = Phase::Announcing { sent: 0, next: now };
                false
            }
            _ => false,
        }
    }

    /// Schedules an announcement if one is due.
    pub(super) fn handle_announcements(&mut self, now: Time) {
        if let Phase::Announcing { sent, next } = self.phase
            && next <= now
        {
            Kind::ANNOUNCED.into_iter().for_each(|kind| self.schedule.request(kind, now));
            self.phase = match sent + 1 {
                ANNOUNCEMENTS => Phase::Established,
                sent => Phase::Announcing { sent, next: now + ANNOUNCEMENT_INTERVAL },
            };
        }
    }
}
