//! Searches for servers that are published as DNS-SD services, and for hosts.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use halloo_proto::Time;
use halloo_proto::interfaces::{Interface, announced};
use halloo_proto::mdns::{Name, Querier, ServiceChange};
use mio::{Events, Poll, Registry, Token};

use super::SERVICE_TYPE;
use super::links::local_links;
use super::sockets::Sockets;
use crate::discovery::interfaces;

/// Maximum duration of the search for a host.
const MAX_RESOLVE_TIME: Duration = Duration::from_secs(3600);
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
            // A link-local one of IPv6 is found by the probes of the browser, with its zone.
            self.addresses.extend(addresses.into_iter().filter(is_complete));
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
/// `timeout`.
///
/// # Errors
/// When the system does not permit to wait for sockets, or is short of file descriptors.
pub(crate) fn resolve_host(name: &str, timeout: Duration) -> io::Result<Vec<IpAddr>> {
    let Some(name) = Name::parse(name) else { return Ok(Vec::new()) };
    let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(64));
    let start = Instant::now();
    let now = || Time::ZERO + start.elapsed();
    let end = Time::ZERO + timeout.min(MAX_RESOLVE_TIME);
    let mut search = ServiceSearch::idle(poll.registry().try_clone()?, Token(0));
    search.querier.look_up(name, now());
    search.handle_interfaces(&announced(interfaces::list()?), now())?;
    let mut more = false;
    while now() < end {
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

/// Returns whether the address is valid without a zone.
fn is_complete(addr: &SocketAddr) -> bool {
    !matches!(addr.ip(), IpAddr::V6(ip) if ip.is_unicast_link_local())
}
