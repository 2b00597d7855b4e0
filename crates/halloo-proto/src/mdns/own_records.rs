//! The records of a published service.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use super::service::{UniqueName, txt};
use super::{Data, InvalidService, Link, Name, Record, RecordType, Service};
use crate::Time;

/// Seconds for which records with a host name are valid (RFC 6762 section 10).
pub(super) const HOST_TTL: u32 = 120;
/// Seconds for which other records are valid.
const OTHER_TTL: u32 = 4500;
/// How long an address that was removed is known as our own: until nothing repeats it any more.
const ADDRESS_MEMORY: Duration = Duration::from_secs(HOST_TTL as u64);
/// Maximum addresses that are known. The ones that are published come before those that were.
const MAX_ADDRESSES: usize = 1024;
/// Maximum earlier contents of the TXT record that are known.
const MAX_EARLIER_TXT: usize = 16;

/// What is published, as far as responses are scheduled separately.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// That the service type exists (RFC 6763 section 9).
    ServiceType,
    /// The name of the service.
    Pointer,
    Srv,
    Txt,
    A,
    Aaaa,
    /// Which types of the name of the service exist, and so that others do not (RFC 6762 section 6.1).
    InstanceTypes,
    /// The same for the host.
    HostTypes,
}

impl Kind {
    pub(super) const COUNT: usize = 8;
    pub(super) const ALL: [Kind; Kind::COUNT] = [
        Kind::ServiceType,
        Kind::Pointer,
        Kind::Srv,
        Kind::Txt,
        Kind::A,
        Kind::Aaaa,
        Kind::InstanceTypes,
        Kind::HostTypes,
    ];
    /// The ones that are announced.
    pub(super) const ANNOUNCED: [Kind; 6] =
        [Kind::ServiceType, Kind::Pointer, Kind::Srv, Kind::Txt, Kind::A, Kind::Aaaa];
    /// The ones that are probed for, because only one machine may have them.
    pub(super) const PROBED: [Kind; 4] = [Kind::Srv, Kind::Txt, Kind::A, Kind::Aaaa];

    /// Returns whether others may have records of the same name.
    pub(super) fn is_shared(self) -> bool {
        matches!(self, Kind::ServiceType | Kind::Pointer)
    }

    /// Returns what a receiver will ask for next (RFC 6763 section 12).
    pub(super) fn additionals(self) -> &'static [Kind] {
        match self {
            Kind::Pointer => &[Kind::Srv, Kind::Txt, Kind::A, Kind::Aaaa],
            Kind::Srv => &[Kind::A, Kind::Aaaa],
            _ => &[],
        }
    }
}

/// The records of a service, with its current names.
#[derive(Debug)]
pub(super) struct OwnRecords {
    instance: UniqueName,
    host: UniqueName,
    service_type: Name,
    service_types: Name,
    port: u16,
    txt: Box<[u8]>,
    /// The properties that were published before, the latest last: a reflector may repeat them.
    earlier_txt: VecDeque<Box<[u8]>>,
    /// Addresses of this machine, and until when they are known.
    addresses: BTreeMap<IpAddr, Time>,
}

impl OwnRecords {
    /// # Errors
    /// When a name or a property is invalid.
    pub(super) fn new(service: &Service) -> Result<OwnRecords, InvalidService> {
        let parse = |name| Name::parse(name).ok_or(InvalidService::Name);
        let service_type = parse(&service.service_type)?;
        Ok(OwnRecords {
            instance: UniqueName::new(&service.instance, service_type.clone(), false)?,
            host: UniqueName::new(&service.host, parse("local")?, true)?,
            service_type,
            service_types: parse("_services._dns-sd._udp.local")?,
            port: service.port,
            txt: txt(&service.properties)?,
            earlier_txt: VecDeque::new(),
            addresses: BTreeMap::new(),
        })
    }

    pub(super) fn instance(&self) -> &Name {
        self.instance.name()
    }

    pub(super) fn host(&self) -> &Name {
        self.host.name()
    }

    /// Changes the content of the TXT record. Returns whether it was another one.
    pub(super) fn set_txt(&mut self, txt: Box<[u8]>) -> bool {
        if txt == self.txt {
            return false;
        }
        if self.earlier_txt.len() == MAX_EARLIER_TXT {
            self.earlier_txt.pop_front();
        }
        self.earlier_txt.push_back(std::mem::replace(&mut self.txt, txt));
        true
    }

    pub(super) fn rename_instance(&mut self) {
        self.instance.rename();
    }

    pub(super) fn rename_host(&mut self) {
        self.host.rename();
    }

