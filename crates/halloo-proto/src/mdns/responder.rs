//! Publishes a service: claims its names, announces its records, and responds to queries.

mod link_state;
mod queries;
mod schedule;

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::own_records::{Kind, OwnRecords};
use super::random::Random;
use super::service::txt;
use super::{Destination, InvalidService, Link, Name, PORT, Packet, Question, Record, RecordType, Service, Transmit};
use crate::Time;
use link_state::{LinkState, Phase};

/// Maximum delay before the first probe, so that machines that are switched on together do not probe together (RFC 6762
/// section 8.1).
const MAX_PROBE_DELAY: Duration = Duration::from_millis(250);
/// Time until the next probe after a simultaneous probe of another machine has precedence (RFC 6762 section 8.2).
const DEFERRAL: Duration = Duration::from_secs(1);
/// After this many conflicts within [`CONFLICT_PERIOD`], names are claimed only every [`CONFLICT_DELAY`] (RFC 6762
/// section 8.1).
const MAX_CONFLICTS: usize = 15;
const CONFLICT_PERIOD: Duration = Duration::from_secs(10);
const CONFLICT_DELAY: Duration = Duration::from_secs(5);
/// Maximum number of packets that wait for [`Responder::poll_transmit`].
const MAX_TRANSMITS: usize = 1024;
/// Times that a goodbye is sent, because datagrams can get lost.
const GOODBYES: usize = 2;

/// The names under which the service is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// The name for people. It differs from the one in [`Service`] if that is in use.
    pub instance: String,
    /// The first label of the host name, likewise.
    pub host: String,
}

/// Publishes one service and its host on any number of interfaces.
///
/// ```
/// use halloo_proto::Time;
/// use halloo_proto::mdns::{Link, Responder, Service};
/// use std::time::Duration;
///
/// let (service_type, name) = ("_halloo._tcp.local".into(), "den".to_string());
/// let service = Service { service_type, instance: name.clone(), host: name, port: 8765, properties: Vec::new() };
/// let mut responder = Responder::new(&service, 42)?;
/// let link = Link { name: "eth0".into(), index: 2, addresses: vec![[192, 168, 1, 5].into()] };
/// responder.handle_links(&[link], Time::ZERO);
/// responder.handle_timeout(Time::ZERO + Duration::from_secs(1));
/// assert!(responder.poll_transmit().is_some(), "a probe");
/// # Ok::<(), halloo_proto::mdns::InvalidService>(())
/// ```
#[derive(Debug)]
pub struct Responder {
    records: OwnRecords,
    links: BTreeMap<u32, LinkState>,
    random: Random,
    /// The last conflicts, at most [`MAX_CONFLICTS`].
    conflicts: VecDeque<Time>,
    /// Whether there were so many conflicts that names are claimed slowly, until one is free.
    is_contested: bool,
    transmits: VecDeque<Transmit>,
    publication: Option<Publication>,
    is_publication_new: bool,
}

impl Responder {
    /// Creates a responder without interfaces. `seed` determines its random delays.
    ///
    /// # Errors
    /// When a name or a property is invalid.
    pub fn new(service: &Service, seed: u64) -> Result<Responder, InvalidService> {
        Ok(Responder {
            records: OwnRecords::new(service)?,
            links: BTreeMap::new(),
            random: Random::new(seed),
            conflicts: VecDeque::new(),
            is_contested: false,
            transmits: VecDeque::new(),
            publication: None,
            is_publication_new: false,
        })
    }

    /// Returns the names under which the service is published; `None` until they are claimed on an interface.
    pub fn publication(&self) -> Option<&Publication> {
        self.publication.as_ref()
    }

    /// Handles the current interfaces. On a new one, the names are claimed; on one with other addresses than before, the
    /// records are announced again.
    pub fn handle_links(&mut self, links: &[Link], now: Time) {
        self.records.handle_links(links, now);
        self.links.retain(|index, _| links.iter().any(|link| link.index == *index));
        for Link { index, addresses, .. } in links {
            match self.links.get_mut(index) {
                Some(link) if link.addresses == *addresses => {}
                Some(link) => {
                    link.addresses.clone_from(addresses);
                    link.announce_again(&[Kind::A, Kind::Aaaa, Kind::HostTypes], now);
                }
                None => {
                    let delay = self.random.delay(Duration::ZERO, MAX_PROBE_DELAY);
                    self.links.insert(*index, LinkState::new(addresses, now + delay));
                }
            }
        }
    }

