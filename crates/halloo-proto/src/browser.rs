//! Who is on the network: sightings in; found, updated and lost out, and whom to ask next.
//!
//! A server falls silent when somebody connects, so silence alone removes nobody. An entry that was not heard for a
//! while is in doubt: it is probed more often, then asked over TCP, and lost only when both are in vain.

mod entry;
mod schedule;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use serde::Serialize;

use crate::Time;
use crate::announcement::Announcement;
use entry::{Decision, Entry};
use schedule::{Reach, Schedule};

/// Servers remembered; more than any local network has, fewer than a flood of forged beacons.
pub const SERVERS: usize = 256;
/// The same from one address, so that one device cannot fill the table: several times the ten ports a server tries.
pub const SERVERS_PER_ADDRESS: usize = 64;
/// Questions over TCP at a time, which bounds what forged beacons can make us connect to.
pub const CHECKS: usize = 16;
/// How long a server that said goodbye, or was replaced, stays gone: a reply of it may still be on its way.
const DEPARTED: Duration = Duration::from_secs(1);
/// Addresses of services that wait to be asked, or are being asked.
const SERVICES: usize = 64;
/// Departed servers remembered.
const DEPARTED_SERVERS: usize = 64;

/// A server, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Random for each start of a server; for one that tells none, its address.
    pub id: String,
    /// What people call it, fit for display; empty when it does not tell.
    pub name: String,
    /// Where to connect, best first, at most eight: the addresses it was heard from, then others that it lists.
    pub addresses: Vec<SocketAddr>,
    /// How many clients it has, when it told.
    pub clients: Option<u32>,
    /// Whether it wants a token.
    pub auth: bool,
    /// Whether it speaks TLS.
    pub tls: bool,
    /// How it was found.
    pub via: DiscoveryMethod,
    /// When it was last heard.
    pub heard: Time,
}

/// How a server was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum DiscoveryMethod {
    /// By a beacon, or by its reply to a probe.
    Udp,
    /// By DNS-SD, and its answer over TCP.
    Mdns,
}

/// What changed on the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A server that was not known.
    Found(Server),
    /// What a known server tells about itself, or where it is reached, changed.
    Updated(Server),
    /// It said goodbye, was replaced by its own restart, or answers nobody any more.
    Lost(Server),
}

impl Change {
    /// The server that it is about.
    pub fn server(&self) -> &Server {
        match self {
            Change::Found(server) | Change::Updated(server) | Change::Lost(server) => server,
        }
    }
}

/// A probe to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// By broadcast on every interface, to the discovery port.
    All,
    /// By broadcast on every interface, to the discovery port and those that a server falls back to.
    AllPorts,
    /// To this address only.
    One(SocketAddr),
}

