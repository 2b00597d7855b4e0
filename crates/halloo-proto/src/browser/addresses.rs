//! The addresses of one server: those it was seen at, and those it lists.

use std::net::{IpAddr, SocketAddr};

use super::source::Source;
use crate::advertised_address::is_reachable;
use crate::announcement::Announcement;

/// Maximum number of addresses stored for one server: as many networks as a machine reasonably has.
pub(super) const MAX_ADDRESSES: usize = 8;

/// See the module documentation.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    /// Those that its datagrams came from, best first. All but the first one are proven.
    seen: Vec<SocketAddr>,
    /// Those that the server lists.
    listed: Vec<SocketAddr>,
    /// Whether the listed addresses come first: they were configured, because the server does not know its own.
    prefers_listed: bool,
    /// Where its proofs came from, where it also receives probes.
    replies_from: Vec<SocketAddr>,
}

impl Addresses {
    /// Creates those of a server at `addr` that receives probes at `to`.
    pub(super) fn new(addr: SocketAddr, to: SocketAddr) -> Addresses {
        Addresses { seen: vec![addr], replies_from: vec![to], ..Addresses::default() }
    }

    /// Returns those that its datagrams came from.
    pub(super) fn seen(&self) -> &[SocketAddr] {
        &self.seen
    }

    /// Returns how many bytes they take.
    pub(super) fn size(&self) -> usize {
        let count = self.seen.capacity() + self.listed.capacity() + self.replies_from.capacity();
        count * size_of::<SocketAddr>()
    }

    /// Returns whether the server itself says that it is at `addr`, or the address is loopback, which is this machine.
    pub(super) fn can_include(&self, addr: SocketAddr) -> bool {
        let same_port = self.seen.first().is_none_or(|first| first.port() == addr.port());
        self.listed.contains(&addr) || same_port && addr.ip().is_loopback()
    }

    /// Returns whether one of them has this IP address.
    pub(super) fn contain_ip(&self, ip: IpAddr) -> bool {
        self.seen.iter().chain(&self.listed).any(|addr| addr.ip() == ip)
    }

    /// Returns what has a share of the table because of this server.
    pub(super) fn source(&self) -> Option<Source> {
        self.seen.first().map(|addr| Source::of(addr.ip()))
    }

    /// Adds the first one, which is not proven.
    pub(super) fn add_claimed(&mut self, addr: SocketAddr) {
        if self.seen.is_empty() {
            self.seen.push(addr);
        }
    }

    /// Adds one that was proven by a reply from `from`. Those that the reply does not list are of another server, which
    /// named this one as itself.
    pub(super) fn add_proven(&mut self, reply: &Announcement, addr: SocketAddr, from: SocketAddr) {
        // A response over TCP contains no UDP port.
        if from.port() != 0 {
            self.replies_from.retain(|known| known.ip() != from.ip());
            self.replies_from.truncate(MAX_ADDRESSES - 1);
            self.replies_from.push(from);
        }
        if self.seen.contains(&addr) || self.seen.len() >= MAX_ADDRESSES {
            return;
        }
        self.seen.retain(|own| own.ip().is_loopback() || addr.ip().is_loopback() || lists(reply, own.ip()));
        // Datagrams on loopback come first, but other machines can also use an address of the network.
        let worse = self.seen.iter().position(|known| rank(*known) > rank(addr));
        self.seen.insert(worse.unwrap_or(self.seen.len()), addr);
    }

    /// Replaces those that the server lists.
    pub(super) fn set_listed(&mut self, listed: Option<Vec<SocketAddr>>, is_preferred: bool) {
        self.listed = listed.unwrap_or_else(|| std::mem::take(&mut self.listed));
        self.prefers_listed = is_preferred;
    }

    /// Returns whether [`Addresses::set_listed`] would change nothing.
    pub(super) fn are_listed(&self, listed: Option<&[SocketAddr]>, is_preferred: bool) -> bool {
        listed.is_none_or(|listed| listed == self.listed) && is_preferred == self.prefers_listed
    }

    /// Removes one. Returns whether none is left.
    pub(super) fn remove(&mut self, addr: SocketAddr) -> bool {
        self.seen.retain(|own| *own != addr);
        self.listed.retain(|own| *own != addr);
        self.seen.is_empty()
    }

    /// Returns where the server receives probes that are sent to the IP address of `addr`.
    pub(super) fn receives_at(&self, addr: SocketAddr, discovery_port: u16) -> SocketAddr {
        let known = self.replies_from.iter().find(|known| known.ip() == addr.ip());
        known.copied().unwrap_or(with_port(addr, discovery_port))
    }

    /// Returns those to connect to, best first.
    pub(super) fn best_first(&self) -> Vec<SocketAddr> {
        let lists = if self.prefers_listed { [&self.listed, &self.seen] } else { [&self.seen, &self.listed] };
        let mut addresses: Vec<SocketAddr> = Vec::new();
        for addr in lists.into_iter().flatten() {
            if !addresses.contains(addr) && addresses.len() < MAX_ADDRESSES {
                addresses.push(*addr);
            }
        }
        addresses
    }
}

/// Returns the addresses that a reply lists, and that another machine could reach; `None` if it lists none at all.
pub(super) fn listed_in(reply: &Announcement) -> Option<Vec<SocketAddr>> {
    let (addresses, port) = (reply.addresses.as_ref()?, reply.port()?);
    Some(addresses.iter().filter_map(|ip| listed(ip, port)).take(MAX_ADDRESSES).collect())
}

/// Returns whether a reply lists `ip`.
pub(super) fn lists(seen: &Announcement, ip: IpAddr) -> bool {
    seen.addresses.iter().flatten().any(|text| text.parse() == Ok(ip))
}

/// Returns an address that a server lists, if another machine could reach it.
fn listed(ip: &str, port: u16) -> Option<SocketAddr> {
    let ip: IpAddr = ip.parse().ok()?;
    let usable = match ip {
        IpAddr::V4(ip) => is_reachable(ip),
        // A link-local one is valid only together with an interface of this machine.
        IpAddr::V6(ip) => !ip.is_unicast_link_local() && ip.to_ipv4_mapped().is_none(),
    };
    let usable = usable && !ip.is_loopback() && !ip.is_unspecified() && !ip.is_multicast();
    usable.then_some(SocketAddr::new(ip, port))
}

/// Returns the same address with another port. It keeps the zone.
pub(super) fn with_port(mut addr: SocketAddr, port: u16) -> SocketAddr {
    addr.set_port(port);
    addr
}

/// Returns how good an address is, best first: one with a zone is of no use to web browsers, and loopback of none to other
/// machines.
fn rank(addr: SocketAddr) -> u8 {
    match addr.ip() {
        ip if ip.is_loopback() => 3,
        IpAddr::V6(ip) if ip.is_unicast_link_local() => 2,
        IpAddr::V6(_) => 1,
        IpAddr::V4(_) => 0,
    }
}
