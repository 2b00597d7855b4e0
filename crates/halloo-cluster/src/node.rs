//! This node: what it knows of itself and the others, across the connections to brokers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use halloo::{ClusterState, ClusterStatus, Event, Link};
use halloo_proto::Time;

use crate::ClusterConfig;
use crate::beat::Beat;
use crate::fault::Fault;
use crate::header::{Header, Kind, MAX_NODE};
use crate::members::{Beaten, Members};
use crate::sequences::Sequences;
use crate::subjects::Subjects;

/// Time between two events about lost messages.
const DROPPED_INTERVAL: Duration = Duration::from_secs(1);

/// Maximum number of reasons that are reported until messages are relayed again.
const MAX_TOLD: usize = 32;

/// What a node counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    pub(crate) sent: u64,
    pub(crate) received: u64,
    pub(crate) dropped_out: u64,
    pub(crate) dropped_in: u64,
    pub(crate) too_large: u64,
}

/// The state of a node.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) config: ClusterConfig,
    pub(crate) link: Link,
    pub(crate) subjects: Subjects,
    pub(crate) instance: u64,
    pub(crate) number: u32,
    pub(crate) sequences: Sequences,
    pub(crate) members: Members,
    pub(crate) counters: Counters,
    /// The number of its clients, and the rooms that have some.
    pub(crate) clients: usize,
    pub(crate) rooms: HashMap<Arc<str>, usize>,
    pub(crate) broker: String,
    pub(crate) version: String,
    pub(crate) rtt: Option<Duration>,
    epoch: Instant,
    state: ClusterState,
    reason: Option<String>,
    /// The reasons that were reported since messages were relayed.
    told: Vec<String>,
    since: Instant,
    joins: u64,
    /// What was reported last.
    reported: (u64, u64, u64, u64),
    reported_at: Option<Instant>,
    /// Another version of the protocol that was reported.
    other_version: Option<u8>,
}

impl Node {
    pub(crate) fn new(config: ClusterConfig, link: Link, instance: u64, number: u32) -> Node {
        let subjects = Subjects::new(&config.name);
        let subjects_all = subjects.all();
        let members = Members::new(instance, subjects.all());
        let now = Instant::now();
        Node {
            config,
            link,
            subjects,
            instance,
            number,
            sequences: Sequences::new(subjects_all),
            members,
            counters: Counters::default(),
            clients: 0,
            rooms: HashMap::new(),
            broker: String::new(),
            version: String::new(),
            rtt: None,
            epoch: now,
            state: ClusterState::Connecting,
            reason: None,
            told: Vec::new(),
            since: now,
            joins: 0,
            reported: (0, 0, 0, 0),
            reported_at: None,
            other_version: None,
        }
    }

    pub(crate) fn now(&self) -> Time {
        Time::ZERO + self.epoch.elapsed()
    }

    /// Takes the number of clients of the server, and the members of its rooms.
    pub(crate) fn set_counts(&mut self, clients: usize, rooms: &[(Arc<str>, usize)]) {
        self.clients = clients;
        for (room, members) in rooms {
            match members {
                0 => self.rooms.remove(room),
                _ => self.rooms.insert(Arc::clone(room), *members),
            };
        }
    }

    /// Takes another number, since the present one is another node's. `random` is the source.
    pub(crate) fn set_number(&mut self, random: u64) {
        self.number = number(random);
        self.link.set_node(self.number);
        self.link.set_others(self.members.numbers(self.number));
    }

    /// Returns what this node says about itself.
    pub(crate) fn announcement(&self, kind: Kind) -> Vec<u8> {
        let (node, instance) = (self.number, self.instance);
        let mut bytes = Vec::with_capacity(Header::LENGTH + 8);
        Header { kind, first: false, count: 0, node, instance, order: 0, sequence: 0 }.encode(&mut bytes);
        let clients = u32::try_from(self.clients).unwrap_or(u32::MAX);
        Beat { clients, all_end: self.sequences.all_end() }.encode(&mut bytes);
        bytes
    }

    /// Begins to relay messages.
    pub(crate) fn join(&mut self) {
        self.joins += 1;
        self.link.set_node(self.number);
        self.link.set_relaying(true);
        self.members.handle_reconnect(self.now());
        self.told.clear();
        self.set_state(ClusterState::Joined, None, false);
    }

    /// Ends relaying for this reason.
    pub(crate) fn degrade(&mut self, fault: &Fault) {
        self.link.set_relaying(false);
        self.rtt = None;
        let reason = fault.to_string();
        // Once each, although several brokers are tried in turn.
        let is_new = !self.told.contains(&reason) && self.told.len() < MAX_TOLD;
        if is_new {
            tracing::warn!("the cluster is not reached, so only this server's own clients are served: {reason}");
            self.told.push(reason.clone());
        }
        self.set_state(ClusterState::Degraded, Some(reason), is_new);
    }

