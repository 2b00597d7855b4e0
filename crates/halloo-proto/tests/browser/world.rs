//! A simulated network: a browser, servers that behave like real ones, lost datagrams, and a virtual clock.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use halloo_proto::Time;
use halloo_proto::announcement::{Beacon, PROBE_SIZE, Reply, goodbye};
use halloo_proto::announcer::Announcer;
use halloo_proto::browser::{Browser, Change, CheckResult, Probe};
use halloo_proto::meta::Meta;
use halloo_proto::responder::Responder;

pub(crate) const NONCE: &str = "nonce";
/// The latency between two machines.
const LATENCY: Duration = Duration::from_micros(500);
/// How long the driver waits for a response over TCP.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);
const BROWSER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 250);

/// A server with an address of its own.
pub(crate) struct Server {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) addresses: Vec<Ipv4Addr>,
    pub(crate) port: u16,
    pub(crate) clients: usize,
    pub(crate) app: Option<String>,
    pub(crate) meta: Meta,
    /// The process is gone, but its machine is there.
    pub(crate) killed: bool,
    /// The machine is gone.
    pub(crate) unplugged: bool,
    /// It behaves like the reference script: beacons with four keys, no replies.
    pub(crate) old: bool,
    /// Its firewall blocks incoming datagrams.
    pub(crate) ignores_probes: bool,
    pub(crate) tls: bool,
    /// Addresses that its replies list instead of its own.
    pub(crate) listed: Option<Vec<Ipv4Addr>>,
    announcer: Announcer,
    responder: Responder,
}

impl Server {
    pub(crate) fn new(id: &str, last: u8, busy: bool) -> Server {
        let mut announcer = Announcer::new(true, Duration::from_secs(2), u64::from(last) + 7);
        announcer.handle_clients(usize::from(busy), Time::ZERO);
        Server {
            id: id.into(),
            name: format!("name of {id}"),
            addresses: vec![[10, 0, 0, last].into()],
            port: 8765,
            clients: usize::from(busy),
            app: None,
            meta: Meta::default(),
            killed: false,
            unplugged: false,
            old: false,
            ignores_probes: false,
            tls: false,
            listed: None,
            announcer,
            responder: Responder::default(),
        }
    }

    fn is_running(&self) -> bool {
        !self.killed && !self.unplugged
    }

    fn reply(&self, ip: Ipv4Addr, nonce: Option<&str>) -> Vec<u8> {
        let reply = Reply {
            nonce,
            id: &self.id,
            name: self.name.clone(),
            ip: ip.into(),
            port: self.port,
            addresses: self.listed.as_ref().unwrap_or(&self.addresses).iter().map(|ip| IpAddr::V4(*ip)).collect(),
            tls: self.tls,
            clients: self.clients,
            app: self.app.clone(),
            meta: self.meta.clone(),
            // A new one in each reply, which is no change of the server.
            challenge: nonce.map(str::to_owned),
            ..Reply::default()
        };
        match nonce {
            Some(_) => reply.encode(PROBE_SIZE).unwrap(),
            // Over TCP there is no limit.
            None => serde_json::to_vec(&reply).unwrap(),
        }
    }
}

enum Delivery {
    Datagram(Vec<u8>, SocketAddr),
    ProbeTo(usize, Ipv4Addr, String),
    CheckResult(SocketAddr, Tcp),
}

enum Tcp {
    Body(Vec<u8>),
    Unexpected,
    Refused,
    NoResponse,
}

pub(crate) struct World {
    pub(crate) browser: Browser,
    pub(crate) servers: Vec<Server>,
    pub(crate) now: Time,
    /// The percentage of datagrams that are lost.
    pub(crate) loss: u64,
    pub(crate) changes: Vec<(Time, Change)>,
    /// When broadcast probes were sent.
    pub(crate) probes: Vec<Time>,
    /// Where probes to one address were sent.
    pub(crate) unicast: Vec<(Time, SocketAddr)>,
    /// Datagrams that the browser received.
    pub(crate) received: usize,
    /// Addresses checked over TCP.
    pub(crate) checks: Vec<(Time, SocketAddr)>,
    deliveries: BTreeMap<(Time, u64), Delivery>,
    sent: u64,
    random: u64,
}

impl World {
    pub(crate) fn new(seed: u64, servers: Vec<Server>) -> World {
        World {
            browser: Browser::new(NONCE, 8766, None, seed.into()),
            servers,
            now: Time::ZERO,
            loss: 0,
            changes: Vec::new(),
            probes: Vec::new(),
            unicast: Vec::new(),
            received: 0,
            checks: Vec::new(),
            deliveries: BTreeMap::new(),
            sent: 0,
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
        }
    }

