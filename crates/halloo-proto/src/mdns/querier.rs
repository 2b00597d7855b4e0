//! Searches for services and hosts.

mod questions;
mod services;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use super::cache::{Cache, Due};
use super::random::Random;
use super::token_bucket::TokenBucket;
use super::{Data, Destination, Link, Name, PORT, Packet, Question, Record, RecordType, Transmit};
use crate::Time;
use questions::Questions;
use services::Services;
pub use services::{FoundService, MAX_ADDRESSES, ServiceChange};

/// Maximum packets per second on an interface, sent and processed.
const MAX_SENT_PER_SECOND: u32 = 20;
const MAX_RECEIVED_PER_SECOND: u32 = 500;
/// Delay of the first question of a search, so that machines that are switched on together do not ask together (RFC 6762
/// section 5.2).
const FIRST_DELAY: [Duration; 2] = [Duration::from_millis(20), Duration::from_millis(120)];
/// Maximum bytes of a query, approximately: what fits into one datagram on Ethernet. More known answers go into another.
const MAX_QUERY_BYTES: usize = 1200;
/// Maximum hosts that are looked up at a time.
const MAX_HOSTS: usize = 16;
/// Maximum packets that wait for [`Querier::poll_transmit`].
const MAX_TRANSMITS: usize = 256;
/// Maximum changes that wait for [`Querier::poll_change`]. If they are not taken, the oldest are dropped.
const MAX_CHANGES: usize = 1024;

#[derive(Debug)]
struct Interface {
    sent: TokenBucket,
    received: TokenBucket,
}

/// Searches for the services of a type, and looks up hosts, on any number of interfaces.
///
/// ```
/// use halloo_proto::Time;
/// use halloo_proto::mdns::{Link, Name, Querier};
/// use std::time::Duration;
///
/// let mut querier = Querier::new(42);
/// let link = Link { name: "eth0".into(), index: 2, addresses: vec![[192, 168, 1, 5].into()] };
/// querier.handle_links(&[link], Time::ZERO);
/// querier.look_up(Name::parse("den.local").expect("a valid name"), Time::ZERO);
/// querier.handle_timeout(Time::ZERO);
/// assert!(querier.poll_transmit().is_some(), "a question");
/// ```
#[derive(Debug)]
pub struct Querier {
    service_type: Option<Name>,
    hosts: BTreeSet<Name>,
    interfaces: BTreeMap<u32, Interface>,
    cache: Cache,
    questions: Questions,
    services: Services,
    random: Random,
    transmits: VecDeque<Transmit>,
    changes: VecDeque<ServiceChange>,
}

impl Querier {
    /// Creates one that asks for nothing. `seed` determines its random delays.
    pub fn new(seed: u64) -> Querier {
        Querier {
            service_type: None,
            hosts: BTreeSet::new(),
            interfaces: BTreeMap::new(),
            cache: Cache::default(),
            questions: Questions::default(),
            services: Services::default(),
            random: Random::new(seed),
            transmits: VecDeque::new(),
            changes: VecDeque::new(),
        }
    }

    /// Returns the services that are known.
    pub fn services(&self) -> impl Iterator<Item = &FoundService> {
        self.services.found()
    }

    /// Returns the number of records that are stored, and their size in memory in bytes.
    pub fn stored(&self) -> (usize, usize) {
        (self.cache.len(), self.cache.bytes())
    }

    /// Searches for services of a type, such as `_halloo._tcp.local`, until the querier is dropped.
    pub fn search(&mut self, service_type: Name, now: Time) {
        let [from, to] = FIRST_DELAY;
        self.questions.ask(&service_type, RecordType::PTR, now + self.random.delay(from, to));
        self.service_type = Some(service_type);
    }

    /// Looks up the addresses of a host, at once and then with increasing intervals. Further ones than 16 are ignored.
    pub fn look_up(&mut self, host: Name, now: Time) {
        if self.hosts.len() < MAX_HOSTS {
            self.questions.ask(&host, RecordType::A, now);
            self.questions.ask(&host, RecordType::AAAA, now);
            self.hosts.insert(host);
        }
    }

    /// Handles the current interfaces. On a new one, everything is asked for again.
    pub fn handle_links(&mut self, links: &[Link], now: Time) {
        let exists = |index: u32| links.iter().any(|link| link.index == index);
        self.interfaces.retain(|index, _| exists(*index));
        let is_new = links.iter().any(|link| !self.interfaces.contains_key(&link.index));
        for Link { index, .. } in links {
            self.interfaces.entry(*index).or_insert_with(|| Interface {
                sent: TokenBucket::new(MAX_SENT_PER_SECOND),
                received: TokenBucket::new(MAX_RECEIVED_PER_SECOND),
            });
        }
        if is_new {
            self.questions.restart(now);
        }
        let removed = self.cache.retain_interfaces(exists);
        self.handle_changed(removed, now);
    }

