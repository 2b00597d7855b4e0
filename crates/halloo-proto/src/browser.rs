//! The servers on the network: from datagrams and results of checks, it determines which servers are found, updated and
//! lost, and where to send the next probes and checks.
//!
//! A server sends no beacons while it has clients, so silence alone does not remove a server. When nothing
//! was received from it for a while, it is suspect: it is probed more often, then checked over TCP, and lost only if both
//! fail.
//!
//! Any device can send any datagram from any address, and read what is broadcast. What a datagram says is therefore a
//! claim. It lists a server that is not known, and has no effect on one that has proven its address: there it only
//! causes a probe with a nonce of its own to that address, or a check over TCP.

mod server;

mod addresses;
mod entry;
mod suspicion;

mod checks;
mod proofs;

mod nonce;
mod schedule;
mod source;

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::Time;
use crate::announcement::{Announcement, MAX_DATAGRAM_SIZE};
use crate::name::is_same_app;
use addresses::{lists, with_port};
pub use checks::{CheckResult, MAX_CHECKS};
use checks::{Checks, Purpose};
use entry::{Entry, Evidence};
pub use nonce::Nonce;
use nonce::Nonces;
use proofs::Proofs;
use schedule::{Reach, Schedule};
pub use server::{Change, DiscoveryMethod, Server};
use source::Source;

/// Maximum number of servers stored: more than a local network has, fewer than a flood of forged beacons.
pub const MAX_SERVERS: usize = 256;
/// The part of the free places that the servers of one source can take with claims alone: few sources cannot fill the
/// table, and one device has room for several times the ten ports that a server tries.
const SHARE: usize = 4;
/// Time for which a server that said goodbye or was replaced is listed only with a proof: its last reply may still
/// arrive.
const DEPARTED_TIME: Duration = Duration::from_secs(1);
/// Maximum number of departed servers stored.
const MAX_DEPARTED: usize = 64;

/// A probe to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// By broadcast on every interface, to the discovery port.
    All,
    /// By broadcast on every interface, to the discovery port and to the ports that a server falls back to.
    AllPorts,
    /// To this address only, with this nonce instead of that of the browser.
    One(SocketAddr, Nonce),
}

/// The servers on the network.
///
/// ```
/// use halloo_proto::Time;
/// use halloo_proto::browser::{Browser, Change};
///
/// let mut browser = Browser::new("b64e21", 8766, None, 1);
/// let beacon = br#"{"service":"websocket_server","ip":"10.9.9.9","port":8765,"timestamp":1,"id":"a1","name":"den"}"#;
/// browser.handle_datagram(beacon, ([192, 168, 1, 5], 40000).into(), Time::ZERO);
/// let Some(Change::Found(server)) = browser.poll_change() else { panic!() };
/// assert_eq!(server.addresses, [([192, 168, 1, 5], 8765).into()]); // the source, not what the datagram claims
/// ```
#[derive(Debug)]
pub struct Browser {
    nonce: String,
    discovery_port: u16,
    ignore: Option<String>,
    app: Option<String>,
    entries: Vec<Entry>,
    departed: VecDeque<(String, Time)>,
    proofs: Proofs,
    checks: Checks,
    nonces: Nonces,
    schedule: Schedule,
    changes: VecDeque<Change>,
    ignored_datagrams: u64,
}

impl Browser {
    /// Creates a browser whose broadcast probes contain `nonce` and go to `discovery_port`. It ignores the server with the
    /// id `ignore`. The nonces of its other probes follow from `secret`, which must not follow from `nonce`, since every
    /// device can read that.
    pub fn new(nonce: &str, discovery_port: u16, ignore: Option<String>, secret: u128) -> Browser {
        let mut nonces = Nonces::new(secret);
        Browser {
            nonce: nonce.to_owned(),
            discovery_port,
            ignore,
            app: None,
            entries: Vec::new(),
            departed: VecDeque::new(),
            proofs: Proofs::default(),
            checks: Checks::default(),
            schedule: Schedule::new(nonces.seed()),
            nonces,
            changes: VecDeque::new(),
            ignored_datagrams: 0,
        }
    }

