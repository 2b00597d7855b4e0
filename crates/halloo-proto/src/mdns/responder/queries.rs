//! Responses to queries.

use std::net::SocketAddr;
use std::time::Duration;

use super::super::own_records::{HOST_TTL, Kind, OwnRecords};
use super::super::{Destination, PORT, Packet, Question, Record, RecordType};
use super::link_state::{LinkState, Phase};
use super::{DEFERRAL, Responder};
use crate::Time;

/// The delay of a response to which others may add, so that these do not collide (RFC 6762 section 6).
const SHARED_DELAY: [Duration; 2] = [Duration::from_millis(20), Duration::from_millis(120)];
/// The delay if more known answers follow (RFC 6762 section 7.2).
const INCOMPLETE_DELAY: [Duration; 2] = [Duration::from_millis(400), Duration::from_millis(500)];
/// A quarter of the shortest time for which a record is valid (RFC 6762 section 5.4).
const FRESH: Duration = Duration::from_secs(HOST_TTL as u64 / 4);
/// Maximum seconds for which a response to a legacy query is valid, since its receiver does not hear changes (RFC 6762
/// section 6.7).
const LEGACY_TTL: u32 = 10;

impl Responder {
    /// Handles a query, or a probe of another machine.
    pub(super) fn handle_query(&mut self, query: &Packet, from: SocketAddr, interface: u32, now: Time) {
        self.handle_simultaneous_probe(query, interface, now);
        let Some(link) = self.links.get_mut(&interface) else { return };
        if matches!(link.phase, Phase::Probing { .. }) {
            return;
        }
        if query.questions.is_empty() {
            let (records, addresses) = (&self.records, &link.addresses);
            let is_known = |kind| is_known(records, kind, addresses, &query.answers);
            link.schedule.handle_known(from.ip(), is_known);
            return;
        }
        let is_legacy = from.port() != PORT;
        let asked = asked(&self.records, link, query, is_legacy, now);
        let unicast: Vec<Kind> = asked.iter().filter(|(_, unicast)| *unicast).map(|(kind, _)| *kind).collect();
        let multicast: Vec<Kind> = asked.iter().filter(|(_, unicast)| !*unicast).map(|(kind, _)| *kind).collect();
        self.schedule_multicast(&multicast, query, from, interface, now);
        if !unicast.is_empty() {
            self.respond_by_unicast(&unicast, query, from, interface, now);
        }
    }

    fn schedule_multicast(&mut self, kinds: &[Kind], query: &Packet, from: SocketAddr, interface: u32, now: Time) {
        let Some(link) = self.links.get_mut(&interface) else { return };
        let is_probe = query.authorities.iter().any(|record| self.records.is_claim(record));
        if is_probe {
            // Before the other machine takes the name (RFC 6762 section 6).
            kinds.iter().for_each(|kind| link.schedule.defend(*kind, now));
        } else if query.is_truncated {
            let [from_delay, to_delay] = INCOMPLETE_DELAY;
            let at = now + self.random.delay(from_delay, to_delay);
            link.schedule.request_incomplete(kinds, from.ip(), at);
        } else {
            // Others respond as well to a shared name, and to questions that are not about this service.
            let is_foreign =
                |asked: &Question| self.records.kinds(&asked.name, asked.record_type, &link.addresses).is_empty();
            let is_shared = kinds.iter().any(|kind| kind.is_shared()) || query.questions.iter().any(is_foreign);
            let [from_delay, to_delay] = SHARED_DELAY;
            let delay = if is_shared { self.random.delay(from_delay, to_delay) } else { Duration::ZERO };
            kinds.iter().for_each(|kind| link.schedule.request(*kind, now + delay));
        }
    }

    fn respond_by_unicast(&mut self, kinds: &[Kind], query: &Packet, from: SocketAddr, interface: u32, now: Time) {
        let Some(link) = self.links.get_mut(&interface) else { return };
        if !link.unicasts.take(now) {
            return;
        }
        let addresses = link.addresses.clone();
        let mut additionals: Vec<Kind> = Vec::new();
        for kind in kinds.iter().flat_map(|kind| kind.additionals()) {
            if !kinds.contains(kind) && !additionals.contains(kind) {
                additionals.push(*kind);
            }
        }
        let mut response = self.response(kinds, &additionals, &addresses);
        if from.port() != PORT {
            response.id = query.id;
            response.questions.clone_from(&query.questions);
            for record in response.answers.iter_mut().chain(&mut response.additionals) {
                // Its receiver does not know this bit.
                record.cache_flush = false;
                record.ttl = record.ttl.min(LEGACY_TTL);
            }
        }
        self.send(interface, Destination::Unicast(from), &response);
    }

    /// Defers to a machine that probes for one of the names at the same time and has precedence (RFC 6762 section 8.2).
    fn handle_simultaneous_probe(&mut self, query: &Packet, interface: u32, now: Time) {
        let claims: Vec<&Record> = query.authorities.iter().filter(|record| self.records.is_claim(record)).collect();
        let Some(link) = self.links.get_mut(&interface) else { return };
        if !matches!(link.phase, Phase::Probing { sent: 1.., .. }) {
            return;
        }
        for name in [self.records.instance(), self.records.host()] {
            let theirs: Vec<&Record> = claims.iter().copied().filter(|record| record.name == *name).collect();
            // A reflector, or another interface, returns the probes of this machine.
            if theirs.iter().all(|record| self.records.is_own(record)) {
                continue;
            }
            let own: Vec<Record> =
                Kind::PROBED.into_iter().flat_map(|kind| self.records.records(kind, &link.addresses)).collect();
            let own = own.iter().filter(|record| record.name == *name).collect();
            if ordered(own) < ordered(theirs) {
                link.probe_again(now + DEFERRAL);
                return;
            }
        }
    }
}

/// Returns the kinds that the questions ask for and that are not known, each with whether it is sent by unicast.
fn asked(records: &OwnRecords, link: &LinkState, query: &Packet, is_legacy: bool, now: Time) -> Vec<(Kind, bool)> {
    let mut asked: Vec<(Kind, bool)> = Vec::new();
    for question in &query.questions {
        for kind in records.kinds(&question.name, question.record_type, &link.addresses) {
            // A record that was not sent for a while is sent to all, whose caches then stay current (RFC 6762 section 5.4).
            let is_fresh = link.schedule.was_sent_within(kind, FRESH, now);
            let unicast = is_legacy || (question.unicast_response && is_fresh && query.authorities.is_empty());
            match asked.iter_mut().find(|(other, _)| *other == kind) {
                // A question for multicast decides, because others listen too.
                Some((_, other)) => *other &= unicast,
                None => asked.push((kind, unicast)),
            }
        }
    }
    asked.retain(|(kind, _)| !is_known(records, *kind, &link.addresses, &query.answers));
    asked
}

/// Returns whether all records of a kind are among the known answers, and are valid for at least half of their time (RFC
/// 6762 section 7.1).
fn is_known(records: &OwnRecords, kind: Kind, addresses: &[std::net::IpAddr], known: &[Record]) -> bool {
    let is_same =
        |own: &Record, known: &Record| own.name == known.name && own.data == known.data && known.ttl >= own.ttl / 2;
    records.records(kind, addresses).iter().all(|own| known.iter().any(|known| is_same(own, known)))
}

/// Returns what simultaneous probes are compared by.
fn ordered(records: Vec<&Record>) -> Vec<(RecordType, Vec<u8>)> {
    let mut ordered: Vec<_> =
        records.into_iter().map(|record| (record.data.record_type(), record.data.to_wire())).collect();
    ordered.sort_unstable();
    ordered
}
