//! The records that were received, bounded in number, in bytes, and for each source.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use super::random::Random;
use super::{Data, Name, Record, RecordType};
use crate::Time;

/// Maximum records in total.
pub(super) const MAX_RECORDS: usize = 1024;
/// Maximum records of one source: a reflector, which repeats the records of a network, needs more than a machine.
pub(super) const MAX_RECORDS_PER_SOURCE: usize = 256;
/// Maximum bytes of all records together, with their places in the tables in which they are found.
pub(super) const MAX_BYTES: usize = 320 * 1024;
/// Bytes of the places of a record in these tables, apart from its name.
const TABLE_BYTES: usize = 128;
/// Maximum bytes of the content of a record.
const MAX_DATA_BYTES: usize = 4096;
/// Maximum time for which a record is kept, whatever it says: what its sender is to use (RFC 6762 section 10).
const MAX_TTL: Duration = Duration::from_secs(75 * 60);
/// How long a record is kept after it was withdrawn or replaced (RFC 6762 sections 10.1 and 10.2).
const GRACE: Duration = Duration::from_secs(1);
/// The shares of its time in per cent after which a record is asked for again, before it expires (RFC 6762 section 5.2).
const REFRESHES: [u32; 4] = [80, 85, 90, 95];
/// Maximum random addition to these shares, in thousandths.
const REFRESH_JITTER: u32 = 20;

/// A record, and where it came from.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) record: Record,
    pub(super) interface: u32,
    source: IpAddr,
    received: Time,
    ttl: Duration,
    /// The refreshes that were asked for.
    refreshes: usize,
    /// The next refresh, or the end.
    deadline: Time,
}

impl Entry {
    /// Returns for how many more seconds the record is valid.
    pub(super) fn remaining(&self, now: Time) -> u32 {
        u32::try_from(self.ttl.saturating_sub(now - self.received).as_secs()).unwrap_or(u32::MAX)
    }

    /// Returns whether a responder need not repeat the record (RFC 6762 section 7.1).
    pub(super) fn is_known(&self, now: Time) -> bool {
        (now - self.received) * 2 < self.ttl
    }

    /// Returns the bytes of the record in a packet, approximately: most names end in the same labels, which are written
    /// once.
    pub(super) fn encoded_len(&self) -> usize {
        32 + match &self.record.data {
            Data::Ptr(name) => name.labels().next().map_or(0, <[u8]>::len),
            Data::Srv { target, .. } => target.len(),
            Data::Txt(strings) => strings.len(),
            _ => 0,
        }
    }

    fn bytes(&self) -> usize {
        let data = match &self.record.data {
            Data::Txt(strings) => strings.len(),
            Data::Ptr(name) | Data::Srv { target: name, .. } => name.len(),
            _ => 0,
        };
        size_of::<Entry>() + TABLE_BYTES + 2 * self.record.name.len() + data
    }
}

/// What became due.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// A record is to be asked for again.
    Refresh(Name, RecordType),
    /// A record of this name was removed.
    Expired(Name),
}

/// See the module documentation.
#[derive(Debug, Default)]
pub(super) struct Cache {
    entries: BTreeMap<u64, Entry>,
    by_name: BTreeMap<Name, Vec<u64>>,
    /// The entries of each source, oldest first.
    by_source: BTreeMap<IpAddr, BTreeSet<u64>>,
    by_deadline: BTreeSet<(Time, u64)>,
    bytes: usize,
    next: u64,
}