    /// Reports only servers with the application id `app`; `None` for all servers.
    pub fn with_app(mut self, app: Option<String>) -> Browser {
        self.app = app;
        self
    }

    /// Returns the servers that are known now, in the order in which they were found.
    pub fn servers(&self) -> impl Iterator<Item = &Server> {
        self.entries.iter().filter(|entry| entry.is_reported).map(|entry| &entry.server)
    }

    /// Returns how many datagrams did not lead to an entry, because there was no room for a server that has proven
    /// nothing, or for one more of its address.
    pub fn ignored_datagrams(&self) -> u64 {
        self.ignored_datagrams
    }

    /// Returns the bytes of the texts and addresses that are stored, which are bounded whatever arrives.
    pub fn stored_bytes(&self) -> usize {
        let departed: usize = self.departed.iter().map(|(id, _)| id.capacity()).sum();
        self.entries.iter().map(|entry| size_of::<Entry>() + entry.size()).sum::<usize>() + departed
    }

    /// Handles a datagram. Only its source address is used: the address inside can be wrong or forged.
    pub fn handle_datagram(&mut self, bytes: &[u8], from: SocketAddr, now: Time) {
        let Some(seen) = Announcement::parse(bytes).filter(|_| bytes.len() <= MAX_DATAGRAM_SIZE) else { return };
        match seen.service.as_str() {
            "websocket_server" => self.observe(&seen, from, Evidence::Beacon, DiscoveryMethod::Udp, now),
            "websocket_server_reply" => {
                if let Some(evidence) = self.evidence(&seen, from) {
                    self.observe(&seen, from, evidence, DiscoveryMethod::Udp, now);
                }
            }
            "websocket_server_bye" => self.handle_goodbye(&seen, from, now),
            _ => {}
        }
    }

    /// Handles a service that DNS-SD found at `addr`. Any device can publish one, so it is checked over TCP, unless a
    /// server was received from there before.
    pub fn handle_service(&mut self, addr: SocketAddr) {
        // An address that a server merely lists can be that of another one.
        if !self.entries.iter().any(|entry| entry.is_heard_at(addr)) {
            self.checks.add(addr, DiscoveryMethod::Mdns);
        }
    }

    /// Handles the result of checking an address that [`Browser::poll_check`] returned. Every check needs a result.
    pub fn handle_check_result(&mut self, addr: SocketAddr, result: CheckResult<'_>, now: Time) {
        let purpose = self.checks.handle_result(addr);
        let reply = match result {
            CheckResult::Body(body) => {
                Announcement::parse(body).filter(|reply| reply.service == "websocket_server_reply")
            }
            _ => None,
        };
        if let Some(index) = self.entries.iter().position(|entry| entry.is_checking(addr)) {
            let entry = &mut self.entries[index];
            let is_same = reply.as_ref().is_some_and(|reply| reply.clean_id().as_ref() == entry.sent_id());
            let listens = matches!(result, CheckResult::Body(_) | CheckResult::Unexpected);
            if is_same && entry.sent_id().is_some() || (listens && reply.is_none() && entry.sent_id().is_none()) {
                entry.handle_proof(now);
            } else if entry.handle_failed_check(addr, result == CheckResult::Refused || reply.is_some(), now) {
                self.lose(index, now);
            }
        }
        if let Some(reply) = reply {
            let via = if let Some(Purpose::Claimed(via)) = purpose { via } else { DiscoveryMethod::Udp };
            self.observe(&reply, with_port(addr, 0), Evidence::Response, via, now);
        }
    }

    /// Handles the passing of time; see [`Browser::poll_timeout`].
    pub fn handle_timeout(&mut self, now: Time) {
        for index in (0..self.entries.len()).rev() {
            if self.entries[index].handle_timeout(now) {
                self.lose(index, now);
            }
        }
        while let Some(addr) = self.proofs.poll_unanswered(now) {
            self.checks.add(addr, DiscoveryMethod::Udp);
        }
        while self.departed.front().is_some_and(|(_, until)| *until <= now) {
            self.departed.pop_front();
        }
    }

    /// Probes as often as at the start again, because the network has changed.
    pub fn rescan(&mut self, now: Time) {
        self.schedule.restart(now);
    }

