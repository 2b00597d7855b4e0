//! What a browser reports while datagrams arrive and servers appear, move and vanish, on a virtual clock.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use halloo_proto::Time;
use halloo_proto::browser::{Browser, Change, CheckResult, Probe};
use serde_json::{Value, json};

use crate::case_file::{Case, check, number_of, text_of};
use crate::discovery::to_json;

const NONCE: &str = "b64e21";
/// The time to the answer of a server, to a datagram as well as by TCP.
const LATENCY: Duration = Duration::from_millis(1);
/// How long a client waits for a response by TCP.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);
/// The number of runs. Those of one case differ in their random numbers, and so in the times of their probes.
const RUNS: u128 = 40;

#[test]
fn claims_change_nothing_that_was_proven() {
    check("claims.json", run_all);
}

#[test]
fn servers_are_lost_when_they_are_gone() {
    check("expiry.json", run_all);
}

/// What answers at an address.
#[derive(Clone, Debug)]
enum Peer {
    /// A server with this reply. It may be out of reach of broadcasts, or of all datagrams.
    Server { reply: Value, hears_broadcast: bool, hears_probes: bool },
    /// A program that accepts connections, and knows nothing of `/discovery.json`.
    Other,
    /// The machine is there, and nothing listens.
    Refusal,
}

/// What happens at some time.
#[derive(Debug)]
enum Delivery {
    Datagram(Vec<u8>, SocketAddr),
    Peer(SocketAddr, Option<Peer>),
    Checked(SocketAddr, Option<Peer>),
}

struct Network {
    browser: Browser,
    now: Time,
    peers: BTreeMap<SocketAddr, Peer>,
    deliveries: BTreeMap<(Time, usize), Delivery>,
    count: usize,
    /// The times in milliseconds, and what happened to which server.
    events: Vec<(u64, &'static str, String)>,
}

fn run_all(case: &Case) -> Value {
    let runs: Vec<Network> = (1..=RUNS).map(|secret| run(case, secret)).collect();
    let first = &runs[0];
    let events = first.events.iter().enumerate().map(|(number, (_, kind, id))| {
        let same = |run: &Network| run.events.get(number).is_some_and(|event| (event.1, &event.2) == (*kind, id));
        assert!(runs.iter().all(same), "{}: the order depends on chance", text_of(case, "name"));
        let times = || runs.iter().map(|run| run.events[number].0);
        json!({ "between_ms": [times().min().unwrap(), times().max().unwrap()], *kind: id })
    });
    assert!(runs.iter().all(|run| run.events.len() == first.events.len()));
    let servers: Vec<Value> = first.browser.servers().map(to_json).collect();
    json!({ "events": events.collect::<Vec<_>>(), "servers": servers })
}

fn run(case: &Case, secret: u128) -> Network {
    let mut network = Network {
        browser: Browser::new(NONCE, 8766, None, secret),
        now: Time::ZERO,
        peers: BTreeMap::new(),
        deliveries: BTreeMap::new(),
        count: 0,
        events: Vec::new(),
    };
    for step in case["steps"].as_array().unwrap() {
        let step = step.as_object().unwrap();
        let at = Time::ZERO + Duration::from_millis(number_of(step, "at_ms"));
        network.schedule(at, read_step(step));
    }
    network.run_until(Time::ZERO + Duration::from_millis(number_of(case, "until_ms")));
    network
}

fn read_step(step: &Case) -> Delivery {
    if let Some(datagram) = step.get("datagram") {
        let text = datagram.as_str().unwrap().replace("NONCE", NONCE);
        return Delivery::Datagram(text.into_bytes(), text_of(step, "from").parse().unwrap());
    }
    let addr = text_of(step, "address").parse().unwrap();
    let peer = match text_of(step, "is") {
        "server" => {
            let hears = |kind| step.get(kind) != Some(&json!(false));
            let (hears_broadcast, hears_probes) = (hears("broadcast"), hears("udp"));
            Some(Peer::Server { reply: step["reply"].clone(), hears_broadcast, hears_probes })
        }
        "other" => Some(Peer::Other),
        "refusal" => Some(Peer::Refusal),
        "nothing" => None,
        other => panic!("unknown: {other}"),
    };
    Delivery::Peer(addr, peer)
}

impl Network {
    fn run_until(&mut self, end: Time) {
        loop {
            while let Some(entry) = self.deliveries.first_entry().filter(|entry| entry.key().0 <= self.now) {
                let delivery = entry.remove();
                self.deliver(delivery);
            }
            self.browser.handle_timeout(self.now);
            self.poll();
            let delivery = self.deliveries.keys().next().map_or(Time::NEVER, |&(at, _)| at);
            let next = delivery.min(self.browser.poll_timeout());
            if next > end {
                return;
            }
            self.now = self.now.max(next);
        }
    }

    fn schedule(&mut self, at: Time, delivery: Delivery) {
        self.count += 1;
        self.deliveries.insert((at, self.count), delivery);
    }

    fn deliver(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::Datagram(bytes, from) => self.browser.handle_datagram(&bytes, from, self.now),
            Delivery::Peer(addr, Some(peer)) => drop(self.peers.insert(addr, peer)),
            Delivery::Peer(addr, None) => drop(self.peers.remove(&addr)),
            Delivery::Checked(addr, peer) => {
                let body = if let Some(Peer::Server { reply, .. }) = &peer { reply.to_string() } else { String::new() };
                let result = match peer {
                    Some(Peer::Server { .. }) => CheckResult::Body(body.as_bytes()),
                    Some(Peer::Other) => CheckResult::Unexpected,
                    Some(Peer::Refusal) => CheckResult::Refused,
                    None => CheckResult::NoResponse,
                };
                self.browser.handle_check_result(addr, result, self.now);
            }
        }
        self.collect();
    }

    /// Sends what the browser sends, and collects what it reports.
    fn poll(&mut self) {
        while let Some(probe) = self.browser.poll_probe(self.now) {
            let (to, nonce) = match probe {
                Probe::One(to, nonce) => (Some(to.ip()), nonce.to_string()),
                Probe::All | Probe::AllPorts => (None, NONCE.to_owned()),
            };
            self.answer(to, &nonce);
        }
        while let Some(addr) = self.browser.poll_check(self.now) {
            let peer = self.peers.get(&addr).cloned();
            let after = if peer.is_some() { LATENCY } else { CHECK_TIMEOUT };
            self.schedule(self.now + after, Delivery::Checked(addr, peer));
        }
        self.collect();
    }

    /// Lets the servers at `to`, or all, reply to a probe.
    fn answer(&mut self, to: Option<IpAddr>, nonce: &str) {
        let mut replies = Vec::new();
        for (addr, peer) in &self.peers {
            let Peer::Server { reply, hears_broadcast, hears_probes } = peer else { continue };
            let hears = *hears_probes && to.map_or(*hears_broadcast, |to| to == addr.ip());
            if hears {
                let mut reply = reply.clone();
                reply["nonce"] = nonce.into();
                replies.push((reply.to_string().into_bytes(), SocketAddr::new(addr.ip(), 8766)));
            }
        }
        for (reply, from) in replies {
            self.schedule(self.now + LATENCY, Delivery::Datagram(reply, from));
        }
    }

    fn collect(&mut self) {
        while let Some(change) = self.browser.poll_change() {
            let kind = match change {
                Change::Found(_) => "found",
                Change::Updated(_) => "updated",
                Change::Lost(_) => "lost",
            };
            self.events.push((self.now.as_micros() / 1000, kind, change.server().id.clone()));
        }
    }
}
