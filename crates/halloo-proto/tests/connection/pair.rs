//! A client and a server that are connected by a wire, which loses nothing and delays everything.

use std::collections::VecDeque;
use std::time::Duration;

use halloo_proto::Time;
use halloo_proto::frame::Role;

use super::endpoint::{Endpoint, HEARTBEAT, Packet};

/// Bytes that the sockets of a slow link hold: as many as a kernel, of which the sender learns nothing.
const SOCKET_BUFFER: usize = 64 * 1024;
/// Bytes that a slow link carries at a time.
const SEGMENT: usize = 1024;

pub(crate) const START: Time = Time::from_micros(1_000_000_000);

/// Maximum duration of a simulation.
const MAX_RUN: Duration = Duration::from_secs(24 * 3600);

#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) now: Time,
    pub(crate) client: Endpoint,
    pub(crate) server: Endpoint,
    pub(crate) delay: Duration,
    to_client: VecDeque<(Time, Packet)>,
    to_server: VecDeque<(Time, Packet)>,
    /// The wire is cut: nothing sent from now on arrives.
    pub(crate) is_cut: bool,
    /// Bytes per second in each direction.
    rate: Option<usize>,
}

impl Default for Pair {
    fn default() -> Pair {
        Pair::new(HEARTBEAT)
    }
}

impl Pair {
    pub(crate) fn new(heartbeat: Duration) -> Pair {
        Pair {
            now: START,
            client: Endpoint::new(Role::Client, heartbeat, START),
            server: Endpoint::new(Role::Server, heartbeat, START),
            delay: Duration::from_millis(10),
            to_client: VecDeque::new(),
            to_server: VecDeque::new(),
            is_cut: false,
            rate: None,
        }
    }

    /// Returns a pair whose link carries `rate` bytes per second in each direction.
    pub(crate) fn slow(rate: usize) -> Pair {
        let mut pair = Pair { rate: Some(rate), ..Pair::default() };
        (pair.client.has_slow_link, pair.server.has_slow_link) = (true, true);
        pair
    }

    /// Loses what a slow link has not carried yet.
    pub(crate) fn stop_carrying(&mut self) {
        (self.rate, self.is_cut) = (None, true);
        self.to_client.clear();
        self.to_server.clear();
    }

    /// Returns the endpoint of `role`, and the other one.
    pub(crate) fn ends(&mut self, role: Role) -> (&mut Endpoint, &mut Endpoint) {
        match role {
            Role::Client => (&mut self.client, &mut self.server),
            Role::Server => (&mut self.server, &mut self.client),
        }
    }

    /// Runs for `span`.
    pub(crate) fn run(&mut self, span: Duration) {
        let end = self.now + span;
        while self.step(end) {}
        self.set_clock(end);
    }

    /// Runs until `done`, and returns the time that took; `None` if it never is.
    pub(crate) fn run_until(&mut self, done: impl Fn(&Pair) -> bool) -> Option<Duration> {
        let start = self.now;
        while !done(self) {
            if !self.step(start + MAX_RUN) {
                return None;
            }
        }
        Some(self.now - start)
    }

    /// Handles the next arrival or deadline until `end`. Returns whether there was one.
    fn step(&mut self, end: Time) -> bool {
        self.transmit();
        let arrival = |endpoint: &Endpoint, wire: &VecDeque<(Time, Packet)>| {
            // A driver that pauses reads nothing.
            wire.front().filter(|_| !endpoint.pauses.is_paused()).map(|(at, _)| *at)
        };
        let arrivals = [arrival(&self.client, &self.to_client), arrival(&self.server, &self.to_server)];
        let deadlines = [self.client.poll_timeout(), self.server.poll_timeout()].map(Some);
        let Some(next) = arrivals.into_iter().chain(deadlines).flatten().min().filter(|&next| next <= end) else {
            return false;
        };
        self.set_clock(next.max(self.now));
        for (endpoint, wire) in [(&mut self.client, &mut self.to_client), (&mut self.server, &mut self.to_server)] {
            while !endpoint.pauses.is_paused() && wire.front().is_some_and(|(at, _)| *at <= self.now) {
                endpoint.receive(&wire.pop_front().unwrap().1);
            }
            endpoint.handle_timeout(self.now);
        }
        true
    }

    fn set_clock(&mut self, now: Time) {
        self.now = now;
        for endpoint in [&mut self.client, &mut self.server] {
            if !endpoint.is_stopped {
                endpoint.pauses.handle_turn(now, None, endpoint.config.heartbeat);
            }
        }
    }

    fn transmit(&mut self) {
        if let Some(rate) = self.rate {
            carry(&mut self.client, &mut self.to_server, rate, self.now + self.delay);
            carry(&mut self.server, &mut self.to_client, rate, self.now + self.delay);
            return;
        }
        let arrival = self.now + self.delay;
        for (endpoint, wire) in [(&mut self.client, &mut self.to_server), (&mut self.server, &mut self.to_client)] {
            let packets = endpoint.sent.drain(..).map(|packet| (arrival, packet));
            if !self.is_cut {
                wire.extend(packets);
            }
        }
    }
}

/// Moves what `endpoint` sends to a slow `wire`, as far as the sockets hold it.
fn carry(endpoint: &mut Endpoint, wire: &mut VecDeque<(Time, Packet)>, rate: usize, earliest: Time) {
    let size = |packet: &Packet| if let Packet::Bytes(bytes) = packet { bytes.len() } else { 0 };
    let mut room = SOCKET_BUFFER.saturating_sub(wire.iter().map(|(_, packet)| size(packet)).sum());
    let was_blocked = endpoint.blocked_since.is_some();
    let mut written = 0;
    while room > 0 && !endpoint.sent.is_empty() {
        let packet = match &mut endpoint.sent[0] {
            Packet::Bytes(bytes) if bytes.len() > SEGMENT => Packet::Bytes(bytes.drain(..SEGMENT).collect()),
            _ => endpoint.sent.remove(0),
        };
        let length = size(&packet);
        let start = wire.back().map_or(earliest, |(at, _)| earliest.max(*at));
        wire.push_back((start + Duration::from_secs(length as u64) / rate as u32, packet));
        (room, written) = (room.saturating_sub(length), written + length);
    }
    let now = endpoint.pauses.now();
    if was_blocked && written > 0 {
        endpoint.connection.handle_drained(written, now);
    } else {
        endpoint.connection.handle_written(written, now);
    }
    endpoint.blocked_since = match endpoint.blocked_since.filter(|_| written == 0) {
        _ if endpoint.sent.is_empty() => None,
        Some(since) => Some(since),
        None => Some(now),
    };
    if was_blocked && endpoint.blocked_since.is_none() {
        endpoint.shut_down_if_drained();
    }
}

/// Both roles, for tests that apply to either side.
pub(crate) const ROLES: [Role; 2] = [Role::Client, Role::Server];