    /// Returns a probe to send now; `None` when there are no more.
    pub fn poll_probe(&mut self, now: Time) -> Option<Probe> {
        let has_suspect = self.has_suspect();
        match self.schedule.poll(has_suspect, now) {
            Some(Reach::Port) => return Some(Probe::All),
            Some(Reach::Range) => return Some(Probe::AllPorts),
            None => {}
        }
        let (port, nonces) = (self.discovery_port, &mut self.nonces);
        let suspect = self.entries.iter_mut().find_map(|entry| entry.poll_probe(port, nonces, now));
        suspect.or_else(|| self.proofs.poll_probe(nonces, now)).map(|(to, nonce)| Probe::One(to, nonce))
    }

    /// Returns an address from which to request `GET /discovery.json`; `None` when there are no more or when too many
    /// are in progress, at most [`MAX_CHECKS`].
    pub fn poll_check(&mut self, now: Time) -> Option<SocketAddr> {
        for purpose in [Purpose::Proven, Purpose::Unproven] {
            let checks = &mut self.checks;
            let is_such = |entry: &&mut Entry| entry.is_proven() == (purpose == Purpose::Proven);
            for entry in self.entries.iter_mut().filter(is_such) {
                let suspect = entry.next_to_check().filter(|addr| checks.allows(*addr, purpose));
                if let Some(addr) = suspect {
                    entry.handle_check_started(now);
                    checks.start(addr, purpose);
                    return Some(addr);
                }
                let details = entry.details_due().filter(|addr| checks.allows(*addr, purpose));
                if let Some(addr) = details {
                    entry.handle_details_requested();
                    checks.start(addr, purpose);
                    return Some(addr);
                }
            }
        }
        self.checks.poll_claimed()
    }

    /// Returns the next change; `None` when there are no more.
    pub fn poll_change(&mut self) -> Option<Change> {
        self.changes.pop_front()
    }

    /// Returns when to call [`Browser::handle_timeout`] and the other polls again.
    pub fn poll_timeout(&self) -> Time {
        let entries = self.entries.iter().map(Entry::next_timeout);
        entries.fold(self.schedule.next(self.has_suspect()).min(self.proofs.next_timeout()), Time::min)
    }

    fn has_suspect(&self) -> bool {
        self.entries.iter().any(|entry| entry.has_replied() && entry.is_suspect())
    }

    /// Returns what a reply is worth; `None` if it is to no probe of this browser.
    fn evidence(&self, reply: &Announcement, from: SocketAddr) -> Option<Evidence> {
        let (text, ip) = (reply.nonce.as_ref()?, from.ip());
        let proves =
            |nonce| self.proofs.is_proof(nonce, ip) || self.entries.iter().any(|entry| entry.is_proof(nonce, ip));
        if Nonce::parse(text).is_some_and(proves) {
            return Some(Evidence::Proof);
        }
        (*text == self.nonce).then_some(Evidence::Reply)
    }

