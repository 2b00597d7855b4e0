//! One server: the addresses its datagrams came from, and whether it is still there.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

use super::addresses::{Addresses, listed_in};
use super::nonce::{Nonce, Nonces};
use super::server::{DiscoveryMethod, Server};
use super::suspicion::Suspicion;
use crate::Time;
use crate::announcement::Announcement;
use crate::meta::Meta;
use crate::proof::Challenge;

/// Silence after which a server that replies to probes becomes suspect: one regular probe was left without a reply.
const MAX_SILENCE: Duration = Duration::from_millis(3500);
/// The same for a server that only sends beacons, without a TTL: four beacons.
const DEFAULT_TTL: Duration = Duration::from_secs(8);
/// Bounds, in seconds, of a TTL that a server sends, so that one late datagram does not make it suspect and a huge TTL
/// does not keep it forever.
const TTL_RANGE: RangeInclusive<f64> = 2.0..=60.0;
/// Time between two requests for what a truncated reply leaves out.
const DETAILS_INTERVAL: Duration = Duration::from_secs(10);
/// Time between two requests for a proof, which doubles while there is none.
const PROOF_INTERVALS: RangeInclusive<Duration> = Duration::from_millis(500)..=Duration::from_secs(10);
/// Time between two goodbyes that are verified.
const GOODBYE_INTERVAL: Duration = Duration::from_millis(500);
/// Time after a false goodbye in which silence alone does not confirm another one.
const FALSE_GOODBYE_TIME: Duration = Duration::from_secs(60);
/// Time after a proof in which a server needs no other one to keep its id.
const PROOF_TIME: Duration = Duration::from_secs(2);

/// Why a datagram or a response over TCP is believed, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Evidence {
    /// A beacon: a claim.
    Beacon,
    /// A reply to a nonce that was broadcast, which everybody can read: a claim.
    Reply,
    /// A reply to a nonce that only this address received.
    Proof,
    /// A response over TCP.
    Response,
}

impl Evidence {
    pub(super) fn is_proof(self) -> bool {
        matches!(self, Evidence::Proof | Evidence::Response)
    }
}

/// A server, and how its datagrams were received.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) server: Server,
    /// Whether the application knows of the server: it passes the filter of the browser.
    pub(super) is_reported: bool,
    addresses: Addresses,
    has_replied: bool,
    ttl: Duration,
    details: Details,
    suspicion: Option<Suspicion>,
    /// The id that it sends. [`Server::id`] is another one if it sends none, or that of another server that is there.
    sent_id: Option<String>,
    /// When it last proved that it is at an address; `None` if it never did.
    proven: Option<Time>,
    /// A datagram differs from what was proven.
    is_contradicted: bool,
    /// When to request a proof at the earliest, and how long to wait after that.
    next_request: Time,
    request_interval: Duration,
    /// When a goodbye can be verified next, and whether one waits for it.
    next_goodbye: Time,
    has_goodbye: bool,
    /// When a goodbye last proved to be false.
    last_false_goodbye: Option<Time>,
    /// Where another server proved to have this id, and where that receives probes.
    rival: Option<(SocketAddr, SocketAddr)>,
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

