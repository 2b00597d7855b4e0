//! Searches for servers that are published as DNS-SD services, and for hosts.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use halloo_proto::Time;
use halloo_proto::interfaces::{Interface, announced};
use halloo_proto::mdns::{Name, Querier, ServiceChange};
use mio::{Events, Poll, Registry, Token, Waker};

use super::SERVICE_TYPE;
use super::links::local_links;
use super::sockets::Sockets;
use crate::cancellable_thread::Cancel;
use crate::discovery::interfaces;

/// Maximum duration of the search for a host.
const MAX_RESOLVE_TIME: Duration = Duration::from_secs(3600);
/// The tokens of a search for a host.
const SOCKETS: Token = Token(0);
const WAKER: Token = Token(1);
/// Maximum addresses that wait for [`ServiceSearch::poll_address`].
const MAX_ADDRESSES: usize = 1024;

/// A search for services or hosts, which its caller drives.
#[derive(Debug)]
pub(crate) struct ServiceSearch {
    querier: Querier,
    sockets: Sockets,
    addresses: VecDeque<SocketAddr>,
}

impl ServiceSearch {
    /// Starts a search for servers, whose sockets are registered as `token`. Call [`ServiceSearch::handle_interfaces`]
    /// with the interfaces to search on.
    pub(crate) fn new(registry: Registry, token: Token, now: Time) -> ServiceSearch {
        let mut search = ServiceSearch::idle(registry, token);
        if let Some(service_type) = Name::parse(SERVICE_TYPE) {
            search.querier.search(service_type, now);
        }
        search
    }

    fn idle(registry: Registry, token: Token) -> ServiceSearch {
        let mut seed = [0; 8];
        // Without entropy, searches that are started together ask together.
        let _ = getrandom::fill(&mut seed);
        let querier = Querier::new(u64::from_ne_bytes(seed));
        ServiceSearch { querier, sockets: Sockets::new(registry, token), addresses: VecDeque::new() }
    }

    /// Follows a change of the interfaces.
    ///
    /// # Errors
    /// When the system is short of file descriptors: call it again later. Until then, everything stays as far as it can.
    pub(crate) fn handle_interfaces(&mut self, interfaces: &[Interface], now: Time) -> io::Result<()> {
        let (links, opened) = self.sockets.refresh(local_links(interfaces)?);
        self.querier.handle_links(&links, now);
        self.handle_timeout(now);
        opened
    }

    /// Handles packets that were received. Returns whether more may wait, for which the poll does not wake again.
    pub(crate) fn handle_readable(&mut self, now: Time) -> bool {
        let querier = &mut self.querier;
        let more =
            self.sockets.receive(now, |packet, from, interface| querier.handle_packet(packet, from, interface, now));
        self.handle_timeout(now);
        more
    }

    /// Sends what is due, and reads again what was not read for a while.
    pub(crate) fn handle_timeout(&mut self, now: Time) {
        self.sockets.resume(now);
        if self.querier.poll_timeout() <= now {
            self.querier.handle_timeout(now);
        }
        while let Some(transmit) = self.querier.poll_transmit() {
            self.sockets.send(&transmit);
        }
        while let Some(change) = self.querier.poll_change() {
            let addresses = match change {
                ServiceChange::Found(found) | ServiceChange::Updated(found) => found.addresses,
                ServiceChange::HostFound(_, addresses) => addresses,
                // Its records may only have expired. The browser checks itself whether a server still responds.
                ServiceChange::Lost(_) => continue,
            };
            self.addresses.extend(addresses.into_iter().filter(|addr| is_reachable_from_here(addr.ip())));
            self.addresses.truncate(MAX_ADDRESSES);
        }
    }

    /// Returns when [`ServiceSearch::handle_timeout`] is due.
    pub(crate) fn poll_timeout(&self) -> Time {
        self.querier.poll_timeout().min(self.sockets.poll_timeout())
    }

    /// Returns the next address of a service. Any device can publish a service, so the caller must check which server is at
    /// the address.
    pub(crate) fn poll_address(&mut self) -> Option<SocketAddr> {
        self.addresses.pop_front()
    }
}

/// Returns the addresses of the host `name`, which ends in `.local`. They are empty if no machine responds within
/// `timeout`, or until the search is cancelled.
///
/// # Errors
/// When the system does not permit to wait for sockets, or is short of file descriptors.
pub(crate) fn resolve_host(name: &str, timeout: Duration, cancel: &Cancel) -> io::Result<Vec<IpAddr>> {
    let Some(name) = Name::parse(name) else { return Ok(Vec::new()) };
    let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(64));
    // Kept until the poll has returned, because a waker that is dropped wakes nothing.
    let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
    let wake = Arc::clone(&waker);
    cancel.on_cancel(move || wake.wake().unwrap_or_else(|error| tracing::error!(%error, "cannot wake a search")));
    let start = Instant::now();
    let now = || Time::ZERO + start.elapsed();
    let end = Time::ZERO + timeout.min(MAX_RESOLVE_TIME);
    let mut search = ServiceSearch::idle(poll.registry().try_clone()?, SOCKETS);
    search.querier.look_up(name, now());
    search.handle_interfaces(&announced(interfaces::list()?), now())?;
    let mut more = false;
    while now() < end && !cancel.is_cancelled() {
        let wait = if more { Duration::ZERO } else { search.poll_timeout().min(end) - now() };
        match poll.poll(&mut events, Some(wait)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        more = search.handle_readable(now());
        if !search.addresses.is_empty() {
            return Ok(search.addresses.iter().map(SocketAddr::ip).collect());
        }
    }
    Ok(Vec::new())
}

/// Returns whether a record with this address can be one of another machine. Any device can publish a record that leads to
/// the programs of this machine. A link-local address of IPv6 is found by the probes of the browser, with its zone.
fn is_reachable_from_here(ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    let is_incomplete = match ip {
        IpAddr::V4(ip) => ip.octets()[0] == 0 || ip.is_broadcast(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    !is_incomplete && !ip.is_loopback() && !ip.is_unspecified() && !ip.is_multicast()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_lead_to_no_address_that_is_not_one_of_another_machine() {
        let is_used = |ip: &str| is_reachable_from_here(ip.parse().unwrap());
        let hostile = [
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "0.1.2.3",
            "255.255.255.255",
            "224.0.0.251",
            "::1",
            "::",
            "ff02::fb",
            "fe80::1",
            "::ffff:127.0.0.1",
            "::ffff:0.0.0.0",
        ];
        assert_eq!(hostile.into_iter().find(|ip| is_used(ip)), None);
        assert!(["192.168.1.5", "169.254.1.1", "10.0.0.1", "fd00::1"].into_iter().all(is_used));
    }
}