    /// Handles a beacon, a reply, or a response over TCP.
    fn observe(&mut self, seen: &Announcement, from: SocketAddr, evidence: Evidence, via: DiscoveryMethod, now: Time) {
        let Some(port) = seen.port_at(from.ip()) else { return };
        let addr = with_port(from, port);
        let to = if evidence == Evidence::Reply { from } else { with_port(from, self.discovery_port) };
        let id = seen.clean_id();
        if id.is_some() && id == self.ignore {
            return;
        }
        let is_proof = evidence.is_proof();
        if is_proof {
            self.proofs.handle_proof(addr);
            self.departed.retain(|(gone, _)| Some(gone) != id.as_ref());
        }
        let mut known = self.position(id.as_ref(), addr);
        if let Some(index) = known
            && self.entries[index].has_borrowed_id()
            && !self.entries.iter().any(|entry| Some(&entry.server.id) == id.as_ref())
        {
            // The server that had this id before is gone.
            if is_proof {
                self.remove(index);
                known = None;
            } else {
                self.entries[index].request_id();
            }
        }
        let has_departed = self.departed.iter().any(|(gone, _)| Some(gone) == id.as_ref());
        let is_elsewhere = known.is_some_and(|index| !self.entries[index].is_heard_at(addr));
        let is_other =
            |(index, entry): (usize, &Entry)| Some(index) != known && entry.is_heard_at(addr) && entry.is_proven();
        let is_taken = self.entries.iter().enumerate().any(is_other);
        if !is_proof && (has_departed || is_elsewhere || is_taken) {
            self.proofs.request(addr, to, now);
            return;
        }
        let mut shown_id = id.clone();
        if let Some(index) = known.filter(|_| is_elsewhere) {
            match self.place(index, seen, addr, now) {
                Place::Same => {}
                Place::Another => (known, shown_id) = (None, Some(addr.to_string())),
                Place::Undecided => {
                    self.entries[index].handle_rival(addr, with_port(addr, to.port()), now);
                    self.forget_proofs(index);
                    return;
                }
                Place::Ignored => return,
            }
        }
        let is_new = known.is_none();
        if is_new && !self.make_room(addr, is_proof) {
            self.ignored_datagrams += 1;
            if !is_proof {
                self.proofs.request(addr, to, now);
                // The more often a server replies, the sooner it is asked for its proof.
                self.schedule.hasten(now);
            }
            return;
        }
        let known_id = known.map(|index| self.entries[index].server.id.clone());
        let shown_id = known_id.or(shown_id).unwrap_or_else(|| addr.to_string());
        self.release_address(addr, &shown_id, now);
        if is_new {
            self.entries.push(Entry::new(shown_id.clone(), id, via, now));
        }
        let Some(entry) = self.entries.iter_mut().find(|entry| entry.server.id == shown_id) else { return };
        let changed = entry.observe(seen, addr, from, evidence, now);
        let request = entry.poll_request(now).then(|| match evidence {
            Evidence::Reply if !entry.is_proven() => to,
            _ => entry.addresses().receives_at(addr, self.discovery_port),
        });
        let server = &entry.server;
        // Without a filter, every server passes.
        let passes = self.app.as_ref().is_none_or(|app| server.app.as_ref().is_some_and(|own| is_same_app(own, app)));
        match (entry.is_reported, passes) {
            (false, true) => self.changes.push_back(Change::Found(server.clone())),
            (true, true) if changed => self.changes.push_back(Change::Updated(server.clone())),
            (true, false) => self.changes.push_back(Change::Lost(server.clone())),
            _ => {}
        }
        entry.is_reported = passes;
        let rival = entry.poll_rival();
        if let Some(to) = request {
            self.proofs.request(addr, to, now);
        }
        if let Some((addr, to)) = rival {
            self.proofs.request(addr, to, now);
        }
        if is_new && evidence == Evidence::Beacon {
            // A reply contains more than a beacon.
            self.schedule.hasten(now);
        }
    }

    /// Returns the server that a datagram about `addr` with this id is from.
    fn position(&self, id: Option<&String>, addr: SocketAddr) -> Option<usize> {
        // A server can be configured to send beacons without an id.
        let is_there = |entry: &Entry| entry.is_heard_at(addr) && (id.is_none() || entry.sent_id() == id);
        let has_id = |entry: &Entry| id.is_some() && entry.sent_id() == id && !entry.has_borrowed_id();
        self.entries.iter().position(is_there).or_else(|| self.entries.iter().position(has_id))
    }

    /// Decides what it means that `addr`, at which the server was not seen, has proven to have its id.
    fn place(&mut self, index: usize, seen: &Announcement, addr: SocketAddr, now: Time) -> Place {
        let entry = &mut self.entries[index];
        if !entry.is_proven() {
            // Until now, the id was only claimed.
            entry.clear_addresses();
            return Place::Same;
        }
        if entry.addresses().can_include(addr) {
            return Place::Same;
        }
        // Each server knows its own addresses, but a reply does not always list all of them.
        if addr.ip().is_loopback() || entry.server.sources.iter().any(|own| lists(seen, own.ip())) {
            return Place::Ignored;
        }
        if !entry.is_surely_there(now) {
            return Place::Undecided;
        }
        // An interface may have several link-local addresses, which no reply lists.
        let is_link_local = matches!(addr.ip(), IpAddr::V6(ip) if ip.is_unicast_link_local());
        if is_link_local { Place::Ignored } else { Place::Another }
    }