impl Entry {
    pub(super) fn new(id: String, sent_id: Option<String>, via: DiscoveryMethod, now: Time) -> Entry {
        let (name, addresses, clients) = (String::new(), Vec::new(), None);
        let (auth, tls, challenge) = (false, false, None);
        let (app, cluster, meta) = (None, None, Meta::default());
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
            cluster,
            meta,
            via,
            last_received: now,
        };
        Entry {
            server,
            is_reported: false,
            addresses: Addresses::default(),
            has_replied: false,
            ttl: DEFAULT_TTL,
            details: Details::default(),
            suspicion: None,
            sent_id,
            proven: None,
            is_contradicted: false,
            next_request: now,
            request_interval: *PROOF_INTERVALS.start(),
            next_goodbye: now,
            has_goodbye: false,
            last_false_goodbye: None,
            rival: None,
        }
    }

    /// Returns how many bytes the variable parts take.
    pub(super) fn size(&self) -> usize {
        let server = &self.server;
        let optional = |text: &Option<String>| text.as_ref().map_or(0, String::capacity);
        let texts = server.id.capacity() + server.name.capacity() + optional(&server.app) + optional(&server.cluster);
        let meta: usize = server.meta.iter().map(|(key, value)| key.len() + value.len()).sum();
        let addresses = (server.addresses.capacity() + server.sources.capacity()) * size_of::<SocketAddr>();
        texts + meta + addresses + self.addresses.size() + optional(&self.sent_id)
    }

    /// Returns whether the server has ever replied, so that it is known to exist. A beacon can be forged.
    pub(super) fn has_replied(&self) -> bool {
        self.has_replied
    }

    /// Returns whether the server has been silent for too long.
    pub(super) fn is_suspect(&self) -> bool {
        self.suspicion.as_ref().is_some_and(|suspicion| !suspicion.is_hasty)
    }

    /// Returns whether it has proven that it is at its address. A beacon can be forged.
    pub(super) fn is_proven(&self) -> bool {
        self.proven.is_some()
    }

    /// Returns whether it has just proven that it is at its address, so that it has a better right to its id than
    /// another server.
    pub(super) fn is_surely_there(&self, now: Time) -> bool {
        self.suspicion.is_none() && self.proven.is_some_and(|at| now <= at + PROOF_TIME)
    }

    /// Returns the id that the server sends, which older servers do not.
    pub(super) fn sent_id(&self) -> Option<&String> {
        self.sent_id.as_ref()
    }

    /// Returns whether the id is that of another server, which was there first.
    pub(super) fn has_borrowed_id(&self) -> bool {
        self.sent_id.as_ref().is_some_and(|sent| *sent != self.server.id)
    }

    pub(super) fn is_heard_at(&self, addr: SocketAddr) -> bool {
        self.addresses.seen().contains(&addr)
    }

    pub(super) fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Handles a datagram from `from` about `addr`. Returns whether the server changed.
    pub(super) fn observe(
        &mut self,
        seen: &Announcement,
        addr: SocketAddr,
        from: SocketAddr,
        evidence: Evidence,
        now: Time,
    ) -> bool {
        let before = self.server.clone();
        if evidence.is_proof() {
            self.handle_proof(now);
            self.addresses.add_proven(seen, addr, from);
        } else {
            self.handle_claim(now);
        }
        self.addresses.add_claimed(addr);
        // A truncated reply may list less than is known.
        let listed = listed_in(seen).filter(|_| seen.truncated != Some(true) || !self.details.is_known);
        if self.is_proven() && !evidence.is_proof() {
            // Who sends it is not known. A changed number of clients does no harm; anything else has to be proven.
            if self.contradicts(seen, listed.as_deref(), evidence) {
                self.is_contradicted = true;
                return false;
            }
            self.server.clients = seen.clients.map(|clients| clients as u32).or(self.server.clients);
            if evidence == Evidence::Reply {
                self.handle_properties(seen, addr, now);
            }
            return self.server != Server { last_received: now, ..before };
        }
        self.is_contradicted = false;
        self.server.app = seen.clean_app().or_else(|| self.server.app.take());
        if evidence != Evidence::Beacon {
            self.has_replied = true;
            self.handle_properties(seen, addr, now);
            self.addresses.set_listed(listed, seen.advertised == Some(true));
            self.server.auth = seen.auth.unwrap_or(self.server.auth);
            self.server.tls = seen.tls.unwrap_or(self.server.tls);
            self.server.cluster = seen.clean_cluster();
        }
        if let Some(ttl) = seen.ttl.filter(|ttl| ttl.is_finite()) {
            self.ttl = Duration::from_secs_f64(ttl.clamp(*TTL_RANGE.start(), *TTL_RANGE.end()));
        }
        if seen.name.is_some() {
            self.server.name = seen.display_name();
        }
        self.server.clients = seen.clients.map(|clients| clients as u32).or(self.server.clients);
        let challenge = seen.challenge.as_deref();
        let challenge = challenge.zip(self.sent_id.as_ref()).and_then(|(text, id)| Challenge::new(id, text));
        self.server.challenge = challenge.or(self.server.challenge.take());
        self.update_addresses();
        // A reply has a new challenge each time.
        self.server != Server { last_received: now, challenge: self.server.challenge.clone(), ..before }
    }

    /// Handles that another device has a better right to the id.
    pub(super) fn clear_addresses(&mut self) {
        self.addresses = Addresses::default();
    }

    pub(super) fn is_hasty(&self) -> bool {
        self.suspicion.as_ref().is_some_and(|suspicion| suspicion.is_hasty)
    }

    /// Returns whether a datagram differs from what was proven, in what matters.
    fn contradicts(&self, seen: &Announcement, listed: Option<&[SocketAddr]>, evidence: Evidence) -> bool {
        let server = &self.server;
        let is_other = |name: &Option<String>| name.is_some() && seen.display_name() != server.name;
        let app = seen.clean_app();
        let is_complete = evidence == Evidence::Reply && seen.truncated != Some(true);
        is_other(&seen.name)
            || (app != server.app && (app.is_some() || is_complete))
            || evidence == Evidence::Reply
                && (seen.tls.is_some_and(|tls| tls != server.tls)
                    || seen.auth.is_some_and(|auth| auth != server.auth)
                    || seen.clean_cluster() != server.cluster
                    || !self.addresses.are_listed(listed, seen.advertised == Some(true)))
    }

    /// Requests a proof with the next datagram, because the server that had the id before is gone.
    pub(super) fn request_id(&mut self) {
        self.is_contradicted = true;
    }

    /// Returns whether to request a proof of what was claimed. An older server cannot give one.
    pub(super) fn poll_request(&mut self, now: Time) -> bool {
        let is_due = (!self.is_proven() || self.is_contradicted) && now >= self.next_request;
        if is_due && self.sent_id.is_some() {
            self.next_request = now + self.request_interval;
            self.request_interval = (self.request_interval * 2).min(*PROOF_INTERVALS.end());
            return true;
        }
        false
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

    /// Handles a datagram that may come from the server. It does not show that a goodbye is false.
    fn handle_claim(&mut self, now: Time) {
        self.server.last_received = now;
        self.suspicion.take_if(|suspicion| !suspicion.is_hasty);
    }

    /// Handles a proof that the server is there.
    pub(super) fn handle_proof(&mut self, now: Time) {
        self.server.last_received = now;
        self.proven = Some(now);
        (self.next_request, self.request_interval) = (now, *PROOF_INTERVALS.start());
        if self.suspicion.take().is_some_and(|suspicion| suspicion.is_hasty) {
            self.last_false_goodbye = Some(now);
        }
    }

    /// Handles a goodbye, or the proof that another server has the id. Only a flood of goodbyes is not verified at once.
    pub(super) fn handle_goodbye(&mut self, now: Time) {
        if self.is_hasty() {
            return;
        }
        self.has_goodbye = now < self.next_goodbye;
        if !self.has_goodbye {
            self.next_goodbye = now + GOODBYE_INTERVAL;
            // On a network that loses many datagrams, silence would make forged goodbyes credible.
            let believes_silence = self.last_false_goodbye.is_none_or(|last| now > last + FALSE_GOODBYE_TIME);
            self.begin_suspicion(Suspicion::after_goodbye(believes_silence, now));
        }
    }

    /// Handles that another server at `addr`, which receives probes at `to`, has proven to have the id.
    pub(super) fn handle_rival(&mut self, addr: SocketAddr, to: SocketAddr, now: Time) {
        self.rival = Some((addr, to));
        self.handle_goodbye(now);
    }

    /// Returns the other server with the same id if this one has proven that it is still there.
    pub(super) fn poll_rival(&mut self) -> Option<(SocketAddr, SocketAddr)> {
        if self.suspicion.is_some() || self.has_goodbye { None } else { self.rival.take() }
    }

    /// Moves the server to the other one with the same id, because it is no longer at its own address. Returns where that
    /// receives probes; `None` if there is no other one.
    pub(super) fn take_over(&mut self, now: Time) -> Option<(SocketAddr, SocketAddr)> {
        let (addr, to) = self.rival.take()?;
        self.addresses = Addresses::new(addr, to);
        (self.suspicion, self.last_false_goodbye, self.has_goodbye) = (None, None, false);
        (self.server.last_received, self.proven, self.is_contradicted) = (now, Some(now), true);
        self.update_addresses();
        Some((addr, to))
    }

    /// Handles that another server is at `addr` now. Returns whether no address of this one is left.
    pub(super) fn handle_address_taken(&mut self, addr: SocketAddr, now: Time) -> bool {
        if self.addresses.remove(addr) {
            return true;
        }
        self.update_addresses();
        self.suspect(now);
        if let Some(suspicion) = &mut self.suspicion {
            suspicion.handle_address_taken(addr, now);
        }
        false
    }

    /// Handles the passing of time. Returns whether the server is lost.
    pub(super) fn handle_timeout(&mut self, now: Time) -> bool {
        if self.has_goodbye && now >= self.next_goodbye {
            self.handle_goodbye(now);
        }
        if now >= self.server.last_received + self.max_silence() {
            self.suspect(now);
        }
        let sources = self.addresses.seen().iter().copied();
        self.suspicion.as_mut().is_some_and(|suspicion| suspicion.handle_timeout(sources, now))
    }

    /// Handles a failed check of `addr`; `refused` if this server is certainly not there. Returns whether it is lost.
    pub(super) fn handle_failed_check(&mut self, addr: SocketAddr, refused: bool, now: Time) -> bool {
        // A server that never replied has used up its TTL already, unless another server took one of its addresses.
        let deadline = (!self.has_replied).then(|| self.server.last_received + self.ttl);
        self.suspicion.as_mut().is_some_and(|suspicion| suspicion.handle_failed_check(addr, refused, deadline, now))
    }

    /// Returns where to send a unicast probe, if one is due: a broadcast does not reach every network.
    pub(super) fn poll_probe(
        &mut self,
        discovery_port: u16,
        nonces: &mut Nonces,
        now: Time,
    ) -> Option<(SocketAddr, Nonce)> {
        let (nonce, number) = self.suspicion.as_mut()?.poll_probe(self.proven.is_some(), nonces, now)?;
        // Each of its addresses in turn.
        let seen = self.addresses.seen();
        let addr = *seen.get((usize::from(number) - 1) % seen.len().max(1))?;
        Some((self.addresses.receives_at(addr, discovery_port), nonce))
    }

    /// Returns whether a reply from `ip` proves that the server is there.
    pub(super) fn is_proof(&self, nonce: Nonce, ip: IpAddr) -> bool {
        let is_own = self.addresses.seen().iter().any(|addr| addr.ip() == ip);
        is_own && self.suspicion.as_ref().is_some_and(|suspicion| suspicion.is_proof(nonce))
    }

    /// Returns where to request what truncated replies leave out.
    pub(super) fn details_due(&self) -> Option<SocketAddr> {
        self.details.due
    }

    /// Handles that the request of [`Entry::details_due`] starts.
    pub(super) fn handle_details_requested(&mut self) {
        self.details.due = None;
    }

    /// Returns an address to check over TCP.
    pub(super) fn next_to_check(&self) -> Option<SocketAddr> {
        self.suspicion.as_ref()?.next_to_check()
    }

    /// Handles that the check of [`Entry::next_to_check`] starts.
    pub(super) fn handle_check_started(&mut self, now: Time) {
        if let Some(suspicion) = &mut self.suspicion {
            suspicion.handle_check_started(now);
        }
    }

    pub(super) fn is_checking(&self, addr: SocketAddr) -> bool {
        self.suspicion.as_ref().is_some_and(|suspicion| suspicion.is_checking(addr))
    }

    pub(super) fn next_timeout(&self) -> Time {
        let goodbye = if self.has_goodbye { self.next_goodbye } else { Time::NEVER };
        match &self.suspicion {
            None => goodbye.min(self.server.last_received + self.max_silence()),
            Some(suspicion) => goodbye.min(suspicion.next_timeout()),
        }
    }

    fn max_silence(&self) -> Duration {
        if self.has_replied { MAX_SILENCE } else { self.ttl }
    }

    fn suspect(&mut self, now: Time) {
        if self.suspicion.is_none() {
            self.begin_suspicion(Suspicion::after_silence(self.has_replied, now));
        }
    }

    fn begin_suspicion(&mut self, suspicion: Suspicion) {
        // A server without an id is older than probes. Its address may be any machine's that accepts connections.
        self.suspicion = Some(if self.sent_id.is_some() { suspicion } else { suspicion.without_probes() });
    }

    fn update_addresses(&mut self) {
        self.server.sources = self.addresses.seen().to_vec();
        self.server.addresses = self.addresses.best_first();
    }
}