    fn set_state(&mut self, state: ClusterState, reason: Option<String>, is_new: bool) {
        let changed = self.state != state || is_new;
        if self.state != state {
            self.since = Instant::now();
        }
        (self.state, self.reason) = (state, reason);
        self.publish_status();
        if changed {
            self.emit_changed();
        }
    }

    fn emit_changed(&self) {
        let clients = self.members.clients() + self.clients as u64;
        let (nodes, complete) = (self.members.nodes(), self.is_complete());
        self.link.emit(Event::ClusterChanged {
            state: self.state,
            nodes,
            clients,
            complete,
            reason: self.reason.clone(),
        });
    }

    fn is_complete(&self) -> bool {
        self.state == ClusterState::Joined && self.members.nodes() >= self.config.size
    }

    /// Handles what another node says about itself. Returns whether it is new, and has to be told about this one.
    pub(crate) fn handle_beat(&mut self, header: &Header, beat: Beat) -> bool {
        match self.members.handle_beat(header, beat, self.now()) {
            Beaten::Joined => {
                tracing::info!("node {} joined the cluster; {} nodes", header.node, self.members.nodes());
                self.link.emit(Event::NodeJoined { node: header.node });
                self.handle_members();
                true
            }
            Beaten::Changed => {
                self.link.set_others(self.members.numbers(self.number));
                self.publish_status();
                false
            }
            Beaten::Own | Beaten::Unchanged | Beaten::Full => false,
        }
    }

    /// Handles that another node stops.
    pub(crate) fn handle_bye(&mut self, header: &Header) {
        if let Some(node) = self.members.handle_bye(header) {
            self.handle_gone(&[node]);
        }
    }

    /// Handles the time: nodes that are gone, and what is lost.
    pub(crate) fn handle_timeout(&mut self) {
        let gone = self.members.handle_timeout(self.now());
        self.handle_gone(&gone);
        self.report_dropped();
        self.publish_status();
    }

    fn handle_gone(&mut self, gone: &[u32]) {
        for &node in gone {
            tracing::info!("node {node} left the cluster; {} nodes", self.members.nodes());
            self.link.emit(Event::NodeLeft { node });
        }
        if !gone.is_empty() {
            self.handle_members();
        }
    }

    fn handle_members(&self) {
        self.link.set_others(self.members.numbers(self.number));
        self.publish_status();
        self.emit_changed();
    }

    /// Forgets the others, when none can be heard for so long that they would be gone.
    pub(crate) fn handle_isolation(&mut self) {
        let gone = self.members.handle_isolation();
        self.handle_gone(&gone);
    }

    /// Handles a message of a node with another version of the protocol.
    pub(crate) fn handle_version(&mut self, version: u8) {
        self.counters.dropped_in += 1;
        if self.other_version.replace(version) != Some(version) {
            tracing::warn!(
                "a node of this cluster speaks version {version} of the protocol between nodes, and this one {}; its \
                 messages are ignored: use the same version of halloo on all nodes",
                crate::header::VERSION
            );
        }
    }

    fn report_dropped(&mut self) {
        let dropped_out = self.dropped_out();
        let now = (dropped_out, self.counters.dropped_in, self.members.lost(), self.counters.too_large);
        let is_due = self.reported_at.is_none_or(|then| then.elapsed() >= DROPPED_INTERVAL);
        if now != self.reported && is_due {
            let before = std::mem::replace(&mut self.reported, now);
            self.reported_at = Some(Instant::now());
            self.link.emit(Event::ClusterDropped {
                outgoing: now.0 - before.0,
                incoming: now.1 - before.1,
                lost: now.2 - before.2,
                too_large: now.3 - before.3,
            });
        }
    }

    fn dropped_out(&self) -> u64 {
        self.link.dropped() + self.counters.dropped_out
    }

    /// Makes the state visible in the status of the server.
    pub(crate) fn publish_status(&self) {
        let mut status = ClusterStatus::default();
        status.state = self.state;
        status.reason = self.reason.clone();
        status.since_seconds = self.since.elapsed().as_secs();
        status.name = self.config.name.clone();
        status.broker = self.broker.clone();
        status.version = self.version.clone();
        status.rtt_ms = self.rtt.map(|rtt| (rtt.as_secs_f64() * 100_000.0).round() / 100.0);
        status.node = self.number;
        status.nodes = self.members.nodes();
        status.clients = self.members.clients() + self.clients as u64;
        status.complete = self.is_complete();
        status.sent = self.counters.sent;
        status.received = self.counters.received;
        status.dropped_out = self.dropped_out();
        status.dropped_in = self.counters.dropped_in;
        status.lost = self.members.lost();
        status.too_large = self.counters.too_large;
        status.reconnects = self.joins.saturating_sub(1);
        self.link.set_status(status);
    }
}

/// Returns the number of a node, 1 to 2^20 - 1, from a random number.
pub(crate) fn number(random: u64) -> u32 {
    (random % u64::from(MAX_NODE)) as u32 + 1
}