    /// Changes the properties of the service, and announces them (RFC 6762 section 8.4).
    ///
    /// # Errors
    /// [`InvalidService::Property`]; the earlier properties stay.
    pub fn set_properties(&mut self, properties: &[(String, String)], now: Time) -> Result<(), InvalidService> {
        if self.records.set_txt(txt(properties)?) {
            self.links.values_mut().for_each(|link| link.announce_again(&[Kind::Txt], now));
        }
        Ok(())
    }

    /// Handles a packet that came from `from`, an address on the network of the interface with the index `interface`.
    pub fn handle_packet(&mut self, bytes: &[u8], from: SocketAddr, interface: u32, now: Time) {
        if !self.links.get_mut(&interface).is_some_and(|link| link.received.take(now)) {
            return;
        }
        match Packet::parse(bytes) {
            // A response comes from the port of multicast DNS (RFC 6762 section 6).
            Some(packet) if packet.is_response && from.port() == PORT => self.handle_response(&packet, interface, now),
            Some(packet) if !packet.is_response => self.handle_query(&packet, from, interface, now),
            _ => {}
        }
    }

    /// Sends the probes, announcements and responses that are due.
    pub fn handle_timeout(&mut self, now: Time) {
        let interfaces: Vec<u32> = self.links.keys().copied().collect();
        for interface in interfaces {
            self.handle_link_timeout(interface, now);
        }
    }

    /// Withdraws the service: sends a goodbye on each interface where it was announced, and forgets the interfaces.
    pub fn stop(&mut self) {
        for (interface, link) in std::mem::take(&mut self.links) {
            if link.is_announced() {
                let goodbye = self.goodbye(&Kind::ANNOUNCED, &link.addresses);
                for _ in 0..GOODBYES {
                    self.send(interface, Destination::Multicast, &goodbye);
                }
            }
        }
        self.publication = None;
        self.is_publication_new = false;
    }

    /// Returns the next packet to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// Returns the names under which the service is published, when they are claimed and when they have changed.
    pub fn poll_publication(&mut self) -> Option<Publication> {
        std::mem::take(&mut self.is_publication_new).then(|| self.publication.clone()).flatten()
    }

    /// Returns when to call [`Responder::handle_timeout`]: [`Time::NEVER`] without interfaces.
    pub fn poll_timeout(&self) -> Time {
        self.links.values().map(LinkState::poll_timeout).min().unwrap_or(Time::NEVER)
    }

    fn handle_link_timeout(&mut self, interface: u32, now: Time) {
        let Some(link) = self.links.get_mut(&interface) else { return };
        if link.poll_probe(now) {
            let probe = self.probe(interface);
            self.send(interface, Destination::Multicast, &probe);
            return;
        }
        link.handle_announcements(now);
        if matches!(link.phase, Phase::Probing { .. }) || link.schedule.poll_timeout() > now {
            return;
        }
        let (answers, additionals) = link.schedule.poll_due(now);
        let addresses = link.addresses.clone();
        let response = self.response(&answers, &additionals, &addresses);
        self.send(interface, Destination::Multicast, &response);
        self.handle_published();
    }

    fn handle_published(&mut self) {
        self.is_contested = false;
        let publication =
            Publication { instance: self.records.instance().first_label(), host: self.records.host().first_label() };
        if self.publication.as_ref() != Some(&publication) {
            self.publication = Some(publication);
            self.is_publication_new = true;
        }
    }

    fn handle_response(&mut self, packet: &Packet, interface: u32, now: Time) {
        let claims: Vec<&Record> = packet.records().filter(|record| self.records.is_claim(record)).collect();
        // A goodbye of other data gives the name up.
        let foreign = |name: &Name| {
            claims.iter().any(|record| record.name == *name && record.ttl > 0 && !self.records.is_own(record))
        };
        let (instance, host) = (foreign(self.records.instance()), foreign(self.records.host()));
        if instance || host {
            self.handle_conflict(instance, host, interface, now);
            return;
        }
        let Some(link) = self.links.get_mut(&interface) else { return };
        if matches!(link.phase, Phase::Probing { .. }) {
            return;
        }
        // Restore what another machine withdraws although it is published here (RFC 6762 section 6.6): another server of
        // this machine has the same host, and one that was renamed had the same name.
        let withdrawn: Vec<&Record> = packet.records().filter(|record| record.ttl == 0).collect();
        for kind in Kind::ANNOUNCED.into_iter().filter(|_| !withdrawn.is_empty()) {
            let own = self.records.records(kind, &link.addresses);
            let is_own = |record: &Record| own.iter().any(|own| own.name == record.name && own.data == record.data);
            if withdrawn.iter().any(|record| is_own(record)) {
                link.schedule.request(kind, now);
            }
        }
    }

