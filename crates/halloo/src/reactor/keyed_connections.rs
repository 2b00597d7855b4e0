//! The connections that a page asks about over HTTP.

use std::collections::{HashMap, VecDeque};
use std::fmt;

use halloo_proto::Time;
use halloo_proto::connection_key::ConnectionKey;
use halloo_proto::defaults::MAX_ENDED_CONNECTIONS;

/// The connections whose page gave them a key, and the last ones of them that ended. They are not in the table of
/// connections, because most connections have no key.
#[derive(Debug, Default)]
pub(super) struct KeyedConnections {
    slots: HashMap<usize, Keyed>,
    open: HashMap<ConnectionKey, usize>,
    /// The number of messages from each connection that ended.
    ended: VecDeque<(ConnectionKey, u64)>,
}

#[derive(Debug)]
struct Keyed {
    key: ConnectionKey,
    received: u64,
    /// When the ping was sent that no byte has followed yet.
    pinged: Option<Time>,
    /// How many pings were followed by bytes.
    answers: u64,
    round_trip_micros: u128,
}

/// What a request waits for: that the connection in this slot answers once more, or ends.
#[derive(Debug)]
pub(super) struct Waits {
    slot: usize,
    key: ConnectionKey,
    answers: u64,
}

/// What a page is told about its connection, as JSON.
#[derive(Debug)]
pub(super) struct Report {
    is_open: bool,
    received: u64,
    round_trip_micros: u128,
}

impl KeyedConnections {
    /// Adds the connection in `slot` if it has a key that no open connection has.
    pub(super) fn open(&mut self, slot: usize, key: Option<ConnectionKey>) {
        let Some(key) = key.filter(|key| !self.open.contains_key(key)) else { return };
        self.open.insert(key.clone(), slot);
        let keyed = Keyed { key, received: 0, pinged: None, answers: 0, round_trip_micros: 0 };
        self.slots.insert(slot, keyed);
    }

    /// Counts a message from the connection in `slot`.
    #[inline]
    pub(super) fn count_message(&mut self, slot: usize) {
        if !self.slots.is_empty()
            && let Some(keyed) = self.slots.get_mut(&slot)
        {
            keyed.received += 1;
        }
    }

    /// Records that bytes arrived from the connection in `slot`.
    #[inline]
    pub(super) fn handle_bytes(&mut self, slot: usize, now: Time) {
        if !self.slots.is_empty()
            && let Some(keyed) = self.slots.get_mut(&slot)
            && let Some(pinged) = keyed.pinged.take()
        {
            keyed.answers += 1;
            keyed.round_trip_micros = (now - pinged).as_micros();
        }
    }

    /// Records that the connection in `slot` ended.
    pub(super) fn close(&mut self, slot: usize) {
        let Some(keyed) = self.slots.remove(&slot) else { return };
        self.open.remove(&keyed.key);
        self.ended.push_back((keyed.key, keyed.received));
        if self.ended.len() > MAX_ENDED_CONNECTIONS {
            self.ended.pop_front();
        }
    }

    /// Returns the slot of the open connection with this key.
    pub(super) fn slot_of(&self, key: &ConnectionKey) -> Option<usize> {
        self.open.get(key).copied()
    }

    /// Returns what to wait for after a ping to the connection in `slot`, and whether one was sent before and not answered.
    pub(super) fn ask(&mut self, slot: usize, now: Time) -> Option<(Waits, bool)> {
        let keyed = self.slots.get_mut(&slot)?;
        let is_pinged = keyed.pinged.is_some();
        keyed.pinged.get_or_insert(now);
        Some((Waits { slot, key: keyed.key.clone(), answers: keyed.answers }, is_pinged))
    }

    /// Returns whether neither an answer nor the end of the connection has come since [`KeyedConnections::ask`].
    pub(super) fn is_waiting(&self, waits: &Waits) -> bool {
        let keyed = self.slots.get(&waits.slot).filter(|keyed| keyed.key == waits.key);
        keyed.is_some_and(|keyed| keyed.answers == waits.answers)
    }

    /// Returns what is known about the connection with this key.
    pub(super) fn describe(&self, key: &ConnectionKey) -> Option<Report> {
        if let Some(keyed) = self.open.get(key).and_then(|slot| self.slots.get(slot)) {
            let Keyed { received, round_trip_micros, .. } = *keyed;
            return Some(Report { is_open: true, received, round_trip_micros });
        }
        let (_, received) = self.ended.iter().rev().find(|(ended, _)| ended == key)?;
        Some(Report { is_open: false, received: *received, round_trip_micros: 0 })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { is_open, received, round_trip_micros } = self;
        write!(f, r#"{{"open":{is_open},"received":{received}"#)?;
        if *round_trip_micros > 0 {
            write!(f, r#","rtt_ms":{}.{:03}"#, round_trip_micros / 1000, round_trip_micros % 1000)?;
        }
        f.write_str("}")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn key(n: usize) -> Option<ConnectionKey> {
        ConnectionKey::from_subprotocol(&format!("halloo.key.{n:022}"))
    }

    fn at(millis: u64) -> Time {
        Time::ZERO + Duration::from_millis(millis)
    }

    fn report(keyed: &KeyedConnections, n: usize) -> String {
        keyed.describe(&key(n).expect("a key")).map(|report| report.to_string()).unwrap_or_default()
    }

    #[test]
    fn bytes_after_the_ping_are_an_answer_and_those_before_it_are_not() {
        let mut keyed = KeyedConnections::default();
        keyed.open(7, key(1));
        keyed.count_message(7);
        keyed.handle_bytes(7, at(1));
        let (waits, is_pinged) = keyed.ask(7, at(2)).expect("it is open");
        assert!(!is_pinged && keyed.is_waiting(&waits));
        let (others, is_pinged) = keyed.ask(7, at(3)).expect("it is open");
        assert!(is_pinged, "one ping answers both");
        keyed.handle_bytes(8, at(4));
        assert!(keyed.is_waiting(&waits) && keyed.is_waiting(&others));
        keyed.handle_bytes(7, at(5));
        assert!(!keyed.is_waiting(&waits) && !keyed.is_waiting(&others));
        assert_eq!(report(&keyed, 1), r#"{"open":true,"received":1,"rtt_ms":3.000}"#);
    }

    #[test]
    fn request_about_a_connection_that_ends_waits_no_longer_even_if_its_slot_is_used_again() {
        let mut keyed = KeyedConnections::default();
        keyed.open(7, key(1));
        let (waits, _) = keyed.ask(7, at(0)).expect("it is open");
        keyed.close(7);
        assert!(!keyed.is_waiting(&waits));
        keyed.open(7, key(2));
        assert!(!keyed.is_waiting(&waits));
        assert_eq!(report(&keyed, 1), r#"{"open":false,"received":0}"#);
    }

    #[test]
    fn key_of_an_open_connection_cannot_be_taken_and_few_ended_ones_are_known() {
        let mut keyed = KeyedConnections::default();
        keyed.open(1, key(0));
        keyed.open(2, key(0));
        assert_eq!(keyed.slot_of(&key(0).expect("a key")), Some(1));
        for n in 1..=MAX_ENDED_CONNECTIONS {
            keyed.open(3, key(n));
            keyed.count_message(3);
            keyed.close(3);
        }
        assert_eq!(report(&keyed, 1), r#"{"open":false,"received":1}"#);
        keyed.close(1);
        assert_eq!((report(&keyed, 1), report(&keyed, 0)), (String::new(), r#"{"open":false,"received":0}"#.into()));
    }
}
