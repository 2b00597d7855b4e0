//! The other nodes: who is there, how many clients they have, and what of their messages was lost.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use halloo_proto::Time;

use crate::beat::Beat;
use crate::header::Header;

/// Silence after which a node is gone: three beats and a half.
const GONE_AFTER: Duration = Duration::from_millis(3500);
/// How long what a beat announces may be on its way, because it takes another connection.
const CLAIM_DELAY: Duration = Duration::from_secs(2);
/// How long the numbers of a node that is gone are remembered, so that what was lost meanwhile is counted when it is back.
const REMEMBERED: Duration = Duration::from_secs(60);
/// Maximum number of other nodes, so that a program that invents some does not fill the memory.
const MAX_MEMBERS: usize = 1000;

/// The other nodes of a cluster, by their instances.
#[derive(Debug)]
pub(crate) struct Members {
    instance: u64,
    /// The subject of messages to all.
    all: Arc<str>,
    members: HashMap<u64, Member>,
    lost: u64,
}

#[derive(Debug)]
struct Member {
    node: u32,
    clients: u32,
    last_beat: Time,
    /// It has been silent for too long, and is only remembered.
    gone: bool,
    /// The number of the next frame on each subject.
    next: HashMap<Arc<str>, u32>,
    /// When a beat said where the sequence of messages to all ends, and the end.
    claim: Option<(Time, u32)>,
}

/// What to do with messages of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Deliver,
    /// They came before.
    Duplicate,
    /// This node sent them.
    Own,
    /// Their node has not said that it is there.
    Stranger,
}

/// What a beat changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beaten {
    /// It is one of this node.
    Own,
    /// A node joined.
    Joined,
    /// Its number of clients changed.
    Changed,
    Unchanged,
    /// There are too many nodes.
    Full,
}

impl Members {
    pub(crate) fn new(instance: u64, all: Arc<str>) -> Members {
        Members { instance, all, members: HashMap::new(), lost: 0 }
    }

    /// Handles a beat.
    pub(crate) fn handle_beat(&mut self, header: &Header, beat: Beat, now: Time) -> Beaten {
        if header.instance == self.instance {
            return Beaten::Own;
        }
        if let Some(member) = self.members.get_mut(&header.instance) {
            let is_back = std::mem::take(&mut member.gone);
            let changed = (member.node, member.clients) != (header.node, beat.clients);
            (member.node, member.clients, member.last_beat) = (header.node, beat.clients, now);
            member.claim.get_or_insert((now, beat.all_end));
            return match (is_back, changed) {
                (true, _) => Beaten::Joined,
                (false, true) => Beaten::Changed,
                (false, false) => Beaten::Unchanged,
            };
        }
        if self.members.len() >= MAX_MEMBERS {
            self.members.retain(|_, member| !member.gone);
        }
        if self.members.len() >= MAX_MEMBERS {
            return Beaten::Full;
        }
        let member = Member {
            node: header.node,
            clients: beat.clients,
            last_beat: now,
            gone: false,
            next: HashMap::new(),
            claim: Some((now, beat.all_end)),
        };
        self.members.insert(header.instance, member);
        Beaten::Joined
    }

    /// Handles that a node stops. Returns its number if it was there.
    pub(crate) fn handle_bye(&mut self, header: &Header) -> Option<u32> {
        self.members.remove(&header.instance).filter(|member| !member.gone).map(|member| member.node)
    }

    /// Decides about messages on a subject, and counts those before them that did not arrive.
    pub(crate) fn handle_data(&mut self, header: &Header, subject: &str) -> Verdict {
        if header.instance == self.instance {
            return Verdict::Own;
        }
        let Some(member) = self.members.get_mut(&header.instance) else { return Verdict::Stranger };
        let end = header.sequence.wrapping_add(u32::from(header.count));
        match member.next.get_mut(subject) {
            Some(next) => {
                let gap = header.sequence.wrapping_sub(*next);
                if gap > u32::MAX / 2 {
                    return Verdict::Duplicate;
                }
                // A sequence that begins again has a higher number, too.
                self.lost += if header.first { 0 } else { u64::from(gap) };
                *next = end;
            }
            None => {
                member.next.insert(subject.into(), end);
            }
        }
        Verdict::Deliver
    }

    /// Forgets where the sequences of a subject are, because this node no longer receives it.
    pub(crate) fn forget_subject(&mut self, subject: &str) {
        self.members.values_mut().for_each(|member| {
            member.next.remove(subject);
        });
    }

