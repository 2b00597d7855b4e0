//! A simulated network: a browser, servers that behave as the real ones, datagrams that get lost, and its own time.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use halloo_proto::Time;
use halloo_proto::announcement::{Beacon, Reply, goodbye};
use halloo_proto::announcer::Announcer;
use halloo_proto::browser::{Answer, Browser, Change, Probe};
use halloo_proto::responder::Responder;

pub(crate) const NONCE: &str = "nonce";
/// From one machine to another.
const TRAVEL: Duration = Duration::from_micros(500);
/// How long the driver waits for an answer over TCP.
const PATIENCE: Duration = Duration::from_secs(2);
const ASKER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 250);

/// A server of this version on an address of its own.
pub(crate) struct Server {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) addresses: Vec<Ipv4Addr>,
    pub(crate) port: u16,
    pub(crate) clients: usize,
    /// It does not exist any more, though its machine does.
    pub(crate) killed: bool,
    /// Its machine is gone, too.
    pub(crate) unplugged: bool,
    /// As the script: four keys, no answers.
    pub(crate) old: bool,
    /// Its firewall lets no datagram in.
    pub(crate) deaf: bool,
    announcer: Announcer,
    responder: Responder,
    asked: Vec<Time>,
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
            killed: false,
            unplugged: false,
            old: false,
            deaf: false,
            announcer,
            responder: Responder::default(),
            asked: Vec::new(),
        }
    }

    fn is_there(&self) -> bool {
        !self.killed && !self.unplugged
    }

    fn reply(&self, ip: Ipv4Addr, nonce: Option<&str>) -> Vec<u8> {
        let reply = Reply {
            service: "websocket_server_reply",
            v: 2,
            nonce,
            id: &self.id,
            name: self.name.clone(),
            ip,
            port: self.port,
            addresses: self.addresses.clone(),
            clients: self.clients,
            auth: false,
            tls: false,
        };
        reply.encode(512).unwrap()
    }
}

enum Delivery {
    Datagram(Vec<u8>, SocketAddr),
    ProbeTo(usize, Ipv4Addr),
    Checked(SocketAddr, Tcp),
}

enum Tcp {
    Body(Vec<u8>),
    Odd,
    Refused,
    Silence,
}

pub(crate) struct World {
    pub(crate) browser: Browser,
    pub(crate) servers: Vec<Server>,
    pub(crate) now: Time,
    /// Of 100 datagrams, this many are lost.
    pub(crate) loss: u64,
    pub(crate) changes: Vec<(Time, Change)>,
    /// When probes were sent to everybody.
    pub(crate) probes: Vec<Time>,
    /// Addresses asked over TCP.
    pub(crate) checks: Vec<(Time, SocketAddr)>,
    deliveries: BTreeMap<(Time, u64), Delivery>,
    sent: u64,
    random: u64,
}

impl World {
    pub(crate) fn new(seed: u64, servers: Vec<Server>) -> World {
        World {
            browser: Browser::new(NONCE, 8766, None, seed),
            servers,
            now: Time::ZERO,
            loss: 0,
            changes: Vec::new(),
            probes: Vec::new(),
            checks: Vec::new(),
            deliveries: BTreeMap::new(),
            sent: 0,
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
        }
    }

