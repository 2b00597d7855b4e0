//! When the records of one interface are sent.

use std::net::IpAddr;
use std::time::Duration;

use super::super::own_records::Kind;
use crate::Time;

/// Minimum time between two multicasts of a record on an interface (RFC 6762 section 6).
const MIN_INTERVAL: Duration = Duration::from_secs(1);
/// The same if the record is defended against a probe.
const MIN_DEFENCE_INTERVAL: Duration = Duration::from_millis(250);

/// The multicasts of each kind of record.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    due: [Time; Kind::COUNT],
    /// `None` if it was never sent.
    sent: [Option<Time>; Kind::COUNT],
    /// The source of the last query whose known answers continue in another packet, and the kinds that wait for it alone.
    incomplete: Option<(IpAddr, Vec<Kind>)>,
}

impl Schedule {
    pub(super) fn new() -> Schedule {
        Schedule { due: [Time::NEVER; Kind::COUNT], sent: [None; Kind::COUNT], incomplete: None }
    }

    pub(super) fn poll_timeout(&self) -> Time {
        self.due.into_iter().min().unwrap_or(Time::NEVER)
    }

    /// Schedules a multicast for `at`, or for as soon as the last one is a second ago.
    pub(super) fn request(&mut self, kind: Kind, at: Time) {
        self.advance(kind, at, MIN_INTERVAL);
        if let Some((_, kinds)) = &mut self.incomplete {
            kinds.retain(|waiting| *waiting != kind);
        }
    }

    /// Schedules a multicast against a probe of another machine.
    pub(super) fn defend(&mut self, kind: Kind, now: Time) {
        self.advance(kind, now, MIN_DEFENCE_INTERVAL);
    }

    /// Schedules multicasts for a query whose known answers are not complete.
    pub(super) fn request_incomplete(&mut self, kinds: &[Kind], source: IpAddr, at: Time) {
        let waiting: Vec<Kind> = kinds.iter().copied().filter(|kind| self.due[*kind as usize] == Time::NEVER).collect();
        kinds.iter().for_each(|kind| self.advance(*kind, at, MIN_INTERVAL));
        self.incomplete = Some((source, waiting));
    }

    /// Handles more known answers from `source`.
    pub(super) fn handle_known(&mut self, source: IpAddr, is_known: impl Fn(Kind) -> bool) {
        if let Some((_, kinds)) = self.incomplete.as_mut().filter(|(waiting, _)| *waiting == source) {
            for kind in kinds.extract_if(.., |kind| is_known(*kind)) {
                self.due[kind as usize] = Time::NEVER;
            }
        }
    }

    /// Returns the kinds that are due, with those that a receiver will ask for next and that may be sent as well.
    pub(super) fn poll_due(&mut self, now: Time) -> (Vec<Kind>, Vec<Kind>) {
        let due: Vec<Kind> = Kind::ALL.into_iter().filter(|kind| self.due[*kind as usize] <= now).collect();
        let mut additionals: Vec<Kind> = due.iter().flat_map(|kind| kind.additionals()).copied().collect();
        additionals.sort_unstable_by_key(|kind| *kind as usize);
        additionals.dedup();
        additionals.retain(|kind| !due.contains(kind) && !self.was_sent_within(*kind, MIN_INTERVAL, now));
        for kind in due.iter().chain(&additionals) {
            self.handle_sent(*kind, now);
        }
        if self.incomplete.is_some() && self.poll_timeout() == Time::NEVER {
            self.incomplete = None;
        }
        (due, additionals)
    }

    /// Returns whether the last multicast is at most `span` ago.
    pub(super) fn was_sent_within(&self, kind: Kind, span: Duration, now: Time) -> bool {
        self.sent[kind as usize].is_some_and(|sent| now < sent + span)
    }

    /// Forgets when the records were sent, because their content has changed.
    pub(super) fn handle_change(&mut self, kinds: &[Kind]) {
        kinds.iter().for_each(|kind| self.sent[*kind as usize] = None);
    }

    fn handle_sent(&mut self, kind: Kind, now: Time) {
        self.sent[kind as usize] = Some(now);
        self.due[kind as usize] = Time::NEVER;
    }

    fn advance(&mut self, kind: Kind, at: Time, interval: Duration) {
        let earliest = self.sent[kind as usize].map_or(Time::ZERO, |sent| sent + interval);
        let due = &mut self.due[kind as usize];
        *due = (*due).min(at.max(earliest));
    }
}