    /// Returns the numbers of the nodes that are gone, and counts the last messages to all that did not arrive.
    pub(crate) fn handle_timeout(&mut self, now: Time) -> Vec<u32> {
        for member in self.members.values_mut() {
            if let Some((_, end)) = member.claim.take_if(|(then, _)| now - *then >= CLAIM_DELAY) {
                let next = member.next.entry(self.all.clone()).or_insert(end);
                let gap = end.wrapping_sub(*next);
                if gap <= u32::MAX / 2 {
                    self.lost += u64::from(gap);
                    *next = end;
                }
            }
        }
        self.members.retain(|_, member| !member.gone || now - member.last_beat < REMEMBERED);
        self.leave(|member| now - member.last_beat >= GONE_AFTER)
    }

    /// Marks nodes as gone, and returns their numbers.
    fn leave(&mut self, is_gone: impl Fn(&Member) -> bool) -> Vec<u32> {
        let leaving = self.members.values_mut().filter(|member| !member.gone && is_gone(member));
        leaving
            .map(|member| {
                (member.gone, member.claim) = (true, None);
                member.node
            })
            .collect()
    }

    /// Returns the nodes that are there, by their instances.
    fn present(&self) -> impl Iterator<Item = (u64, &Member)> {
        self.members.iter().filter(|(_, member)| !member.gone).map(|(instance, member)| (*instance, member))
    }

    /// Lets the time begin again in which the others have to say that they are there: this node was cut off meanwhile.
    pub(crate) fn handle_reconnect(&mut self, now: Time) {
        for member in self.members.values_mut().filter(|member| !member.gone) {
            member.last_beat = now;
            member.claim = None;
        }
    }

    /// Handles that no node can be heard. Returns the numbers of those that are gone now.
    pub(crate) fn handle_isolation(&mut self) -> Vec<u32> {
        self.leave(|_| true)
    }

    /// Returns the number of messages that did not arrive.
    pub(crate) fn lost(&self) -> u64 {
        self.lost
    }

    /// Returns the number of nodes, this one included.
    pub(crate) fn nodes(&self) -> usize {
        self.present().count() + 1
    }

    /// Returns the number of clients of the others.
    pub(crate) fn clients(&self) -> u64 {
        self.present().map(|(_, member)| u64::from(member.clients)).sum()
    }

    /// Returns the numbers of the others that only one of them has, and not this node.
    pub(crate) fn numbers(&self, own: u32) -> HashSet<u32> {
        let mut seen = HashMap::from([(own, 2)]);
        for (_, member) in self.present() {
            *seen.entry(member.node).or_insert(0) += 1;
        }
        seen.into_iter().filter(|&(_, owners)| owners == 1).map(|(node, _)| node).collect()
    }

    /// Returns the instance of the node with this number; `None` if there is none, or more than one.
    pub(crate) fn instance_of(&self, node: u32) -> Option<u64> {
        let mut owners = self.present().filter(|(_, member)| member.node == node).map(|(instance, _)| instance);
        owners.next().filter(|_| owners.next().is_none())
    }