    /// Lets time pass; each side wakes up exactly when it asked to.
    pub(crate) fn run(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            self.run_browser();
            self.run_servers();
            let beacons = self.servers.iter().filter(|server| server.is_running());
            let beacon = beacons.filter_map(|server| server.announcer.poll_timeout()).min().unwrap_or(Time::NEVER);
            let delivery = self.deliveries.keys().next().map_or(Time::NEVER, |&(at, _)| at);
            let next = beacon.min(delivery).min(self.browser.poll_timeout());
            if next > end {
                self.now = end;
                return;
            }
            // Without progress, the real driver would be in a busy loop.
            assert!(next > self.now || delivery <= self.now || beacon <= self.now, "the browser spins at {next:?}");
            self.now = self.now.max(next);
            while let Some(entry) = self.deliveries.first_entry().filter(|entry| entry.key().0 <= self.now) {
                let delivery = entry.remove();
                self.deliver(delivery);
            }
            self.browser.handle_timeout(self.now);
        }
    }

    /// Delivers a datagram to the browser now.
    pub(crate) fn receive(&mut self, datagram: &str, from: [u8; 4]) {
        self.received += 1;
        self.browser.handle_datagram(datagram.as_bytes(), (from, 40000).into(), self.now);
        self.collect_changes();
    }

    /// Stops a server cleanly: three goodbyes through one of its interfaces.
    pub(crate) fn stop(&mut self, index: usize) {
        self.servers[index].killed = true;
        let from = *self.servers[index].addresses.last().unwrap();
        let datagram = goodbye(&self.servers[index].id);
        for _ in 0..3 {
            self.send(Delivery::Datagram(datagram.clone(), (from, 40000).into()), LATENCY);
        }
    }

    /// Takes the changes so far, such as `found a`.
    pub(crate) fn take_changes(&mut self) -> Vec<String> {
        let changes = self.changes.drain(..).map(|(_, change)| match change {
            Change::Found(server) => format!("found {}", server.id),
            Change::Updated(server) => format!("updated {}", server.id),
            Change::Lost(server) => format!("lost {}", server.id),
        });
        changes.collect()
    }

    pub(crate) fn known(&self) -> Vec<&str> {
        self.browser.servers().map(|server| server.id.as_str()).collect()
    }

    fn run_browser(&mut self) {
        while let Some(to) = self.browser.poll_probe(self.now) {
            let to_all = matches!(to, Probe::All | Probe::AllPorts);
            let nonce = if let Probe::One(_, nonce) = to { nonce.to_string() } else { NONCE.to_owned() };
            if to_all {
                self.probes.push(self.now);
            }
            if let Probe::One(addr, _) = to {
                self.unicast.push((self.now, addr));
            }
            for index in 0..self.servers.len() {
                for ip in self.servers[index].addresses.clone() {
                    if to_all || matches!(to, Probe::One(addr, _) if addr.ip() == IpAddr::V4(ip)) {
                        self.send(Delivery::ProbeTo(index, ip, nonce.clone()), LATENCY);
                    }
                }
            }
        }
        while let Some(addr) = self.browser.poll_check(self.now) {
            self.checks.push((self.now, addr));
            // TCP retransmits after a second, so two attempts fit into the timeout.
            let arrives = (0..2).any(|_| !self.is_lost() && !self.is_lost());
            let outcome = if arrives { self.check(addr) } else { Tcp::NoResponse };
            let after = if matches!(outcome, Tcp::NoResponse) { CHECK_TIMEOUT } else { 2 * LATENCY };
            self.send_reliably(Delivery::CheckResult(addr, outcome), after);
        }
        self.collect_changes();
    }

    /// Returns the result of a check that reaches the address.
    fn check(&self, addr: SocketAddr) -> Tcp {
        let of_host = |server: &&Server| server.addresses.iter().any(|ip| IpAddr::V4(*ip) == addr.ip());
        let listens = |server: &&Server| server.is_running() && server.port == addr.port();
        match self.servers.iter().filter(of_host).find(listens) {
            Some(server) if server.old => Tcp::Unexpected,
            Some(server) => Tcp::Body(server.reply(server.addresses[0], None)),
            None if self.servers.iter().filter(of_host).any(|server| !server.unplugged) => Tcp::Refused,
            None => Tcp::NoResponse,
        }
    }

    fn run_servers(&mut self) {
        for index in 0..self.servers.len() {
            let (now, server) = (self.now, &mut self.servers[index]);
            if server.is_running() && server.announcer.poll_beacon(now) {
                let (old, addresses) = (server.old, server.addresses.clone());
                for ip in addresses {
                    let server = &self.servers[index];
                    let (port, id, name, app) = (server.port, &server.id, &server.name, server.app.as_deref());
                    let beacon = Beacon { ip: ip.into(), port, timestamp: 1, id, name, app, listen_port: None };
                    self.send(Delivery::Datagram(beacon.encode(old), (ip, 40000).into()), LATENCY);
                }
            }
        }
    }

    fn deliver(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::Datagram(bytes, from) => {
                self.received += 1;
                self.browser.handle_datagram(&bytes, from, self.now);
            }
            Delivery::CheckResult(addr, outcome) => {
                let result = match &outcome {
                    Tcp::Body(body) => CheckResult::Body(body),
                    Tcp::Unexpected => CheckResult::Unexpected,
                    Tcp::Refused => CheckResult::Refused,
                    Tcp::NoResponse => CheckResult::NoResponse,
                };
                self.browser.handle_check_result(addr, result, self.now);
            }
            Delivery::ProbeTo(index, ip, nonce) => self.reply(index, ip, &nonce),
        }
        self.collect_changes();
    }

    fn reply(&mut self, index: usize, ip: Ipv4Addr, nonce: &str) {
        let (now, server) = (self.now, &mut self.servers[index]);
        if server.old || server.ignores_probes || !server.is_running() {
            return;
        }
        if server.responder.allows(BROWSER.into(), now) {
            server.responder.handle_reply(BROWSER.into(), now);
            let reply = server.reply(ip, Some(nonce));
            self.send(Delivery::Datagram(reply, (ip, 8766).into()), LATENCY);
        }
    }

    fn send(&mut self, delivery: Delivery, after: Duration) {
        if !self.is_lost() {
            self.send_reliably(delivery, after);
        }
    }

    fn send_reliably(&mut self, delivery: Delivery, after: Duration) {
        self.sent += 1;
        self.deliveries.insert((self.now + after, self.sent), delivery);
    }

    fn is_lost(&mut self) -> bool {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 32) % 100 < self.loss
    }

    fn collect_changes(&mut self) {
        while let Some(change) = self.browser.poll_change() {
            self.changes.push((self.now, change));
        }
    }
}