    /// Handles that another machine has the name of the service or of the host, or both (RFC 6762 section 9). Names that
    /// were already claimed are probed for again, and given up only if the other machine insists.
    fn handle_conflict(&mut self, instance: bool, host: bool, interface: u32, now: Time) {
        let Some(link) = self.links.get_mut(&interface) else { return };
        if self.conflicts.len() == MAX_CONFLICTS {
            self.conflicts.pop_front();
        }
        self.conflicts.push_back(now);
        let oldest = self.conflicts.front().filter(|_| self.conflicts.len() == MAX_CONFLICTS);
        self.is_contested |= oldest.is_some_and(|oldest| now - *oldest < CONFLICT_PERIOD);
        let at = now + if self.is_contested { CONFLICT_DELAY } else { Duration::ZERO };
        if !matches!(link.phase, Phase::Probing { .. }) {
            link.probe_again(at);
            return;
        }
        let kinds = [(instance, &[Kind::Pointer, Kind::Srv, Kind::Txt][..]), (host, &[Kind::A, Kind::Aaaa])];
        let withdrawn: Vec<Kind> =
            kinds.into_iter().filter(|(lost, _)| *lost).flat_map(|(_, kinds)| kinds).copied().collect();
        let announced = self.links.iter().filter(|(_, link)| link.is_announced());
        let announced: Vec<(u32, Vec<IpAddr>)> =
            announced.map(|(index, link)| (*index, link.addresses.clone())).collect();
        for (index, addresses) in announced {
            let goodbye = self.goodbye(&withdrawn, &addresses);
            self.send(index, Destination::Multicast, &goodbye);
        }
        if instance {
            self.records.rename_instance();
        }
        if host {
            self.records.rename_host();
        }
        self.links.values_mut().for_each(|link| link.probe_again(at));
    }

    fn probe(&self, interface: u32) -> Packet {
        let addresses = self.links.get(&interface).map_or(&[][..], |link| &link.addresses);
        let question =
            |name: &Name| Question { name: name.clone(), record_type: RecordType::ANY, unicast_response: false };
        let records = Kind::PROBED.into_iter().flat_map(|kind| self.records.records(kind, addresses));
        Packet {
            questions: vec![question(self.records.instance()), question(self.records.host())],
            // This bit belongs to responses (RFC 6762 section 10.2).
            authorities: records.map(|record| Record { cache_flush: false, ..record }).collect(),
            ..Packet::default()
        }
    }

    fn response(&self, answers: &[Kind], additionals: &[Kind], addresses: &[IpAddr]) -> Packet {
        let records = |kinds: &[Kind]| kinds.iter().flat_map(|kind| self.records.records(*kind, addresses)).collect();
        Packet { is_response: true, answers: records(answers), additionals: records(additionals), ..Packet::default() }
    }

    fn goodbye(&self, kinds: &[Kind], addresses: &[IpAddr]) -> Packet {
        let mut goodbye = self.response(kinds, &[], addresses);
        // The type is not withdrawn, because other servers have it too.
        goodbye.answers.retain(|record| record.name == *self.records.instance() || self.is_withdrawn(record));
        goodbye.answers.iter_mut().for_each(|record| record.ttl = 0);
        goodbye
    }

    fn is_withdrawn(&self, record: &Record) -> bool {
        record.data == super::Data::Ptr(self.records.instance().clone()) || record.name == *self.records.host()
    }

    fn send(&mut self, interface: u32, to: Destination, packet: &Packet) {
        if packet.answers.is_empty() && packet.questions.is_empty() {
            return;
        }
        match packet.encode() {
            Some(bytes) if self.transmits.len() < MAX_TRANSMITS => {
                self.transmits.push_back(Transmit { interface, to, bytes });
            }
            _ => {}
        }
    }
}
