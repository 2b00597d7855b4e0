//! The servers on the network: from datagrams and results of checks, it determines which servers are found, updated and
//! lost, and where to send the next probes and checks.
//!
//! A server sends no beacons while it has clients, so silence alone does not remove a server. When nothing
//! was received from it for a while, it is suspect: it is probed more often, then checked over TCP, and lost only if both
//! fail.

mod entry;
mod schedule;
mod server;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use crate::Time;
use crate::announcement::Announcement;
use crate::name::is_same_app;
use entry::{Entry, with_port};
use schedule::{Reach, Schedule};
pub use server::{Change, DiscoveryMethod, Server};

/// Maximum number of servers stored: more than a local network has, fewer than a flood of forged beacons.
pub const MAX_SERVERS: usize = 256;
/// Maximum number of servers stored for one IP address, so that one device cannot fill the table: several times the ten
/// ports that a server tries.
pub const MAX_SERVERS_PER_ADDRESS: usize = 64;
/// Maximum number of checks over TCP at a time, which bounds the connections that forged beacons can cause.
pub const MAX_CHECKS: usize = 16;
/// Time for which a server that said goodbye or was replaced is ignored: its last reply may still arrive.
const DEPARTED_TIME: Duration = Duration::from_secs(1);
/// Maximum number of departed servers stored.
const MAX_DEPARTED: usize = 64;
/// Maximum number of addresses from DNS-SD that wait for their check.
const MAX_SERVICES: usize = 64;

/// A probe to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// By broadcast on every interface, to the discovery port.
    All,
    /// By broadcast on every interface, to the discovery port and to the ports that a server falls back to.
    AllPorts,
    /// To this address only.
    One(SocketAddr),
}

/// The result of requesting `GET /discovery.json` from an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckResult<'a> {
    /// The body of a response with status 200.
    Body(&'a [u8]),
    /// Any other response: an older server, or another program.
    Unexpected,
    /// The connection was refused.
    Refused,
    /// No response in time, or the address cannot be reached.
    NoResponse,
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
    /// Addresses from DNS-SD whose check has not started.
    services: VecDeque<SocketAddr>,
    /// Addresses from DNS-SD whose check is in progress.
    services_checking: Vec<SocketAddr>,
    schedule: Schedule,
    changes: VecDeque<Change>,
    checks: usize,
    ignored_datagrams: u64,
}