    /// Removes `addr` from all servers other than `id`: two servers cannot share an address and port.
    fn release_address(&mut self, addr: SocketAddr, id: &str, now: Time) {
        let other = |entry: &Entry| entry.server.id != id && entry.is_heard_at(addr);
        while let Some(index) = self.entries.iter().position(other) {
            if self.entries[index].handle_address_taken(addr, now) {
                self.remove_departed(index, now);
            } else if self.entries[index].is_reported {
                self.changes.push_back(Change::Updated(self.entries[index].server.clone()));
            }
        }
    }

    /// Returns whether there is room for a server at `addr`. One that has proven its address takes the place of one that
    /// has not; otherwise the source with the most servers loses one.
    fn make_room(&mut self, addr: SocketAddr, is_proven: bool) -> bool {
        let mut counts: BTreeMap<Option<Source>, usize> = BTreeMap::new();
        for entry in &self.entries {
            *counts.entry(entry.addresses().source()).or_default() += 1;
        }
        let own = counts.get(&Some(Source::of(addr.ip()))).copied().unwrap_or_default();
        let free = MAX_SERVERS.saturating_sub(self.entries.len());
        if !is_proven && own >= (free / SHARE).max(1) {
            return false;
        }
        if free > 0 {
            return true;
        }
        let count = |entry: &Entry| counts.get(&entry.addresses().source()).copied().unwrap_or_default();
        let candidates = self.entries.iter().enumerate().filter(|(_, entry)| is_proven || !entry.is_proven());
        let rank =
            |(_, entry): &(usize, &Entry)| (entry.is_proven(), Reverse(count(entry)), entry.server.last_received);
        let Some((victim, entry)) = candidates.min_by_key(rank) else { return false };
        if entry.is_proven() == is_proven && count(entry) <= own + 1 {
            return false;
        }
        self.remove(victim);
        true
    }

    fn handle_goodbye(&mut self, seen: &Announcement, from: SocketAddr, now: Time) {
        let Some(id) = seen.clean_id() else { return };
        // From any other address it is forged, and even from this one it can be.
        let can_be = |entry: &Entry| entry.sent_id() == Some(&id) && entry.addresses().contain_ip(from.ip());
        let Some(index) = self.entries.iter().position(can_be) else { return };
        self.entries[index].handle_goodbye(now);
        self.forget_proofs(index);
    }

    /// Forgets the probes that were sent to a server before it may have gone.
    fn forget_proofs(&mut self, index: usize) {
        self.entries[index].server.sources.iter().for_each(|addr| self.proofs.handle_proof(*addr));
    }

    /// Handles that a server is not at its address. If another one has its id, it has moved there.
    fn lose(&mut self, index: usize, now: Time) {
        let entry = &mut self.entries[index];
        let is_hasty = entry.is_hasty();
        match entry.take_over(now) {
            Some((addr, to)) => {
                if entry.is_reported {
                    self.changes.push_back(Change::Updated(entry.server.clone()));
                }
                self.release_address(addr, &self.entries[index].server.id.clone(), now);
                self.proofs.request(addr, to, now);
            }
            None if is_hasty => self.remove_departed(index, now),
            None => self.remove(index),
        }
    }

    /// Removes a server and lists it again only with a proof for a while.
    fn remove_departed(&mut self, index: usize, now: Time) {
        if self.departed.len() >= MAX_DEPARTED {
            self.departed.pop_front();
        }
        self.departed.push_back((self.entries[index].server.id.clone(), now + DEPARTED_TIME));
        self.remove(index);
    }

    fn remove(&mut self, index: usize) {
        let entry = self.entries.remove(index);
        if entry.is_reported {
            self.changes.push_back(Change::Lost(entry.server));
        }
    }
}

/// Whether a datagram from another address is from a known server.
enum Place {
    Same,
    /// From another one that has the same id.
    Another,
    /// If the known one is still there, it is from another one.
    Undecided,
    /// From an address of the known one that it does not list, which adds nothing.
    Ignored,
}