    /// Learns the addresses of this machine. Those that it no longer has are known for a while.
    pub(super) fn handle_links(&mut self, links: &[Link], now: Time) {
        self.addresses.retain(|_, until| *until > now);
        for until in self.addresses.values_mut() {
            *until = (*until).min(now + ADDRESS_MEMORY);
        }
        for ip in links.iter().flat_map(|link| &link.addresses) {
            self.addresses.insert(*ip, Time::NEVER);
        }
        while self.addresses.len() > MAX_ADDRESSES {
            let first_to_forget = self.addresses.iter().min_by_key(|(_, until)| **until).map(|(ip, _)| *ip);
            first_to_forget.and_then(|ip| self.addresses.remove(&ip));
        }
    }

    /// Returns the records of a kind for an interface with these addresses.
    pub(super) fn records(&self, kind: Kind, addresses: &[IpAddr]) -> Vec<Record> {
        let record = |name: &Name, data, ttl| Record { name: name.clone(), data, ttl, cache_flush: !kind.is_shared() };
        let (instance, host) = (self.instance.name(), self.host.name());
        let of_host = |record_type| {
            let data = addresses.iter().map(|ip| Data::from(*ip));
            let of_type = data.filter(|data| data.record_type() == record_type);
            of_type.map(|data| record(host, data, HOST_TTL)).collect()
        };
        match kind {
            Kind::ServiceType => vec![record(&self.service_types, Data::Ptr(self.service_type.clone()), OTHER_TTL)],
            Kind::Pointer => vec![record(&self.service_type, Data::Ptr(instance.clone()), OTHER_TTL)],
            Kind::Srv => {
                let data = Data::Srv { priority: 0, weight: 0, port: self.port, target: host.clone() };
                vec![record(instance, data, HOST_TTL)]
            }
            Kind::Txt => vec![record(instance, Data::Txt(self.txt.clone()), OTHER_TTL)],
            Kind::A => of_host(RecordType::A),
            Kind::Aaaa => of_host(RecordType::AAAA),
            Kind::InstanceTypes => {
                let types = vec![RecordType::TXT, RecordType::SRV];
                vec![record(instance, Data::Nsec(instance.clone(), types), HOST_TTL)]
            }
            Kind::HostTypes => {
                let mut types: Vec<RecordType> = addresses.iter().map(|ip| Data::from(*ip).record_type()).collect();
                types.sort_unstable();
                types.dedup();
                vec![record(host, Data::Nsec(host.clone(), types), HOST_TTL)]
            }
        }
    }

    /// Returns the kinds that answer a question about `name`, on an interface with these addresses.
    pub(super) fn kinds(&self, name: &Name, asked: RecordType, addresses: &[IpAddr]) -> Vec<Kind> {
        let any = asked == RecordType::ANY;
        if *name == self.service_types || *name == self.service_type {
            let kind = if *name == self.service_type { Kind::Pointer } else { Kind::ServiceType };
            return if any || asked == RecordType::PTR { vec![kind] } else { Vec::new() };
        }
        let has = |ipv4: bool| addresses.iter().any(|ip| ip.is_ipv4() == ipv4);
        let (candidates, none) = if *name == *self.instance.name() {
            (vec![(RecordType::SRV, Kind::Srv, true), (RecordType::TXT, Kind::Txt, true)], Kind::InstanceTypes)
        } else if *name == *self.host.name() {
            let kinds = vec![(RecordType::A, Kind::A, has(true)), (RecordType::AAAA, Kind::Aaaa, has(false))];
            (kinds, Kind::HostTypes)
        } else {
            return Vec::new();
        };
        let exist = candidates.iter().filter(|(of_type, _, exists)| *exists && (any || *of_type == asked));
        let kinds: Vec<Kind> = exist.map(|(_, kind, _)| *kind).collect();
        if kinds.is_empty() { vec![none] } else { kinds }
    }

    /// Returns whether a record claims one of the two names that only this machine may have. Which types of the name
    /// exist, and types that are never published here, are no claim.
    pub(super) fn is_claim(&self, record: &Record) -> bool {
        match record.data.record_type() {
            RecordType::SRV | RecordType::TXT => record.name == *self.instance.name(),
            RecordType::A | RecordType::AAAA => record.name == *self.host.name(),
            _ => false,
        }
    }

    /// Returns whether a record that claims a name is one of this machine: published on any of its interfaces, now or
    /// lately. It comes back from a reflector between two networks, or from another of the interfaces.
    pub(super) fn is_own(&self, record: &Record) -> bool {
        match &record.data {
            Data::Srv { port, target, .. } => *port == self.port && *target == *self.host.name(),
            Data::Txt(strings) => *strings == self.txt || self.earlier_txt.contains(strings),
            data => data.address().is_some_and(|ip| self.addresses.contains_key(&ip)),
        }
    }
}