    /// Lets time pass, each side waking exactly when it asked to.
    pub(crate) fn run(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            self.let_browser_act();
            self.let_servers_act();
            let beacons = self.servers.iter().filter(|server| server.is_there());
            let beacon = beacons.filter_map(|server| server.announcer.poll_timeout()).min().unwrap_or(Time::NEVER);
            let delivery = self.deliveries.keys().next().map_or(Time::NEVER, |&(at, _)| at);
            let next = beacon.min(delivery).min(self.browser.poll_timeout());
            if next > end {
                self.now = end;
                return;
            }
            // To stand still would be a busy loop of the real driver.
            assert!(next > self.now || delivery <= self.now || beacon <= self.now, "the browser spins at {next:?}");
            self.now = self.now.max(next);
            while let Some(entry) = self.deliveries.first_entry().filter(|entry| entry.key().0 <= self.now) {
                let delivery = entry.remove();
                self.deliver(delivery);
            }
            self.browser.handle_timeout(self.now);
        }
    }

    /// A datagram reaches the browser now.
    pub(crate) fn hear(&mut self, datagram: &str, from: [u8; 4]) {
        self.browser.handle_datagram(datagram.as_bytes(), (from, 40000).into(), self.now);
        self.take_changes();
    }

    /// Stops a server cleanly: three goodbyes through one of its interfaces.
    pub(crate) fn stop(&mut self, index: usize) {
        self.servers[index].killed = true;
        let from = *self.servers[index].addresses.last().unwrap();
        let datagram = goodbye(&self.servers[index].id);
        for _ in 0..3 {
            self.send(Delivery::Datagram(datagram.clone(), (from, 40000).into()), TRAVEL);
        }
    }

    /// The names of events so far, like `found a`, and forgets them.
    pub(crate) fn told(&mut self) -> Vec<String> {
        let told = self.changes.drain(..).map(|(_, change)| match change {
            Change::Found(server) => format!("found {}", server.id),
            Change::Updated(server) => format!("updated {}", server.id),
            Change::Lost(server) => format!("lost {}", server.id),
        });
        told.collect()
    }

    pub(crate) fn known(&self) -> Vec<&str> {
        self.browser.servers().map(|server| server.id.as_str()).collect()
    }

    fn let_browser_act(&mut self) {
        while let Some(to) = self.browser.poll_probe(self.now) {
            let to_all = matches!(to, Probe::All | Probe::AllPorts);
            if to_all {
                self.probes.push(self.now);
            }
            for index in 0..self.servers.len() {
                for ip in self.servers[index].addresses.clone() {
                    if to_all || matches!(to, Probe::One(addr) if addr.ip() == IpAddr::V4(ip)) {
                        self.send(Delivery::ProbeTo(index, ip), TRAVEL);
                    }
                }
            }
        }
        while let Some(addr) = self.browser.poll_check() {
            self.checks.push((self.now, addr));
            // A segment is sent again after a second, so two tries fit into the driver's retry_limit.
            let arrives = (0..2).any(|_| !self.is_lost() && !self.is_lost());
            let outcome = if arrives { self.ask(addr) } else { Tcp::Silence };
            let after = if matches!(outcome, Tcp::Silence) { PATIENCE } else { 2 * TRAVEL };
            self.send_surely(Delivery::Checked(addr, outcome), after);
        }
        self.take_changes();
    }

    /// What comes of a question over TCP that arrives.
    fn ask(&self, addr: SocketAddr) -> Tcp {
        let of_host = |server: &&Server| server.addresses.iter().any(|ip| IpAddr::V4(*ip) == addr.ip());
        let listens = |server: &&Server| server.is_there() && server.port == addr.port();
        match self.servers.iter().filter(of_host).find(listens) {
            Some(server) if server.old => Tcp::Odd,
            Some(server) => Tcp::Body(server.reply(server.addresses[0], None)),
            None if self.servers.iter().filter(of_host).any(|server| !server.unplugged) => Tcp::Refused,
            None => Tcp::Silence,
        }
    }

    fn let_servers_act(&mut self) {
        for index in 0..self.servers.len() {
            let (now, server) = (self.now, &mut self.servers[index]);
            if server.is_there() && server.announcer.poll_beacon(now) {
                let (old, addresses) = (server.old, server.addresses.clone());
                for ip in addresses {
                    let server = &self.servers[index];
                    let beacon = Beacon { ip, port: server.port, timestamp: 1, id: &server.id, name: &server.name };
                    self.send(Delivery::Datagram(beacon.encode(old), (ip, 40000).into()), TRAVEL);
                }
            }
        }
    }

    fn deliver(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::Datagram(bytes, from) => self.browser.handle_datagram(&bytes, from, self.now),
            Delivery::Checked(addr, outcome) => {
                let answer = match &outcome {
                    Tcp::Body(body) => Answer::Body(body),
                    Tcp::Odd => Answer::Odd,
                    Tcp::Refused => Answer::Refused,
                    Tcp::Silence => Answer::Silence,
                };
                self.browser.handle_answer(addr, answer, self.now);
            }
            Delivery::ProbeTo(index, ip) => self.answer(index, ip),
        }
        self.take_changes();
    }

    fn answer(&mut self, index: usize, ip: Ipv4Addr) {
        let (now, server) = (self.now, &mut self.servers[index]);
        if server.old || server.deaf || !server.is_there() {
            return;
        }
        server.asked.push(now);
        if server.responder.allows(ASKER, now) {
            server.responder.answered(ASKER, now);
            let reply = server.reply(ip, Some(NONCE));
            self.send(Delivery::Datagram(reply, (ip, 8766).into()), TRAVEL);
        }
    }

    fn send(&mut self, delivery: Delivery, after: Duration) {
        if !self.is_lost() {
            self.send_surely(delivery, after);
        }
    }

    fn send_surely(&mut self, delivery: Delivery, after: Duration) {
        self.sent += 1;
        self.deliveries.insert((self.now + after, self.sent), delivery);
    }

    fn is_lost(&mut self) -> bool {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 32) % 100 < self.loss
    }

    fn take_changes(&mut self) {
        while let Some(change) = self.browser.poll_change() {
            self.changes.push((self.now, change));
        }
    }
}
