//! The networks on which the server is announced, and when to list them again.

use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use halloo_proto::Time;
use halloo_proto::announcer::MIN_INTERVAL;
use halloo_proto::interface_filter::InterfaceFilter;
use halloo_proto::interfaces::{Interface, Reach, announced, reach};
use mio::{Registry, Token};

use super::interfaces;
use super::watcher::Watcher;
use crate::Config;

/// Delay between a notification and the scan. A new cable causes several: for its link, its address and its route.
const SETTLING_DELAY: Duration = Duration::from_millis(50);

/// Minimum time between two lists of the interfaces for probes. A list asks the system for every address, which costs far
/// more than a reply.
const LIST_INTERVAL: Duration = Duration::from_millis(100);

/// Delay until the next scan after one that failed because the system is short of file descriptors or memory.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// The interfaces of this machine that the server can be reached through, best first.
pub(super) struct Networks {
    bind: Option<IpAddr>,
    filter: InterfaceFilter,
    watcher: Option<Watcher>,
    known: Vec<Interface>,
    /// Whether the last scan failed, which is logged once.
    is_failing: bool,
    /// The last one that was logged.
    reach: Reach,
    /// Time between two scans on a system that does not report changes, also while no beacons are sent.
    interval: Duration,
    /// When to scan, even if no beacon is due.
    rescan_at: Time,
    /// The interfaces whose probes are answered, and when to list them again.
    answered: Vec<Interface>,
    list_again_at: Time,
}

impl Networks {
    /// Lists the networks for a server that listens on `config.bind`; `token` wakes the poll when they change.
    pub(super) fn new(config: &Config, registry: &Registry, token: Token) -> Networks {
        let interval = config.discovery_interval.max(MIN_INTERVAL);
        let bind = config.bind.filter(|ip| *ip != IpAddr::V6(Ipv6Addr::UNSPECIFIED));
        let local = bind.is_some_and(|ip| ip.is_loopback());
        let watcher = if local { None } else { Watcher::open(registry, token).inspect_err(log_no_watcher).ok() };
        let rescan_at = if local || watcher.is_some() { Time::NEVER } else { Time::ZERO + interval };
        let filter = config.interface_filter();
        interfaces::log_unmatched(&filter);
        // Of a server for this machine only, nothing else is expected.
        let (known, reach, is_failing) = (announced(Vec::new()), Reach::Network, false);
        // Programs of this machine are answered even if the interfaces can never be listed.
        let (answered, list_again_at) = (vec![Interface::loopback()], Time::ZERO);
        let mut networks =
            Networks { bind, filter, watcher, known, is_failing, reach, interval, rescan_at, answered, list_again_at };
        networks.rescan(Time::ZERO);
        networks
    }

    /// Returns the interfaces of the last scan, best first.
    pub(super) fn known(&self) -> &[Interface] {
        &self.known
    }

    /// Returns the interfaces whose datagrams are answered. They are listed only so often, however many probes there are.
    /// When that fails, they are the last ones.
    pub(super) fn list(&mut self, now: Time) -> &[Interface] {
        if now >= self.list_again_at {
            self.list_again_at = now + LIST_INTERVAL;
            let is_used = |interface: &Interface| interface.addr.is_loopback() || self.filter.allows(&interface.name);
            if let Ok(found) = interfaces::list() {
                self.answered = found.into_iter().filter(is_used).collect();
            }
        }
        &self.answered
    }

    /// Handles a notification of the system that something has changed.
    pub(super) fn handle_readable(&mut self, now: Time) {
        if let Some(watcher) = &self.watcher {
            watcher.handle_readable();
            // One scan serves all notifications within the delay.
            self.rescan_at = self.rescan_at.min(now + SETTLING_DELAY);
            self.list_again_at = now;
        }
    }

    /// Returns when the next scan is due; `None` if none is.
    pub(super) fn poll_timeout(&self) -> Option<Time> {
        (self.rescan_at < Time::NEVER).then_some(self.rescan_at)
    }

    /// Returns whether a scan is due.
    pub(super) fn poll_rescan(&mut self, now: Time) -> bool {
        let due = now >= self.rescan_at;
        if due {
            self.rescan_at = if self.watcher.is_some() { Time::NEVER } else { now + self.interval };
        }
        due
    }

    /// Lists the interfaces, and returns whether they have changed. When that fails, the last ones stay, and another scan
    /// is due soon.
    pub(super) fn rescan(&mut self, now: Time) -> bool {
        let found = match list(self.bind, &self.filter) {
            Ok(found) => found,
            Err(error) => {
                self.retry(now);
                if !std::mem::replace(&mut self.is_failing, true) {
                    tracing::warn!(
                        "cannot list the network interfaces: {error}; the last known addresses stay; close connections or \
                         files of this program, or raise its limit of open files"
                    );
                }
                return false;
            }
        };
        if std::mem::take(&mut self.is_failing) {
            tracing::info!("the network interfaces can be listed again");
        }
        let changed = found != self.known;
        self.known = found;
        self.log_reach();
        changed
    }

    /// Scans again soon, because something failed that may succeed then.
    pub(super) fn retry(&mut self, now: Time) {
        self.rescan_at = self.rescan_at.min(now + RETRY_DELAY);
    }

    /// Logs from where the server can be reached, if that has changed and was meant to be from other machines.
    fn log_reach(&mut self) {
        let reach = reach(&self.known);
        if self.bind.is_some_and(|ip| ip.is_loopback()) || std::mem::replace(&mut self.reach, reach) == reach {
            return;
        }
        match reach {
            Reach::ThisMachine => tracing::warn!("no network: only programs on this machine can connect"),
            Reach::Programs => tracing::warn!(
                "no network with an address for web browsers, only with link-local ones of IPv6: programs find the \
                 server by its name"
            ),
            // The new addresses are logged with their event.
            Reach::Network => {}
        }
    }
}

fn log_no_watcher(error: &io::Error) {
    tracing::debug!(%error, "the system does not report network changes; scanning at each beacon");
}

fn list(bind: Option<IpAddr>, filter: &InterfaceFilter) -> io::Result<Vec<Interface>> {
    let allowed = || interfaces::list_allowed(filter);
    Ok(match bind {
        None => announced(allowed()?),
        Some(ip) if ip.is_loopback() => announced(Vec::new()),
        // The server accepts no connections over IPv6.
        Some(IpAddr::V4(ip)) if ip.is_unspecified() => announced(interfaces::ipv4(allowed()?)),
        // Clients cannot connect to the other addresses, so they are not announced.
        Some(ip) => allowed()?.into_iter().filter(|interface| interface.addr == ip).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_of_this_machine_are_answered_although_interfaces_were_never_listed() {
        let poll = mio::Poll::new().unwrap();
        let mut networks = Networks::new(&Config::local(), poll.registry(), Token(0));
        networks.list_again_at = Time::NEVER;
        assert_eq!(networks.list(Time::ZERO), [Interface::loopback()]);
    }
}