    /// Returns whether this node has to take another number than `own`: another node has it, and the one with the lower
    /// instance keeps it.
    pub(crate) fn must_yield(&self, own: u32) -> bool {
        self.present().any(|(instance, member)| member.node == own && instance < self.instance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::Kind;

    fn header(instance: u64, sequence: u32, count: u16) -> Header {
        Header { kind: Kind::All, first: false, count, node: instance as u32, instance, order: 0, sequence }
    }

    fn at(milliseconds: u64) -> Time {
        Time::ZERO + Duration::from_millis(milliseconds)
    }

    /// Returns members that know the instance 2 of node 2.
    fn members() -> (Members, Arc<str>) {
        let all = Arc::<str>::from("all");
        let mut members = Members::new(1, all.clone());
        let beat = Beat { clients: 5, all_end: 0 };
        assert_eq!(members.handle_beat(&header(2, 0, 0), beat, at(0)), Beaten::Joined);
        (members, all)
    }

    #[test]
    fn nodes_are_gone_after_silence_and_at_once_after_bye() {
        let (mut members, _) = members();
        assert_eq!((members.nodes(), members.clients()), (2, 5));
        let beat = Beat { clients: 7, all_end: 0 };
        assert_eq!(members.handle_beat(&header(2, 0, 0), beat, at(1000)), Beaten::Changed);
        assert_eq!(members.handle_beat(&header(2, 0, 0), beat, at(2000)), Beaten::Unchanged);
        assert_eq!(members.handle_beat(&header(1, 0, 0), beat, at(2000)), Beaten::Own);
        assert!(members.handle_timeout(at(5499)).is_empty());
        assert_eq!(members.handle_timeout(at(5500)), [2]);
        assert_eq!((members.nodes(), members.clients()), (1, 0));
        members.handle_beat(&header(3, 0, 0), beat, at(6000));
        assert_eq!((members.handle_bye(&header(3, 0, 0)), members.handle_bye(&header(3, 0, 0))), (Some(3), None));
    }

    #[test]
    fn every_gap_is_counted_and_nothing_is_delivered_twice() {
        let (mut members, all) = members();
        // As a seeded generator decides, each message is lost, delivered, or delivered twice.
        let (mut state, mut sequence, mut lost, mut pending) = (7_u64, u32::MAX - 5000, 0, 0);
        assert_eq!(members.handle_data(&header(2, sequence.wrapping_sub(1), 1), &all), Verdict::Deliver);
        for _ in 0..10_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let count = 1 + (state >> 60) as u16;
            let header = header(2, sequence, count);
            sequence = sequence.wrapping_add(u32::from(count));
            match (state >> 40) % 4 {
                0 => pending += u64::from(count),
                repeats => {
                    lost += std::mem::take(&mut pending);
                    assert_eq!(members.handle_data(&header, &all), Verdict::Deliver);
                    for _ in 1..repeats {
                        assert_eq!(members.handle_data(&header, &all), Verdict::Duplicate);
                    }
                }
            }
            assert_eq!(members.lost(), lost);
        }
        // The last ones are known by the next beat.
        let claim = Beat { clients: 5, all_end: sequence };
        members.handle_timeout(at(2000));
        members.handle_beat(&header(2, 0, 0), claim, at(2000));
        members.handle_timeout(at(3999));
        assert_eq!(members.lost(), lost, "they may be on their way");
        members.handle_timeout(at(4000));
        assert_eq!(members.lost(), lost + pending);
    }

    #[test]
    fn what_a_node_missed_while_it_was_cut_off_is_counted_when_it_is_back() {
        let (mut members, all) = members();
        assert_eq!(members.handle_data(&header(2, 0, 1), &all), Verdict::Deliver);
        assert_eq!(members.handle_isolation(), [2]);
        assert!(members.handle_isolation().is_empty() && members.nodes() == 1 && members.instance_of(2).is_none());
        let beat = Beat { clients: 5, all_end: 11 };
        assert_eq!(members.handle_beat(&header(2, 0, 0), beat, at(30_000)), Beaten::Joined);
        assert_eq!(members.nodes(), 2);
        members.handle_timeout(at(32_000));
        assert_eq!(members.lost(), 10);
        assert_eq!(members.handle_timeout(at(33_500)), [2]);
        members.handle_timeout(at(90_000));
        assert_eq!(members.handle_data(&header(2, 500, 1), &all), Verdict::Stranger, "it is forgotten");
    }

    #[test]
    fn strangers_and_own_messages_are_not_delivered() {
        let (mut members, all) = members();
        assert_eq!(members.handle_data(&header(9, 0, 1), &all), Verdict::Stranger);
        assert_eq!(members.handle_data(&header(1, 0, 1), &all), Verdict::Own);
    }

    #[test]
    fn sequence_that_begins_again_is_no_gap() {
        let (mut members, all) = members();
        members.handle_data(&header(2, 500, 1), &all);
        let first = Header { first: true, ..header(2, 900, 3) };
        assert_eq!(members.handle_data(&first, &all), Verdict::Deliver);
        assert_eq!(members.handle_data(&first, &all), Verdict::Duplicate);
        assert_eq!(members.handle_data(&header(2, 903, 1), &all), Verdict::Deliver);
        assert_eq!(members.lost(), 0);
    }

    #[test]
    fn what_was_sent_before_a_node_is_known_is_not_lost() {
        let mut members = Members::new(1, "all".into());
        members.handle_beat(&header(2, 0, 0), Beat { clients: 0, all_end: 1000 }, at(0));
        members.handle_timeout(at(2000));
        assert_eq!(members.handle_data(&header(2, 1000, 1), "all"), Verdict::Deliver);
        assert_eq!(members.lost(), 0);
    }

    #[test]
    fn inventing_nodes_fills_no_memory() {
        let (mut members, _) = members();
        for instance in 10..100_000 {
            members.handle_beat(&header(instance, 0, 0), Beat { clients: u32::MAX, all_end: 0 }, at(0));
        }
        assert_eq!(members.nodes(), MAX_MEMBERS + 1);
        assert!(members.clients() < u64::from(u32::MAX) * 1001);
        members.handle_timeout(at(10_000));
        assert_eq!(members.nodes(), 1);
    }

    #[test]
    fn number_with_two_owners_is_not_sent_to_and_one_yields() {
        let mut members = Members::new(5, "all".into());
        for (instance, node) in [(2, 70), (9, 80), (10, 80), (11, 90)] {
            let header = Header { node, ..header(instance, 0, 0) };
            members.handle_beat(&header, Beat { clients: 0, all_end: 0 }, at(0));
        }
        assert_eq!(members.numbers(90), HashSet::from([70]));
        assert_eq!(members.numbers(60), HashSet::from([70, 90]));
        assert_eq!((members.instance_of(70), members.instance_of(80)), (Some(2), None));
        assert!(members.must_yield(70), "2 is lower than 5");
        assert!(!members.must_yield(90), "11 has to");
    }
}
