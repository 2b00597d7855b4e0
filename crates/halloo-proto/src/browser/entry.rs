//! One server: the addresses its datagrams came from, and whether it is still there.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::server::{DiscoveryMethod, Server};
use crate::Time;
use crate::advertised_address::is_reachable;
use crate::announcement::Announcement;
use crate::meta::Meta;
use crate::proof::Challenge;

/// Maximum number of addresses stored for one server: as many networks as a machine reasonably has.
const MAX_ADDRESSES: usize = 8;
/// Silence after which a server that replies to probes becomes suspect: one regular probe was left without a reply.
const MAX_SILENCE: Duration = Duration::from_millis(3500);
/// The same for a server that only sends beacons, without a TTL: four beacons.
const DEFAULT_TTL: Duration = Duration::from_secs(8);
/// Bounds, in seconds, of a TTL that a server sends, so that one late datagram does not make it suspect and a huge TTL
/// does not keep it forever.
const TTL_RANGE: std::ops::RangeInclusive<f64> = 2.0..=60.0;
/// Time from becoming suspect to the check over TCP: three more probes.
const CHECK_DELAY: Duration = Duration::from_millis(1500);
/// Time from becoming suspect to being lost if nothing is received at all, which can be the network's fault. A refused
/// connection counts at once.
const SUSPECT_TIMEOUT: Duration = Duration::from_millis(5500);
/// Time between two checks over TCP that fail at once.
const CHECK_INTERVAL: Duration = Duration::from_millis(500);
/// Time between two requests for what a truncated reply leaves out.
const DETAILS_INTERVAL: Duration = Duration::from_secs(10);
/// Time between two unicast probes.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);

/// A server, and how its datagrams were received.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) server: Server,
    /// Whether the application knows of the server: it passes the filter of the browser.
    pub(super) is_reported: bool,
    /// The addresses its datagrams came from, best first.
    sources: Vec<SocketAddr>,
    /// Addresses that the server lists.
    listed: Vec<SocketAddr>,
    /// Whether the listed addresses come first: they were configured, because the server does not know its own.
    prefers_listed: bool,
    has_replied: bool,
    /// The source of its replies, where it also receives probes.
    replies_from: Option<SocketAddr>,
    ttl: Duration,
    details: Details,
    suspicion: Option<Suspicion>,
}

/// Requests for what truncated replies leave out.
#[derive(Debug, Default)]
struct Details {
    /// Where to request them, if they are due.
    due: Option<SocketAddr>,
    /// When to request them again at the earliest.
    next: Time,
    /// Whether a complete reply was received, which truncated ones do not replace.
    is_known: bool,
}

/// The state of a server that has been silent for too long.
#[derive(Debug)]
struct Suspicion {
    since: Time,
    next_probe: Time,
    next_check: Time,
    /// Addresses whose check has not started.
    to_check: Vec<SocketAddr>,
    /// Addresses whose check is in progress.
    checking: Vec<SocketAddr>,
    /// Every check of this round was refused so far.
    all_refused: bool,
}

impl Entry {
    pub(super) fn new(id: String, via: DiscoveryMethod, now: Time) -> Entry {
        let (name, addresses, clients) = (String::new(), Vec::new(), None);
        let (auth, tls, challenge) = (false, false, None);
        let (app, meta) = (None, Meta::default());
        let server = Server {
            id,
            name,
            addresses,
            sources: Vec::new(),
            clients,
            auth,
            tls,
            challenge,
            app,
            meta,
            via,
            last_received: now,
        };
        Entry {
            server,
            is_reported: false,
            sources: Vec::new(),
            listed: Vec::new(),
            prefers_listed: false,
            has_replied: false,
            replies_from: None,
            ttl: DEFAULT_TTL,
            details: Details::default(),
            suspicion: None,
        }
    }

    /// Returns whether the server has ever replied, so that it is known to exist. A beacon can be forged.
    pub(super) fn has_replied(&self) -> bool {
        self.has_replied
    }

    pub(super) fn is_suspect(&self) -> bool {
        self.suspicion.is_some()
    }

    /// Returns whether the server sends an id, which older servers do not.
    pub(super) fn has_id(&self) -> bool {
        self.sources.iter().all(|addr| addr.to_string() != self.server.id)
    }