impl Cache {
    /// Returns the records of a name and a type.
    pub(super) fn get(&self, name: &Name, record_type: RecordType) -> impl Iterator<Item = &Entry> {
        let ids = self.by_name.get(name).into_iter().flatten();
        let entries = ids.filter_map(|id| self.entries.get(id));
        entries.filter(move |entry| entry.record.data.record_type() == record_type)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Stores a record, or renews or withdraws it. Returns the names of which records are new, or were removed for them.
    pub(super) fn insert(
        &mut self,
        record: Record,
        source: IpAddr,
        interface: u32,
        now: Time,
        random: &mut Random,
    ) -> Vec<Name> {
        let ttl = Duration::from_secs(u64::from(record.ttl)).min(MAX_TTL);
        if record.cache_flush {
            self.flush(&record, interface, now);
        }
        if let Some(id) = self.find(&record, interface) {
            if ttl.is_zero() {
                self.expire_at(id, now + GRACE);
            } else {
                self.renew(id, ttl, now, random);
            }
            return Vec::new();
        }
        let entry = Entry { record, interface, source, received: now, ttl, refreshes: 0, deadline: Time::NEVER };
        if ttl.is_zero() || entry.bytes() > size_of::<Entry>() + TABLE_BYTES + MAX_DATA_BYTES {
            return Vec::new();
        }
        let mut changed = vec![entry.record.name.clone()];
        let id = self.next;
        self.next += 1;
        self.bytes += entry.bytes();
        self.by_name.entry(entry.record.name.clone()).or_default().push(id);
        self.by_source.entry(source).or_default().insert(id);
        self.by_deadline.insert((Time::NEVER, id));
        self.entries.insert(id, entry);
        self.renew(id, ttl, now, random);
        while let Some(excess) = self.excess(source) {
            changed.extend(self.remove(excess));
        }
        changed
    }

    /// Returns what is due, if anything is.
    pub(super) fn poll_due(&mut self, now: Time, random: &mut Random) -> Option<Due> {
        let &(_, id) = self.by_deadline.first().filter(|(deadline, _)| *deadline <= now)?;
        let entry = self.entries.get_mut(&id)?;
        if entry.refreshes > REFRESHES.len() || now - entry.received >= entry.ttl {
            return self.remove(id).map(Due::Expired);
        }
        let due = Due::Refresh(entry.record.name.clone(), entry.record.data.record_type());
        self.schedule(id, random);
        Some(due)
    }

    /// Returns when something is due.
    pub(super) fn poll_timeout(&self) -> Time {
        self.by_deadline.first().map_or(Time::NEVER, |(deadline, _)| *deadline)
    }

    /// Removes the records from interfaces that are gone, and returns their names.
    pub(super) fn retain_interfaces(&mut self, exists: impl Fn(u32) -> bool) -> Vec<Name> {
        let gone = self.entries.iter().filter(|(_, entry)| !exists(entry.interface));
        let gone: Vec<u64> = gone.map(|(id, _)| *id).collect();
        gone.into_iter().filter_map(|id| self.remove(id)).collect()
    }

    fn find(&self, record: &Record, interface: u32) -> Option<u64> {
        let ids = self.by_name.get(&record.name)?;
        let is_same = |entry: &Entry| entry.interface == interface && entry.record.data == record.data;
        ids.iter().copied().find(|id| self.entries.get(id).is_some_and(is_same))
    }

    /// Lets the records that `record` replaces expire. Those of the last second may be of the same response.
    fn flush(&mut self, record: &Record, interface: u32, now: Time) {
        let is_replaced = |entry: &Entry| {
            entry.interface == interface
                && entry.record.data.record_type() == record.data.record_type()
                && entry.record.data != record.data
                && now - entry.received > GRACE
        };
        let ids = self.by_name.get(&record.name).into_iter().flatten().copied();
        let replaced: Vec<u64> = ids.filter(|id| self.entries.get(id).is_some_and(is_replaced)).collect();
        for id in replaced {
            self.expire_at(id, now + GRACE);
        }
    }

    fn renew(&mut self, id: u64, ttl: Duration, now: Time, random: &mut Random) {
        if let Some(entry) = self.entries.get_mut(&id) {
            (entry.received, entry.ttl, entry.refreshes) = (now, ttl, 0);
            self.schedule(id, random);
        }
    }

    /// Schedules the next refresh, or the end after the last.
    fn schedule(&mut self, id: u64, random: &mut Random) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let after = match REFRESHES.get(entry.refreshes) {
            Some(share) => {
                let jitter = random.delay(Duration::ZERO, entry.ttl * REFRESH_JITTER / 1000);
                entry.ttl * *share / 100 + jitter
            }
            None => entry.ttl,
        };
        entry.refreshes += 1;
        let deadline = entry.received + after;
        self.set_deadline(id, deadline);
    }

