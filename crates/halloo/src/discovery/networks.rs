//! The networks to announce on: as they were when last looked at, and when to look again.

use std::net::IpAddr;
use std::time::Duration;

use halloo_proto::Time;
use halloo_proto::announcer::MIN_INTERVAL;
use halloo_proto::interfaces::{Interface, announced};
use mio::{Registry, Token};

use super::interfaces;
use super::watcher::Watcher;
use crate::Config;

/// A cable that is plugged in is told in several steps (link, address, route), which are looked at together.
const SETTLING: Duration = Duration::from_millis(50);

/// The interfaces of this machine that the server can be reached through, best first.
pub(super) struct Networks {
    bind: Option<IpAddr>,
    watcher: Option<Watcher>,
    known: Vec<Interface>,
    /// Between two looks where the system tells nothing, also while no beacons are sent.
    interval: Duration,
    /// When to look, even if no beacon is due.
    look_at: Time,
}

impl Networks {
    /// What there is now for a server that listens on `bind`; `token` wakes the poll when it changes.
    pub(super) fn new(config: &Config, registry: &Registry, token: Token) -> Networks {
        let interval = config.discovery_interval.max(MIN_INTERVAL);
        let bind = config.bind.filter(|ip| !ip.is_unspecified());
        let local = bind.is_some_and(|ip| ip.is_loopback());
        let watcher = if local { None } else { Watcher::open(registry, token).inspect_err(tell).ok() };
        let look_at = if local || watcher.is_some() { Time::NEVER } else { Time::ZERO + interval };
        Networks { known: list(bind), bind, watcher, interval, look_at }
    }

    /// The interfaces of the last look, best first.
    pub(super) fn known(&self) -> &[Interface] {
        &self.known
    }

    /// The system tells that something has changed.
    pub(super) fn handle_readable(&mut self, now: Time) {
        if let Some(watcher) = &self.watcher {
            watcher.handle_readable();
            // What follows within the settling time is seen by the same look.
            self.look_at = self.look_at.min(now + SETTLING);
        }
    }

    /// When to look next; `None` when there is no need to.
    pub(super) fn poll_timeout(&self) -> Option<Time> {
        (self.look_at < Time::NEVER).then_some(self.look_at)
    }

    /// Whether it is time to look.
    pub(super) fn poll_look(&mut self, now: Time) -> bool {
        let due = now >= self.look_at;
        if due {
            self.look_at = if self.watcher.is_some() { Time::NEVER } else { now + self.interval };
        }
        due
    }

    /// Looks, and answers whether anything is different.
    pub(super) fn look(&mut self) -> bool {
        let found = list(self.bind);
        let changed = found != self.known;
        self.known = found;
        changed
    }
}

fn tell(error: &std::io::Error) {
    tracing::debug!(%error, "changes of the network are not told by the system; looking at each beacon");
}

fn list(bind: Option<IpAddr>) -> Vec<Interface> {
    match bind {
        None => announced(interfaces::list()),
        Some(ip) if ip.is_loopback() => announced(Vec::new()),
        // Nobody can connect to the other addresses, so they are not told.
        Some(ip) => interfaces::list().into_iter().filter(|interface| interface.addr == ip).collect(),
    }
}
