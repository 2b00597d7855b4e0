//! A client and a server that are connected by a wire, which loses nothing and delays everything.

use std::collections::VecDeque;
use std::time::Duration;

use halloo_proto::Time;
use halloo_proto::frame::Role;

use super::endpoint::{Endpoint, HEARTBEAT, Packet};

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
        }
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
        let arrival = self.now + self.delay;
        for (endpoint, wire) in [(&mut self.client, &mut self.to_server), (&mut self.server, &mut self.to_client)] {
            let packets = endpoint.sent.drain(..).map(|packet| (arrival, packet));
            if !self.is_cut {
                wire.extend(packets);
            }
        }
    }
}

/// Both roles, for tests that apply to either side.
pub(crate) const ROLES: [Role; 2] = [Role::Client, Role::Server];