    /// Handles a packet that came from `from`, an address on the network of the interface with the index `interface`.
    pub fn handle_packet(&mut self, bytes: &[u8], from: SocketAddr, interface: u32, now: Time) {
        // A response comes from the port of multicast DNS (RFC 6762 section 6).
        let is_received = self.interfaces.get_mut(&interface).is_some_and(|interface| interface.received.take(now));
        if !is_received || from.port() != PORT {
            return;
        }
        let Some(packet) = Packet::parse(bytes).filter(|packet| packet.is_response) else { return };
        // Names first, and addresses last, because an address is stored only for a host that is known.
        for types in [&[RecordType::PTR][..], &[RecordType::SRV, RecordType::TXT], &[RecordType::A, RecordType::AAAA]] {
            let mut changed = Vec::new();
            for record in packet.records().filter(|record| types.contains(&record.data.record_type())) {
                if self.is_relevant(record) {
                    changed.extend(self.cache.insert(record.clone(), from.ip(), interface, now, &mut self.random));
                }
            }
            self.handle_changed(changed, now);
        }
    }

    /// Asks the questions that are due, and removes records that have expired.
    pub fn handle_timeout(&mut self, now: Time) {
        let mut expired = Vec::new();
        while let Some(due) = self.cache.poll_due(now, &mut self.random) {
            match due {
                Due::Refresh(name, record_type) => self.questions.ask_once(&name, record_type, now),
                Due::Expired(name) => expired.push(name),
            }
        }
        self.handle_changed(expired, now);
        let due = self.questions.poll_due(now);
        if !due.is_empty() {
            let interfaces: Vec<u32> = self.interfaces.keys().copied().collect();
            for interface in interfaces {
                self.send(&due, interface, now);
            }
        }
    }

    /// Returns the next packet to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// Returns the next change.
    pub fn poll_change(&mut self) -> Option<ServiceChange> {
        self.changes.pop_front()
    }

    /// Returns when to call [`Querier::handle_timeout`].
    pub fn poll_timeout(&self) -> Time {
        self.questions.poll_timeout().min(self.cache.poll_timeout())
    }

    /// Returns whether a record is needed for the search or for a host.
    fn is_relevant(&self, record: &Record) -> bool {
        let is_instance = |name: &Name| self.service_type.as_ref().is_some_and(|parent| name.is_child_of(parent));
        match &record.data {
            Data::Ptr(instance) => self.service_type.as_ref() == Some(&record.name) && is_instance(instance),
            Data::Srv { .. } | Data::Txt(_) => is_instance(&record.name) && self.services.contains(&record.name),
            Data::A(_) | Data::Aaaa(_) => self.hosts.contains(&record.name) || self.services.is_host(&record.name),
            _ => false,
        }
    }

    /// Handles that records of these names are new, or were removed.
    fn handle_changed(&mut self, mut changed: Vec<Name>, now: Time) {
        changed.sort_unstable();
        changed.dedup();
        let mut services = BTreeSet::new();
        for name in &changed {
            if self.service_type.as_ref() == Some(name) {
                services.extend(self.services.names(&self.cache, name));
            } else if self.services.contains(name) {
                services.insert(name.clone());
            } else {
                services.extend(self.services.on_host(name));
            }
            if self.hosts.contains(name) {
                self.handle_host(name);
            }
        }
        for service in services {
            let host = self.services.host(&service);
            let change = self.services.update(&service, self.service_type.as_ref(), &self.cache);
            self.services.ask(&service, &self.cache, &mut self.questions, now);
            if let Some(host) = host.filter(|host| !self.services.is_host(host) && !self.hosts.contains(host)) {
                self.questions.cancel(&host, RecordType::A);
                self.questions.cancel(&host, RecordType::AAAA);
            }
            self.push_change(change);
        }
    }

    fn handle_host(&mut self, host: &Name) {
        let addresses = services::addresses(&self.cache, host, 0);
        if !addresses.is_empty() {
            self.push_change(Some(ServiceChange::HostFound(host.clone(), addresses)));
        }
    }

    fn push_change(&mut self, change: Option<ServiceChange>) {
        self.changes.extend(change);
        if self.changes.len() > MAX_CHANGES {
            self.changes.pop_front();
        }
    }

    /// Asks questions on one interface, with the answers that are known (RFC 6762 section 7.1).
    fn send(&mut self, due: &[(Name, RecordType)], interface: u32, now: Time) {
        let mut packets = vec![Packet::default()];
        let mut bytes = 0;
        for (name, record_type) in due {
            if bytes > MAX_QUERY_BYTES {
                packets.push(Packet::default());
                bytes = 0;
            }
            let question = Question { name: name.clone(), record_type: *record_type, unicast_response: false };
            bytes += name.len() + 4;
            packets.last_mut().into_iter().for_each(|packet| packet.questions.push(question.clone()));
        }
        let asked = due.iter().flat_map(|(name, record_type)| self.cache.get(name, *record_type));
        let known = asked.filter(|entry| entry.interface == interface && entry.is_known(now));
        for entry in known {
            if bytes > MAX_QUERY_BYTES {
                packets.last_mut().into_iter().for_each(|packet| packet.is_truncated = true);
                packets.push(Packet::default());
                bytes = 0;
            }
            bytes += entry.encoded_len();
            let record = Record { ttl: entry.remaining(now), cache_flush: false, ..entry.record.clone() };
            packets.last_mut().into_iter().for_each(|packet| packet.answers.push(record.clone()));
        }
        for packet in packets {
            let is_allowed = self.interfaces.get_mut(&interface).is_some_and(|interface| interface.sent.take(now));
            if !is_allowed || self.transmits.len() >= MAX_TRANSMITS {
                return;
            }
            let bytes = packet.encode();
            self.transmits.extend(bytes.map(|bytes| Transmit { interface, to: Destination::Multicast, bytes }));
        }
    }
}