    pub(super) fn is_heard_at(&self, addr: SocketAddr) -> bool {
        self.sources.contains(&addr)
    }

    pub(super) fn is_heard_at_ip(&self, ip: IpAddr) -> bool {
        self.sources.iter().any(|addr| addr.ip() == ip)
    }

    pub(super) fn is_checking(&self, addr: SocketAddr) -> bool {
        self.suspicion.as_ref().is_some_and(|suspicion| suspicion.checking.contains(&addr))
    }

    /// Returns whether a datagram about `addr` can come from this server: others came from there, it lists the address, or the
    /// address is loopback, which is this machine.
    pub(super) fn can_be_at(&self, addr: SocketAddr) -> bool {
        let same_port = self.sources.first().is_none_or(|first| first.port() == addr.port());
        same_port && (addr.ip().is_loopback() || self.sources.contains(&addr) || self.listed.contains(&addr))
    }

    /// Returns whether a goodbye from `ip` is genuine. It may leave through another interface than the datagrams
    /// before it.
    pub(super) fn can_say_goodbye_from(&self, ip: IpAddr) -> bool {
        self.sources.iter().chain(&self.listed).any(|addr| addr.ip() == ip)
    }

    /// Handles a datagram about `addr`; `reply_from` is its source if it is a reply. Returns whether the server
    /// changed.
    pub(super) fn observe(
        &mut self,
        seen: &Announcement,
        addr: SocketAddr,
        reply_from: Option<SocketAddr>,
        now: Time,
    ) -> bool {
        let before = self.server.clone();
        self.handle_alive(now);
        if !self.sources.contains(&addr) && self.sources.len() < MAX_ADDRESSES {
            // Datagrams on loopback come first, but other machines can also use an address of the network.
            let worse = self.sources.iter().position(|known| rank(*known) > rank(addr));
            self.sources.insert(worse.unwrap_or(self.sources.len()), addr);
        }
        self.server.app = seen.clean_app().or_else(|| self.server.app.take());
        if let Some(from) = reply_from {
            self.has_replied = true;
            self.handle_properties(seen, addr, now);
            // The response over TCP contains no UDP port.
            self.replies_from = Some(from).filter(|from| from.port() != 0).or(self.replies_from);
            if let (Some(addresses), Some(port)) = (&seen.addresses, seen.port()) {
                self.listed = addresses.iter().filter_map(|ip| listed(ip, port)).take(MAX_ADDRESSES).collect();
            }
            self.prefers_listed = seen.advertised == Some(true);
        }
        if let Some(ttl) = seen.ttl.filter(|ttl| ttl.is_finite()) {
            self.ttl = Duration::from_secs_f64(ttl.clamp(*TTL_RANGE.start(), *TTL_RANGE.end()));
        }
        if seen.name.is_some() {
            self.server.name = seen.display_name();
        }
        self.server.clients = seen.clients.map(|clients| clients as u32).or(self.server.clients);
        self.server.auth = seen.auth.unwrap_or(self.server.auth);
        self.server.tls = seen.tls.unwrap_or(self.server.tls);
        let challenge = seen.challenge.as_deref().and_then(|text| Challenge::new(&self.server.id, text));
        self.server.challenge = challenge.or(self.server.challenge.take());
        self.update_addresses();
        // A reply has a new challenge each time.
        self.server != Server { last_received: now, challenge: self.server.challenge.clone(), ..before }
    }

    /// Handles the application id and the properties in a reply.
    fn handle_properties(&mut self, seen: &Announcement, addr: SocketAddr, now: Time) {
        let is_complete = seen.truncated != Some(true);
        if is_complete {
            self.server.app = seen.clean_app();
        } else if now >= self.details.next {
            self.details.due = Some(addr);
            self.details.next = now + DETAILS_INTERVAL;
        }
        if is_complete || !self.details.is_known {
            self.server.meta = seen.meta.clone().unwrap_or_default().0;
        }
        self.details.is_known |= is_complete;
    }

    /// Handles a sign of life.
    pub(super) fn handle_alive(&mut self, now: Time) {
        self.server.last_received = now;
        self.suspicion = None;
    }