impl Browser {
    /// Creates a browser whose probes contain `nonce` and go to `discovery_port`. It ignores the server with the id
    /// `ignore`. `seed` determines the jitter.
    pub fn new(nonce: &str, discovery_port: u16, ignore: Option<String>, seed: u64) -> Browser {
        Browser {
            nonce: nonce.to_owned(),
            discovery_port,
            ignore,
            app: None,
            entries: Vec::new(),
            departed: VecDeque::new(),
            services: VecDeque::new(),
            services_checking: Vec::new(),
            schedule: Schedule::new(seed),
            changes: VecDeque::new(),
            checks: 0,
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

    /// Returns how many datagrams of new servers were ignored because the table was full.
    pub fn ignored_datagrams(&self) -> u64 {
        self.ignored_datagrams
    }

    /// Handles a datagram. Only its source address is used: the address inside can be wrong or forged.
    pub fn handle_datagram(&mut self, bytes: &[u8], from: SocketAddr, now: Time) {
        let Some(seen) = Announcement::parse(bytes) else { return };
        match seen.service.as_str() {
            "websocket_server" => self.observe(&seen, from, false, DiscoveryMethod::Udp, now),
            "websocket_server_reply" if seen.nonce.as_ref() == Some(&self.nonce) => {
                self.observe(&seen, from, true, DiscoveryMethod::Udp, now)
            }
            "websocket_server_bye" => self.handle_goodbye(&seen, from, now),
            _ => {}
        }
    }

    /// Handles a service that DNS-SD found at `addr`. Any device can publish one, so it is checked over TCP, unless a
    /// server was received from there before.
    pub fn handle_service(&mut self, addr: SocketAddr) {
        let known = self.entries.iter().any(|entry| entry.is_heard_at(addr) || entry.server.addresses.contains(&addr));
        let pending = self.services.contains(&addr) || self.services_checking.contains(&addr);
        if !known && !pending && self.services.len() < MAX_SERVICES {
            self.services.push_back(addr);
        }
    }

    /// Handles the result of checking an address that [`Browser::poll_check`] returned. Every check needs a result.
    pub fn handle_check_result(&mut self, addr: SocketAddr, result: CheckResult<'_>, now: Time) {
        self.checks = self.checks.saturating_sub(1);
        let reply = match result {
            CheckResult::Body(body) => {
                Announcement::parse(body).filter(|reply| reply.service == "websocket_server_reply")
            }
            _ => None,
        };
        if let Some(index) = self.entries.iter().position(|entry| entry.is_checking(addr)) {
            let entry = &mut self.entries[index];
            let same_server = reply.as_ref().is_some_and(|reply| reply.clean_id().as_ref() == Some(&entry.server.id));
            let listens = matches!(result, CheckResult::Body(_) | CheckResult::Unexpected);
            if same_server || (listens && reply.is_none() && !entry.has_id()) {
                entry.handle_alive(now);
            } else if entry.handle_failed_check(addr, result == CheckResult::Refused || reply.is_some(), now) {
                self.remove(index);
            }
        }
        let service = self.services_checking.iter().position(|checked| *checked == addr);
        let via = if service.is_some() { DiscoveryMethod::Mdns } else { DiscoveryMethod::Udp };
        service.map(|index| self.services_checking.swap_remove(index));
        if let Some(reply) = reply {
            self.observe(&reply, with_port(addr, 0), true, via, now);
        }
    }

    /// Handles the passing of time; see [`Browser::poll_timeout`].
    pub fn handle_timeout(&mut self, now: Time) {
        self.entries.iter_mut().for_each(|entry| entry.handle_timeout(now));
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
        let port = self.discovery_port;
        self.entries.iter_mut().find_map(|entry| entry.poll_probe(port, now)).map(Probe::One)
    }

    /// Returns an address from which to request `GET /discovery.json`; `None` when there are no more or when
    /// [`MAX_CHECKS`] are in progress.
    pub fn poll_check(&mut self) -> Option<SocketAddr> {
        if self.checks >= MAX_CHECKS {
            return None;
        }
        // Servers that have ever replied come first, so that forged beacons do not delay their checks.
        let (replied, others): (Vec<_>, Vec<_>) = self.entries.iter_mut().partition(|entry| entry.has_replied());
        let suspect = replied.into_iter().chain(others).find_map(Entry::poll_check);
        let details = || self.entries.iter_mut().find_map(Entry::poll_details);
        let addr = suspect.or_else(details).or_else(|| {
            let service = self.services.pop_front()?;
            self.services_checking.push(service);
            Some(service)
        })?;
        self.checks += 1;
        Some(addr)
    }

    /// Returns the next change; `None` when there are no more.
    pub fn poll_change(&mut self) -> Option<Change> {
        self.changes.pop_front()
    }

    /// Returns when to call [`Browser::handle_timeout`] and the other polls again.
    pub fn poll_timeout(&self) -> Time {
        let entries = self.entries.iter().map(Entry::next_timeout);
        entries.fold(self.schedule.next(self.has_suspect()), Time::min)
    }

    fn has_suspect(&self) -> bool {
        self.entries.iter().any(|entry| entry.has_replied() && entry.is_suspect())
    }

    /// Handles a beacon or a reply (`is_reply`).
    fn observe(&mut self, seen: &Announcement, from: SocketAddr, is_reply: bool, via: DiscoveryMethod, now: Time) {
        let Some(port) = seen.port_at(from.ip()) else { return };
        let addr = with_port(from, port);
        let id = seen.clean_id();
        if id.is_some() && (id == self.ignore || self.departed.iter().any(|(gone, _)| Some(gone) == id.as_ref())) {
            return;
        }
        let known = self.entries.iter().position(|entry| match &id {
            Some(id) => entry.server.id == *id,
            // A server can be configured to send beacons without an id.
            None => entry.is_heard_at(addr),
        });
        if let Some(index) = known
            && !self.entries[index].can_be_at(addr)
        {
            // Any device can claim an id. If the address is the server's own, its next reply lists it.
            return;
        }
        let is_new = known.is_none();
        if is_new && !self.make_room(addr, is_reply) {
            self.ignored_datagrams += 1;
            return;
        }
        let id = id.unwrap_or_else(|| known.map_or(addr.to_string(), |index| self.entries[index].server.id.clone()));
        self.release_address(addr, &id, now);
        if is_new {
            self.entries.push(Entry::new(id.clone(), via, now));
        }
        let Some(entry) = self.entries.iter_mut().find(|entry| entry.server.id == id) else { return };
        let changed = entry.observe(seen, addr, is_reply.then_some(from), now);
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
        if is_new && !is_reply {
            // A reply contains more than a beacon.
            self.schedule.hasten(now);
        }
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

    /// Returns whether there is room for a server at `addr`. One that replied evicts one that never did.
    fn make_room(&mut self, addr: SocketAddr, is_reply: bool) -> bool {
        let same_ip = self.entries.iter().filter(|entry| entry.is_heard_at_ip(addr.ip())).count();
        if same_ip >= MAX_SERVERS_PER_ADDRESS {
            return false;
        }
        if self.entries.len() < MAX_SERVERS {
            return true;
        }
        let unproven = self.entries.iter().enumerate().filter(|(_, entry)| is_reply && !entry.has_replied());
        let Some((oldest, _)) = unproven.min_by_key(|(_, entry)| entry.server.last_received) else { return false };
        self.remove(oldest);
        true
    }

    fn handle_goodbye(&mut self, seen: &Announcement, from: SocketAddr, now: Time) {
        let Some(id) = seen.clean_id() else { return };
        // A goodbye from any other address is forged, and would make a running server invisible.
        let genuine = |entry: &Entry| entry.server.id == id && entry.can_say_goodbye_from(from.ip());
        if let Some(index) = self.entries.iter().position(genuine) {
            self.remove_departed(index, now);
        }
    }

    /// Removes a server and ignores it for a while.
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
