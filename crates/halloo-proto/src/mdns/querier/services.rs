//! The services that were found.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr, SocketAddrV6};

use super::super::cache::{Cache, Entry};
use super::super::{Data, Name, RecordType};
use super::questions::Questions;
use crate::Time;

/// Maximum addresses of a service: a machine rarely has more networks.
pub const MAX_ADDRESSES: usize = 8;

/// A service, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundService {
    /// The name for people. It is not escaped.
    pub instance: String,
    /// The name of the host.
    pub host: Name,
    /// Its addresses with the port of the service, at most 8.
    pub addresses: Vec<SocketAddr>,
    /// The strings of its TXT record, each after its length; empty if there is none.
    pub txt: Box<[u8]>,
}

/// A change of what is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceChange {
    /// A service was found, with at least one address.
    Found(FoundService),
    /// Its port, host, properties or addresses have changed.
    Updated(FoundService),
    /// It was withdrawn, or its records expired.
    Lost(FoundService),
    /// Addresses of a host that is looked up.
    HostFound(Name, Vec<SocketAddr>),
}

#[derive(Debug, Default)]
struct Known {
    host: Option<Name>,
    found: Option<FoundService>,
}

/// See the module documentation.
#[derive(Debug, Default)]
pub(super) struct Services {
    known: BTreeMap<Name, Known>,
    on_host: BTreeMap<Name, BTreeSet<Name>>,
}

impl Services {
    pub(super) fn found(&self) -> impl Iterator<Item = &FoundService> {
        self.known.values().filter_map(|known| known.found.as_ref())
    }

    pub(super) fn contains(&self, instance: &Name) -> bool {
        self.known.contains_key(instance)
    }

    /// Returns the host of a service.
    pub(super) fn host(&self, instance: &Name) -> Option<Name> {
        self.known.get(instance)?.host.clone()
    }

    /// Returns whether a service is on this host.
    pub(super) fn is_host(&self, host: &Name) -> bool {
        self.on_host.contains_key(host)
    }

    /// Returns the services on a host.
    pub(super) fn on_host(&self, host: &Name) -> impl Iterator<Item = Name> {
        self.on_host.get(host).into_iter().flatten().cloned()
    }

    /// Returns the services of which a pointer is new or was removed.
    pub(super) fn names(&self, cache: &Cache, service_type: &Name) -> Vec<Name> {
        let present: BTreeSet<&Name> = pointers(cache, service_type).collect();
        let new = present.iter().copied().filter(|name| !self.known.contains_key(name));
        new.chain(self.known.keys().filter(|name| !present.contains(name))).cloned().collect()
    }

    /// Updates a service from the cache, and returns what changed.
    pub(super) fn update(
        &mut self,
        instance: &Name,
        service_type: Option<&Name>,
        cache: &Cache,
    ) -> Option<ServiceChange> {
        let exists = service_type.is_some_and(|parent| pointers(cache, parent).any(|name| name == instance));
        let srv = first(cache, instance, RecordType::SRV).filter(|_| exists);
        let (host, port) = match srv.map(|entry| &entry.record.data) {
            Some(Data::Srv { port, target, .. }) => (Some(target.clone()), *port),
            _ => (None, 0),
        };
        let known = self.known.entry(instance.clone()).or_default();
        if known.host != host {
            if let Some(services) = known.host.as_ref().and_then(|host| self.on_host.get_mut(host)) {
                services.remove(instance);
            }
            self.on_host.retain(|_, services| !services.is_empty());
            if let Some(host) = &host {
                self.on_host.entry(host.clone()).or_default().insert(instance.clone());
            }
            known.host.clone_from(&host);
        }
        let found = host.map(|host| {
            let txt = match first(cache, instance, RecordType::TXT).map(|entry| &entry.record.data) {
                Some(Data::Txt(strings)) => strings.clone(),
                _ => Box::default(),
            };
            let addresses = addresses(cache, &host, port);
            FoundService { instance: instance.first_label(), host, addresses, txt }
        });
        let found = found.filter(|found| !found.addresses.is_empty());
        let before = std::mem::replace(&mut known.found, found.clone());
        if !exists {
            self.known.remove(instance);
        }
        match (before, found) {
            (None, Some(found)) => Some(ServiceChange::Found(found)),
            (Some(before), Some(found)) if before != found => Some(ServiceChange::Updated(found)),
            (Some(before), None) => Some(ServiceChange::Lost(before)),
            _ => None,
        }
    }

    /// Asks for what is not known of a service, and no longer for what is.
    pub(super) fn ask(&self, instance: &Name, cache: &Cache, questions: &mut Questions, now: Time) {
        let mut ask = |name: &Name, record_type, is_missing: bool| match is_missing {
            true => questions.ask(name, record_type, now),
            false => questions.cancel(name, record_type),
        };
        let known = self.known.get(instance);
        for record_type in [RecordType::SRV, RecordType::TXT] {
            ask(instance, record_type, known.is_some() && first(cache, instance, record_type).is_none());
        }
        if let Some(host) = known.and_then(|known| known.host.as_ref()) {
            let is_missing = addresses(cache, host, 0).is_empty();
            ask(host, RecordType::A, is_missing);
            ask(host, RecordType::AAAA, is_missing);
        }
    }
}

/// Returns the addresses of a host, with a port.
pub(super) fn addresses(cache: &Cache, host: &Name, port: u16) -> Vec<SocketAddr> {
    let entries = [RecordType::A, RecordType::AAAA].into_iter().flat_map(|of_type| cache.get(host, of_type));
    let mut addresses = Vec::new();
    for entry in entries {
        let address = match entry.record.data.address() {
            // A link-local address is valid on its interface only.
            Some(IpAddr::V6(ip)) if ip.is_unicast_link_local() => {
                SocketAddr::V6(SocketAddrV6::new(ip, port, 0, entry.interface))
            }
            Some(ip) => SocketAddr::new(ip, port),
            None => continue,
        };
        if !addresses.contains(&address) && addresses.len() < MAX_ADDRESSES {
            addresses.push(address);
        }
    }
    addresses
}

fn pointers<'a>(cache: &'a Cache, service_type: &Name) -> impl Iterator<Item = &'a Name> {
    cache.get(service_type, RecordType::PTR).filter_map(|entry| match &entry.record.data {
        Data::Ptr(name) => Some(name),
        _ => None,
    })
}

/// Returns the newest record, since an older one may be one that it replaces.
fn first<'a>(cache: &'a Cache, name: &Name, record_type: RecordType) -> Option<&'a Entry> {
    cache.get(name, record_type).last()
}