    /// Handles that another server is at `addr` now. Returns whether no address of this one is left.
    pub(super) fn handle_address_taken(&mut self, addr: SocketAddr, now: Time) -> bool {
        self.sources.retain(|own| *own != addr);
        self.listed.retain(|own| *own != addr);
        if self.sources.is_empty() {
            return true;
        }
        self.update_addresses();
        self.suspect(now);
        if let Some(suspicion) = &mut self.suspicion {
            suspicion.to_check.retain(|own| *own != addr);
            suspicion.next_check = suspicion.next_check.min(now);
        }
        false
    }

    pub(super) fn handle_timeout(&mut self, now: Time) {
        if now >= self.server.last_received + self.max_silence() {
            self.suspect(now);
        }
        let sources = &self.sources;
        if let Some(suspicion) = self.suspicion.as_mut().filter(|suspicion| now >= suspicion.next_check) {
            suspicion.next_check = Time::NEVER;
            suspicion.to_check = sources.clone();
            suspicion.all_refused = true;
        }
    }

    /// Handles a failed check of `addr`; `refused` if this server is certainly not there. Returns whether it is lost.
    pub(super) fn handle_failed_check(&mut self, addr: SocketAddr, refused: bool, now: Time) -> bool {
        let Some(suspicion) = &mut self.suspicion else { return false };
        suspicion.checking.retain(|checked| *checked != addr);
        suspicion.all_refused &= refused;
        if !suspicion.checking.is_empty() || !suspicion.to_check.is_empty() {
            return false;
        }
        // A server that never replied has used up its TTL already, unless another server took one of its addresses.
        let deadline =
            if self.has_replied { suspicion.since + SUSPECT_TIMEOUT } else { self.server.last_received + self.ttl };
        if suspicion.all_refused || now >= deadline {
            return true;
        }
        suspicion.next_check = now + CHECK_INTERVAL;
        false
    }

    /// Returns where to send a unicast probe, if one is due: a broadcast does not reach every network.
    pub(super) fn poll_probe(&mut self, discovery_port: u16, now: Time) -> Option<SocketAddr> {
        let to = self.replies_from.or(self.sources.first().map(|addr| with_port(*addr, discovery_port)))?;
        let has_replied = self.has_replied;
        let suspicion = self.suspicion.as_mut().filter(|suspicion| now >= suspicion.next_probe)?;
        // A server that never replied is probed once: the address may belong to a third party.
        suspicion.next_probe = if has_replied { now + PROBE_INTERVAL } else { Time::NEVER };
        Some(to)
    }

    /// Returns where to request what truncated replies leave out.
    pub(super) fn poll_details(&mut self) -> Option<SocketAddr> {
        self.details.due.take()
    }

    /// Returns an address to check over TCP.
    pub(super) fn poll_check(&mut self) -> Option<SocketAddr> {
        let suspicion = self.suspicion.as_mut()?;
        let addr = suspicion.to_check.pop()?;
        suspicion.checking.push(addr);
        Some(addr)
    }

    pub(super) fn next_timeout(&self) -> Time {
        match &self.suspicion {
            None => self.server.last_received + self.max_silence(),
            Some(suspicion) => suspicion.next_probe.min(suspicion.next_check),
        }
    }

    fn max_silence(&self) -> Duration {
        if self.has_replied { MAX_SILENCE } else { self.ttl }
    }

    fn suspect(&mut self, now: Time) {
        // A server that never replied was probed all the time, without success.
        let next_check = if self.has_replied { now + CHECK_DELAY } else { now };
        self.suspicion.get_or_insert(Suspicion {
            since: now,
            next_probe: now,
            next_check,
            to_check: Vec::new(),
            checking: Vec::new(),
            all_refused: true,
        });
    }

    fn update_addresses(&mut self) {
        let lists = if self.prefers_listed { [&self.listed, &self.sources] } else { [&self.sources, &self.listed] };
        let mut addresses: Vec<SocketAddr> = Vec::new();
        for addr in lists.into_iter().flatten() {
            if !addresses.contains(addr) && addresses.len() < MAX_ADDRESSES {
                addresses.push(*addr);
            }
        }
        self.server.sources.clone_from(&self.sources);
        self.server.addresses = addresses;
    }
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
