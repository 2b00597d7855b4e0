//! One server: where it was heard, and how sure it is that it is still there.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::{DiscoveryMethod, Server};
use crate::Time;
use crate::announcement::Announcement;

/// Addresses remembered of one server: as many networks as a machine reasonably has.
const ADDRESSES: usize = 8;
/// Silence after which a server that answers probes is in doubt: a probe of the steady rhythm remained unanswered.
const PATIENCE: Duration = Duration::from_millis(3500);
/// The same for one that only sends beacons, and does not say how long they last: four of them.
const TTL: Duration = Duration::from_secs(8);
/// What a server may say about that: neither every late datagram nor for ever.
const TTLS: std::ops::RangeInclusive<f64> = 2.0..=60.0;
/// From the first doubt to the question over TCP: three probes more.
const CHECK: Duration = Duration::from_millis(1500);
/// From the first doubt to the end when nothing is heard at all, which can be the network's fault. A refusal is
/// believed at once.
const END: Duration = Duration::from_millis(5500);
/// Between two questions over TCP that fail at once.
const CHECK_AGAIN: Duration = Duration::from_millis(500);
/// Between two probes to this server alone.
const PROBE_AGAIN: Duration = Duration::from_secs(1);

/// What a failed question means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Open,
    Lost,
}

/// A server and how it was heard.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) server: Server,
    /// Where it was heard from; those of a network before loopback.
    heard_at: Vec<SocketAddr>,
    /// Its addresses by its own account.
    listed: Vec<SocketAddr>,
    answered: bool,
    /// Where its replies come from, which is where probes are heard.
    replies_from: Option<SocketAddr>,
    ttl: Duration,
    doubt: Option<Doubt>,
}

/// A server has been silent for longer than it should.
#[derive(Debug)]
struct Doubt {
    since: Time,
    probe_at: Time,
    check_at: Time,
    /// Addresses to be asked, and those that are being asked.
    to_ask: Vec<SocketAddr>,
    asked: Vec<SocketAddr>,
    /// Nothing but refusals so far.
    refused: bool,
}

impl Entry {
    pub(super) fn new(id: String, via: DiscoveryMethod, now: Time) -> Entry {
        let (name, addresses, clients) = (String::new(), Vec::new(), None);
        let server = Server { id, name, addresses, clients, auth: false, tls: false, via, heard: now };
        let (heard_at, listed) = (Vec::new(), Vec::new());
        Entry { server, heard_at, listed, answered: false, replies_from: None, ttl: TTL, doubt: None }
    }

    /// Whether it ever answered a question, so that it is no mere claim.
    pub(super) fn has_answered(&self) -> bool {
        self.answered
    }

    pub(super) fn is_in_doubt(&self) -> bool {
        self.doubt.is_some()
    }

    /// Whether it tells an id; older servers do not.
    pub(super) fn has_id(&self) -> bool {
        self.heard_at.iter().all(|addr| addr.to_string() != self.server.id)
    }

    pub(super) fn is_heard_at(&self, addr: SocketAddr) -> bool {
        self.heard_at.contains(&addr)
    }

    pub(super) fn is_of_host(&self, ip: IpAddr) -> bool {
        self.heard_at.iter().any(|addr| addr.ip() == ip)
    }

    pub(super) fn is_asked(&self, addr: SocketAddr) -> bool {
        self.doubt.as_ref().is_some_and(|doubt| doubt.asked.contains(&addr))
    }

    /// Whether a sighting at `addr` can be of this server: it was heard there or lists it. Loopback is this machine.
    pub(super) fn is_believed_at(&self, addr: SocketAddr) -> bool {
        let same_port = self.heard_at.first().is_none_or(|first| first.port() == addr.port());
        same_port && (addr.ip().is_loopback() || self.heard_at.contains(&addr) || self.listed.contains(&addr))
    }

    /// A goodbye may leave through another interface than all before it.
    pub(super) fn may_say_goodbye_from(&self, ip: IpAddr) -> bool {
        self.heard_at.iter().chain(&self.listed).any(|addr| addr.ip() == ip)
    }

    /// It was heard at `addr`, in answer to a question from the address `reply` if it is one. Whether anything that
    /// is told about it changed.
    pub(super) fn handle_sighting(
        &mut self,
        seen: &Announcement,
        addr: SocketAddr,
        reply: Option<SocketAddr>,
        now: Time,
    ) -> bool {
        let before = self.server.clone();
        self.hear(now);
        if !self.heard_at.contains(&addr) && self.heard_at.len() < ADDRESSES {
            // Loopback is heard first, but an address of the network is of use to others, too.
            let first_local = self.heard_at.iter().position(|addr| addr.ip().is_loopback());
            let at = first_local.filter(|_| !addr.ip().is_loopback()).unwrap_or(self.heard_at.len());
            self.heard_at.insert(at, addr);
        }
        if let Some(from) = reply {
            self.answered = true;
            // The answer over TCP tells no UDP port.
            self.replies_from = Some(from).filter(|from| from.port() != 0).or(self.replies_from);
            if let Some(addresses) = &seen.addresses {
                self.listed = addresses.iter().filter_map(|ip| listed(ip, addr.port())).take(ADDRESSES).collect();
            }
        }
        if let Some(ttl) = seen.ttl.filter(|ttl| ttl.is_finite()) {
            self.ttl = Duration::from_secs_f64(ttl.clamp(*TTLS.start(), *TTLS.end()));
        }
        if seen.name.is_some() {
            self.server.name = seen.display_name();
        }
        self.server.clients = seen.clients.map(|clients| clients as u32).or(self.server.clients);
        self.server.auth = seen.auth.unwrap_or(self.server.auth);
        self.server.tls = seen.tls.unwrap_or(self.server.tls);
        self.list_addresses();
        self.server != Server { heard: now, ..before }
    }