/// What came of asking an address for `GET /discovery.json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer<'a> {
    /// The body of a 200.
    Body(&'a [u8]),
    /// Something listens, but this it does not know: a server older than the question, or another program.
    Odd,
    /// Nothing listens there.
    Refused,
    /// No answer in time, or no way there.
    Silence,
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
/// assert_eq!(server.addresses, [([192, 168, 1, 5], 8765).into()]); // the source, not the claim
/// ```
#[derive(Debug)]
pub struct Browser {
    nonce: String,
    discovery_port: u16,
    ignore: Option<String>,
    entries: Vec<Entry>,
    departed: VecDeque<(String, Time)>,
    /// Addresses that DNS-SD tells, to be asked and being asked.
    services: VecDeque<SocketAddr>,
    services_asked: Vec<SocketAddr>,
    schedule: Schedule,
    changes: VecDeque<Change>,
    checks: usize,
    left_out: u64,
}

impl Browser {
    /// A browser whose probes carry `nonce` and go to `discovery_port`; it passes over the server with the id
    /// `ignore`. `seed` decides the jitter.
    pub fn new(nonce: &str, discovery_port: u16, ignore: Option<String>, seed: u64) -> Browser {
        Browser {
            nonce: nonce.to_owned(),
            discovery_port,
            ignore,
            entries: Vec::new(),
            departed: VecDeque::new(),
            services: VecDeque::new(),
            services_asked: Vec::new(),
            schedule: Schedule::new(seed),
            changes: VecDeque::new(),
            checks: 0,
            left_out: 0,
        }
    }

    /// The servers that are known now, in the order in which they were found.
    pub fn servers(&self) -> impl Iterator<Item = &Server> {
        self.entries.iter().map(|entry| &entry.server)
    }

    /// How often a server was heard for which there was no room.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// A datagram arrived. The address it came from counts, for the one inside can be wrong or forged.
    pub fn handle_datagram(&mut self, bytes: &[u8], from: SocketAddr, now: Time) {
        let Some(seen) = Announcement::parse(bytes) else { return };
        match seen.service.as_str() {
            "websocket_server" => self.sight(&seen, from, false, DiscoveryMethod::Udp, now),
            "websocket_server_reply" if seen.nonce.as_ref() == Some(&self.nonce) => {
                self.sight(&seen, from, true, DiscoveryMethod::Udp, now)
            }
            "websocket_server_bye" => self.say_goodbye(&seen, from, now),
            _ => {}
        }
    }

    /// DNS-SD tells of a server at `addr`. Anybody can publish that, so it is asked, unless it was heard there before.
    pub fn handle_service(&mut self, addr: SocketAddr) {
        let known = self.entries.iter().any(|entry| entry.is_heard_at(addr) || entry.server.addresses.contains(&addr));
        let waits = self.services.contains(&addr) || self.services_asked.contains(&addr);
        if !known && !waits && self.services.len() < SERVICES {
            self.services.push_back(addr);
        }
    }

    /// An address that [`Browser::poll_check`] named was asked. Every one needs this answer, sooner or later.
    pub fn handle_answer(&mut self, addr: SocketAddr, answer: Answer<'_>, now: Time) {
        self.checks = self.checks.saturating_sub(1);
        let told = match answer {
            Answer::Body(body) => Announcement::parse(body).filter(|told| told.service == "websocket_server_reply"),
            _ => None,
        };
        if let Some(index) = self.entries.iter().position(|entry| entry.is_asked(addr)) {
            let entry = &mut self.entries[index];
            let itself = told.as_ref().is_some_and(|told| told.clean_id().as_ref() == Some(&entry.server.id));
            let listens = matches!(answer, Answer::Body(_) | Answer::Odd);
            if itself || (listens && told.is_none() && !entry.has_id()) {
                entry.hear(now);
            } else if entry.handle_failure(addr, answer == Answer::Refused || told.is_some(), now) == Decision::Lost {
                self.lose(index);
            }
        }
        let service = self.services_asked.iter().position(|asked| *asked == addr);
        let via = if service.is_some() { DiscoveryMethod::Mdns } else { DiscoveryMethod::Udp };
        service.map(|index| self.services_asked.swap_remove(index));
        if let Some(told) = told {
            self.sight(&told, SocketAddr::new(addr.ip(), 0), true, via, now);
        }
    }

    /// Time went by.
    pub fn handle_timeout(&mut self, now: Time) {
        self.entries.iter_mut().for_each(|entry| entry.handle_timeout(now));
        while self.departed.front().is_some_and(|(_, until)| *until <= now) {
            self.departed.pop_front();
        }
    }

    /// Asks again as often as at the start, for the network has changed.
    pub fn search_again(&mut self, now: Time) {
        self.schedule.restart(now);
    }

    /// A probe that is to be sent now, until there is none.
    pub fn poll_probe(&mut self, now: Time) -> Option<Probe> {
        let doubt = self.has_doubt();
        match self.schedule.poll(doubt, now) {
            Some(Reach::Port) => return Some(Probe::All),
            Some(Reach::Range) => return Some(Probe::AllPorts),
            None => {}
        }
        let port = self.discovery_port;
        self.entries.iter_mut().find_map(|entry| entry.poll_probe(port, now)).map(Probe::One)
    }

    /// An address that is to be asked for `GET /discovery.json`, until there is none; at most [`CHECKS`] at a time.
    pub fn poll_check(&mut self) -> Option<SocketAddr> {
        if self.checks >= CHECKS {
            return None;
        }
        // Those that have ever answered come first, so that forged beacons do not delay the verdict on a server.
        let (answering, others): (Vec<_>, Vec<_>) = self.entries.iter_mut().partition(|entry| entry.has_answered());
        let doubtful = answering.into_iter().chain(others).find_map(Entry::poll_check);
        let addr = doubtful.or_else(|| {
            let service = self.services.pop_front()?;
            self.services_asked.push(service);
            Some(service)
        })?;
        self.checks += 1;
        Some(addr)
    }

    /// The next change, until there is none.
    pub fn poll_change(&mut self) -> Option<Change> {
        self.changes.pop_front()
    }

    /// When [`Browser::handle_timeout`] and the other polls are worth their while again.
    pub fn poll_timeout(&self) -> Time {
        let entries = self.entries.iter().map(Entry::next_timeout);
        entries.fold(self.schedule.next(self.has_doubt()), Time::min)
    }

    fn has_doubt(&self) -> bool {
        self.entries.iter().any(|entry| entry.has_answered() && entry.is_in_doubt())
    }

    /// A server was heard; it `answered` if it was asked.
    fn sight(&mut self, seen: &Announcement, from: SocketAddr, answered: bool, via: DiscoveryMethod, now: Time) {
        let Some(port) = seen.port() else { return };
        let addr = SocketAddr::new(from.ip(), port);
        let id = seen.clean_id();
        if id.is_some() && (id == self.ignore || self.departed.iter().any(|(gone, _)| Some(gone) == id.as_ref())) {
            return;
        }
        let known = self.entries.iter().position(|entry| match &id {
            Some(id) => entry.server.id == *id,
            // A server can be told to send beacons without an id.
            None => entry.is_heard_at(addr),
        });
        if let Some(index) = known
            && !self.entries[index].is_believed_at(addr)
        {
            // Anybody can claim an id. If it is the server's own address, it lists it when it is asked next.
            return;
        }
        let new = known.is_none();
        if new && !self.make_room(addr, answered) {
            self.left_out += 1;
            return;
        }
        let id = id.unwrap_or_else(|| known.map_or(addr.to_string(), |index| self.entries[index].server.id.clone()));
        self.replace_at(addr, &id, now);
        if new {
            self.entries.push(Entry::new(id.clone(), via, now));
        }
        let Some(entry) = self.entries.iter_mut().find(|entry| entry.server.id == id) else { return };
        let changed = entry.handle_sighting(seen, addr, answered.then_some(from), now);
        if new {
            self.changes.push_back(Change::Found(entry.server.clone()));
            if !answered {
                // It has more to tell than stands in a beacon.
                self.schedule.hasten(now);
            }
        } else if changed {
            self.changes.push_back(Change::Updated(entry.server.clone()));
        }
    }

    /// Two servers cannot share an address and port, so whoever was at `addr` before the server `id` is gone.
    fn replace_at(&mut self, addr: SocketAddr, id: &str, now: Time) {
        let other = |entry: &Entry| entry.server.id != id && entry.is_heard_at(addr);
        while let Some(index) = self.entries.iter().position(other) {
            if self.entries[index].handle_replaced(addr, now) {
                self.depart(index, now);
            } else {
                self.changes.push_back(Change::Updated(self.entries[index].server.clone()));
            }
        }
    }

    /// Whether there is room for a server at `addr`. One that `answered` displaces one that never did.
    fn make_room(&mut self, addr: SocketAddr, answered: bool) -> bool {
        let neighbours = self.entries.iter().filter(|entry| entry.is_of_host(addr.ip())).count();
        if neighbours >= SERVERS_PER_ADDRESS {
            return false;
        }
        if self.entries.len() < SERVERS {
            return true;
        }
        let unproven = self.entries.iter().enumerate().filter(|(_, entry)| answered && !entry.has_answered());
        let Some((oldest, _)) = unproven.min_by_key(|(_, entry)| entry.server.heard) else { return false };
        self.lose(oldest);
        true
    }

    fn say_goodbye(&mut self, seen: &Announcement, from: SocketAddr, now: Time) {
        let Some(id) = seen.clean_id() else { return };
        // From anywhere else it is a neighbour's claim, which would make a running server invisible.
        let own = |entry: &Entry| entry.server.id == id && entry.may_say_goodbye_from(from.ip());
        if let Some(index) = self.entries.iter().position(own) {
            self.depart(index, now);
        }
    }

    fn depart(&mut self, index: usize, now: Time) {
        if self.departed.len() >= DEPARTED_SERVERS {
            self.departed.pop_front();
        }
        self.departed.push_back((self.entries[index].server.id.clone(), now + DEPARTED));
        self.lose(index);
    }

    fn lose(&mut self, index: usize) {
        self.changes.push_back(Change::Lost(self.entries.remove(index).server));
    }
}