    fn expire_at(&mut self, id: u64, at: Time) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        entry.refreshes = REFRESHES.len() + 1;
        let at = at.min(entry.received + entry.ttl);
        self.set_deadline(id, at);
    }

    fn set_deadline(&mut self, id: u64, deadline: Time) {
        if let Some(entry) = self.entries.get_mut(&id) {
            self.by_deadline.remove(&(entry.deadline, id));
            entry.deadline = deadline;
            self.by_deadline.insert((deadline, id));
        }
    }

    /// Returns the entry to remove after one of `source` was stored, if there are too many.
    fn excess(&self, source: IpAddr) -> Option<u64> {
        let of_source = self.by_source.get(&source)?;
        if of_source.len() > MAX_RECORDS_PER_SOURCE {
            return of_source.first().copied();
        }
        if self.entries.len() <= MAX_RECORDS && self.bytes <= MAX_BYTES {
            return None;
        }
        // The source with the most, so that one that stores much does not displace the others.
        let most = self.by_source.values().map(BTreeSet::len).max();
        let largest = self.by_source.values().filter(|ids| Some(ids.len()) == most);
        largest.filter_map(|ids| ids.first().copied()).min()
    }

    /// Removes an entry, and returns its name.
    fn remove(&mut self, id: u64) -> Option<Name> {
        let entry = self.entries.remove(&id)?;
        self.bytes -= entry.bytes();
        self.by_deadline.remove(&(entry.deadline, id));
        if let Some(ids) = self.by_name.get_mut(&entry.record.name) {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.by_name.remove(&entry.record.name);
            }
        }
        if let Some(ids) = self.by_source.get_mut(&entry.source) {
            ids.remove(&id);
            if ids.is_empty() {
                self.by_source.remove(&entry.source);
            }
        }
        Some(entry.record.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::ZERO + Duration::from_secs(seconds)
    }

    fn record(host: &str, last: u8, ttl: u32) -> Record {
        let name = Name::parse(&format!("{host}.local")).unwrap();
        Record { name, data: Data::A([10, 0, 0, last].into()), ttl, cache_flush: false }
    }

    fn source(number: u16) -> IpAddr {
        IpAddr::from([10, 1, (number >> 8) as u8, number as u8])
    }

    struct Store(Cache, Random);

    impl Store {
        fn insert(&mut self, record: Record, from: u16, now: Time) -> usize {
            self.0.insert(record, source(from), 2, now, &mut self.1).len()
        }

        fn due(&mut self, now: Time) -> Vec<Due> {
            std::iter::from_fn(|| self.0.poll_due(now, &mut self.1)).collect()
        }
    }

    fn store() -> Store {
        Store(Cache::default(), Random::new(7))
    }

    #[test]
    fn record_is_asked_for_again_four_times_before_it_expires() {
        let mut store = store();
        store.insert(record("den", 1, 100), 1, at(0));
        let mut refreshed = Vec::new();
        while store.0.len() > 0 {
            let next = store.0.poll_timeout();
            for due in store.due(next) {
                if matches!(due, Due::Refresh(_, RecordType::A)) {
                    refreshed.push(next.as_micros() / 1_000_000);
                } else {
                    assert_eq!(next, at(100));
                }
            }
        }
        let expected = [80, 85, 90, 95].map(|share: u64| share..=share + 2);
        assert!(expected.iter().zip(&refreshed).all(|(range, at)| range.contains(at)), "{refreshed:?}");
        assert_eq!((refreshed.len(), store.0.poll_timeout(), store.0.bytes()), (4, Time::NEVER, 0));
    }

    #[test]
    fn withdrawn_and_replaced_records_expire_after_a_second() {
        let mut store = store();
        store.insert(record("den", 1, 120), 1, at(0));
        store.insert(record("den", 1, 0), 1, at(10));
        assert!(store.due(at(10)).is_empty());
        assert!(matches!(store.due(at(11))[..], [Due::Expired(_)]));
        store.insert(record("den", 1, 120), 1, at(20));
        store.insert(record("den", 2, 120), 1, at(20));
        store.insert(Record { cache_flush: true, ..record("den", 2, 120) }, 1, at(30));
        assert_eq!(store.due(at(31)).len(), 1);
        let left: Vec<_> =
            store.0.get(&record("den", 0, 0).name, RecordType::A).map(|entry| &entry.record.data).collect();
        assert_eq!(left, [&Data::A([10, 0, 0, 2].into())]);
        // Two of the same response do not replace each other.
        store.insert(Record { cache_flush: true, ..record("den", 3, 120) }, 1, at(50));
        store.insert(Record { cache_flush: true, ..record("den", 4, 120) }, 1, at(50));
        store.due(at(60));
        assert_eq!(store.0.len(), 2);
    }

    #[test]
    fn record_is_kept_for_75_minutes_at_most() {
        let mut store = store();
        store.insert(record("den", 1, u32::MAX), 1, at(0));
        store.due(at(75 * 60 - 1));
        store.due(at(75 * 60 - 1));
        assert_eq!(store.0.len(), 1);
        store.due(at(75 * 60));
        assert_eq!(store.0.len(), 0);
    }

    #[test]
    fn source_that_exceeds_its_share_loses_its_own_oldest_records() {
        let mut store = store();
        store.insert(record("honest", 1, 120), 1, at(0));
        for number in 0..5000 {
            store.insert(record(&format!("host{number}"), 1, 120), 2, at(1));
        }
        assert_eq!(store.0.len(), 1 + MAX_RECORDS_PER_SOURCE);
        let has = |host: &str| store.0.get(&record(host, 0, 0).name, RecordType::A).count() == 1;
        assert!(has("honest") && has("host4999") && has("host4744") && !has("host4743"));
    }

    #[test]
    fn many_sources_share_the_cache_and_the_largest_gives_way() {
        let mut store = store();
        store.insert(record("honest", 1, 120), 1, at(0));
        for number in 0..20_000_u16 {
            store.insert(record(&format!("host{number}"), 1, 120), 2 + number % 100, at(1));
            assert!(store.0.len() <= MAX_RECORDS);
        }
        assert_eq!(store.0.len(), MAX_RECORDS);
        assert_eq!(store.0.get(&record("honest", 0, 0).name, RecordType::A).count(), 1);
    }

    #[test]
    fn bytes_are_bounded_and_huge_content_is_refused() {
        let mut store = store();
        let txt = |host: u16, length| Record {
            data: Data::Txt(vec![1; length].into()),
            ..record(&format!("h{host}"), 0, 120)
        };
        assert_eq!(store.insert(txt(0, 5000), 1, at(0)), 0);
        for number in 0..2000 {
            store.insert(txt(number, 4000), number % 50, at(0));
            assert!(store.0.bytes() <= MAX_BYTES);
        }
        // The bound is used.
        assert!(store.0.len() > MAX_BYTES / 4608);
    }
}