    /// A sign of life.
    pub(super) fn hear(&mut self, now: Time) {
        self.server.heard = now;
        self.doubt = None;
    }

    /// Another server is at `addr` now. Whether nothing of this one is left.
    pub(super) fn handle_replaced(&mut self, addr: SocketAddr, now: Time) -> bool {
        self.heard_at.retain(|own| *own != addr);
        self.listed.retain(|own| *own != addr);
        if self.heard_at.is_empty() {
            return true;
        }
        self.list_addresses();
        self.begin_doubt(now);
        if let Some(doubt) = &mut self.doubt {
            doubt.to_ask.retain(|own| *own != addr);
            doubt.check_at = doubt.check_at.min(now);
        }
        false
    }

    pub(super) fn handle_timeout(&mut self, now: Time) {
        if now >= self.server.heard + self.retry_limit() {
            self.begin_doubt(now);
        }
        let heard_at = &self.heard_at;
        if let Some(doubt) = self.doubt.as_mut().filter(|doubt| now >= doubt.check_at) {
            doubt.check_at = Time::NEVER;
            doubt.to_ask = heard_at.clone();
            doubt.refused = true;
        }
    }

    /// A question to `addr` was in vain; `refused` if it is certain that this server is not there.
    pub(super) fn handle_failure(&mut self, addr: SocketAddr, refused: bool, now: Time) -> Decision {
        let Some(doubt) = &mut self.doubt else { return Decision::Open };
        doubt.asked.retain(|asked| *asked != addr);
        doubt.refused &= refused;
        if !doubt.asked.is_empty() || !doubt.to_ask.is_empty() {
            return Decision::Open;
        }
        // One that never answered had its whole time already, unless it lost an address to another.
        let over = if self.answered { doubt.since + END } else { self.server.heard + self.ttl };
        if doubt.refused || now >= over {
            return Decision::Lost;
        }
        doubt.check_at = now + CHECK_AGAIN;
        Decision::Open
    }

    /// Where to send a probe for this server alone, if it is due: a broadcast does not reach every network.
    pub(super) fn poll_probe(&mut self, discovery_port: u16, now: Time) -> Option<SocketAddr> {
        let to = self.replies_from.or(self.heard_at.first().map(|addr| SocketAddr::new(addr.ip(), discovery_port)))?;
        let answered = self.answered;
        let doubt = self.doubt.as_mut().filter(|doubt| now >= doubt.probe_at)?;
        // A mere claim is asked once: its address may be a third party's.
        doubt.probe_at = if answered { now + PROBE_AGAIN } else { Time::NEVER };
        Some(to)
    }

    /// An address that is to be asked over TCP.
    pub(super) fn poll_check(&mut self) -> Option<SocketAddr> {
        let doubt = self.doubt.as_mut()?;
        let addr = doubt.to_ask.pop()?;
        doubt.asked.push(addr);
        Some(addr)
    }

    pub(super) fn next_timeout(&self) -> Time {
        match &self.doubt {
            None => self.server.heard + self.retry_limit(),
            Some(doubt) => doubt.probe_at.min(doubt.check_at),
        }
    }

    fn retry_limit(&self) -> Duration {
        if self.answered { PATIENCE } else { self.ttl }
    }

    fn begin_doubt(&mut self, now: Time) {
        // One that never answered was probed all the time, in vain.
        let check_at = if self.answered { now + CHECK } else { now };
        let (to_ask, asked) = (Vec::new(), Vec::new());
        self.doubt.get_or_insert(Doubt { since: now, probe_at: now, check_at, to_ask, asked, refused: true });
    }

    fn list_addresses(&mut self) {
        let mut addresses = self.heard_at.clone();
        addresses.extend(self.listed.iter().filter(|listed| !self.heard_at.contains(listed)));
        addresses.truncate(ADDRESSES);
        self.server.addresses = addresses;
    }
}

/// An address that a server lists, if it is one that another machine could reach.
fn listed(ip: &str, port: u16) -> Option<SocketAddr> {
    let ip: Ipv4Addr = ip.parse().ok()?;
    let usable = !ip.is_loopback() && !ip.is_unspecified() && !ip.is_multicast() && !ip.is_broadcast();
    usable.then_some(SocketAddr::new(ip.into(), port))
}
