//! A server that answers beside arbitrary datagrams, services and responses: it stays listed at its address with what it
//! has proven, and what the browser stores and sends is bounded.

#![cfg_attr(feature = "engine", no_main)]

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use halloo_fuzz::fuzz_target;
use halloo_proto::Time;
use halloo_proto::announcement::{PROBE_SIZE, Reply};
use halloo_proto::browser::{Browser, CheckResult, MAX_CHECKS, MAX_SERVERS, Probe};
use halloo_proto::responder::Responder;

const NONCE: &str = "0123456789abcdef";
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const BROWSER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 250);
/// Has an address of its own, at which it receives and answers.
const ATTACKER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 66);
/// The most bytes of one server: sixteen properties, two names, the ids and the addresses.
const MAX_SERVER_BYTES: usize = 8192;
/// The time that passes in one input. After it, servers that are silent are long gone.
const MAX_TIME: Duration = Duration::from_secs(60);

fuzz_target!(|bytes: &[u8]| {
    let (&behaviour, mut rest) = bytes.split_first().unwrap_or((&0, &[]));
    let mut world = World::new(behaviour);
    world.advance(Duration::from_millis(1));
    assert!(world.is_listed(), "it was not found");
    while let [what, first, second, tail @ ..] = rest {
        rest = tail;
        let from = [SERVER, ATTACKER, [10, 0, 0, *second].into(), [10, *first, *second, 7].into()][usize::from(what >> 4 & 3)];
        match what & 7 {
            0..=3 => world.receive(forged(*what, *first, *second).as_bytes(), from),
            4 => {
                let (datagram, tail) = tail.split_at(tail.len().min(usize::from(*first)));
                rest = tail;
                world.receive(datagram, from);
            }
            5 => {
                let addr = SocketAddr::from((from, 8760 + u16::from(first & 7)));
                world.browser.handle_service(addr);
                world.received += 1;
            }
            _ if world.now - Time::ZERO >= MAX_TIME => {}
            6 => world.advance(Duration::from_millis(u64::from(*first))),
            _ => world.advance(Duration::from_millis(u64::from(*first) * 16)),
        }
        world.advance(Duration::ZERO);
        assert!(world.is_listed(), "it is no longer listed");
        world.check_bounds();
    }
});

/// Returns a datagram that looks like those of a server.
fn forged(what: u8, first: u8, second: u8) -> String {
    let service = ["websocket_server", "websocket_server_reply", "websocket_server_bye", "websocket_server_bye"];
    let ids = [r#""id":"a","#, r#""id":"a","#, &format!(r#""id":"{second}","#), ""];
    let keys = ["", r#","tls":false"#, r#","name":"evil""#, r#","addresses":["10.0.0.66"]"#, r#","app":"x""#];
    let (service, id) = (service[usize::from(what & 3)], ids[usize::from(what >> 6)]);
    let (port, keys) = (8764 + u16::from(first & 3), keys[usize::from(first >> 2) % keys.len()]);
    format!(r#"{{"service":"{service}","nonce":"{NONCE}",{id}"port":{port}{keys}}}"#)
}

struct World {
    browser: Browser,
    responder: Responder,
    now: Time,
    behaviour: u8,
    received: usize,
    /// Probes to one address.
    unicast: usize,
    broadcast: usize,
    running: usize,
}

impl World {
    fn new(behaviour: u8) -> World {
        let browser = Browser::new(NONCE, 8766, None, 1);
        let (responder, now) = (Responder::default(), Time::ZERO);
        World { browser, responder, now, behaviour, received: 0, unicast: 0, broadcast: 0, running: 0 }
    }

    fn receive(&mut self, datagram: &[u8], from: Ipv4Addr) {
        self.received += 1;
        self.browser.handle_datagram(datagram, (from, 40_000).into(), self.now);
    }

    /// Lets time pass. Everything is answered at once.
    fn advance(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            self.exchange();
            let next = self.browser.poll_timeout();
            if next > end {
                self.now = end;
                return;
            }
            self.now = self.now.max(next);
            self.browser.handle_timeout(self.now);
        }
    }

    fn exchange(&mut self) {
        loop {
            let (probe, check) = (self.browser.poll_probe(self.now), self.browser.poll_check(self.now));
            if probe.is_none() && check.is_none() {
                break;
            }
            if let Some(probe) = probe {
                self.answer_probe(probe);
            }
            if let Some(addr) = check {
                self.running += 1;
                assert!(self.running <= MAX_CHECKS);
                self.answer_check(addr);
            }
        }
        while self.browser.poll_change().is_some() {}
    }

    fn answer_probe(&mut self, probe: Probe) {
        let (to, nonce) = match probe {
            Probe::One(to, nonce) => (Some(to.ip()), nonce.to_string()),
            Probe::All | Probe::AllPorts => (None, NONCE.to_owned()),
        };
        *if to.is_some() { &mut self.unicast } else { &mut self.broadcast } += 1;
        // Its limit applies, so that it does not answer every probe.
        if to.is_none_or(|to| to == SERVER) && self.responder.allows(BROWSER.into(), self.now) {
            self.responder.handle_reply(BROWSER.into(), self.now);
            let reply = reply(Some(&nonce)).encode(PROBE_SIZE).expect("it fits");
            self.receive(&reply, SERVER);
        }
        // It knows the nonces of the probes that it receives.
        if to.is_none_or(|to| to == ATTACKER) && self.behaviour & 1 != 0 {
            let from = if self.behaviour & 2 != 0 { SERVER } else { ATTACKER };
            let listed = if self.behaviour & 4 != 0 { r#","addresses":["10.0.0.1"]"# } else { "" };
            let datagram = format!(
                r#"{{"service":"websocket_server_reply","nonce":"{nonce}","id":"a","port":8765,"tls":false{listed}}}"#
            );
            self.receive(datagram.as_bytes(), from);
        }
    }

    fn answer_check(&mut self, addr: SocketAddr) {
        self.running -= 1;
        let body;
        let result = if addr == SocketAddr::from((SERVER, 8765)) {
            body = serde_json::to_vec(&reply(None)).expect("it can be written");
            CheckResult::Body(&body)
        } else if addr.ip() == SERVER {
            CheckResult::Refused
        } else if addr.ip() == ATTACKER && self.behaviour & 8 != 0 {
            body = br#"{"service":"websocket_server_reply","id":"a","port":8765,"tls":false}"#.to_vec();
            CheckResult::Body(&body)
        } else {
            [CheckResult::Unexpected, CheckResult::NoResponse][usize::from(self.behaviour >> 4 & 1)]
        };
        self.browser.handle_check_result(addr, result, self.now);
    }

    /// Returns whether the server is listed at its address, once, with what it has proven.
    fn is_listed(&self) -> bool {
        let addr = SocketAddr::from((SERVER, 8765));
        // Another one can list the address, but it was not seen there.
        let mut there = self.browser.servers().filter(|server| server.sources.contains(&addr));
        let is_right = |server: &halloo_proto::browser::Server| server.tls && server.name == "den" && server.app.is_none();
        there.next().is_some_and(is_right) && there.next().is_none()
    }

    fn check_bounds(&self) {
        let seconds = (self.now - Time::ZERO).as_secs() as usize + 1;
        assert!(self.browser.servers().count() <= MAX_SERVERS);
        assert!(self.browser.stored_bytes() <= MAX_SERVERS * MAX_SERVER_BYTES);
        assert!(self.broadcast <= 4 + 3 * seconds, "{} probes to all in {seconds} s", self.broadcast);
        // Those of the schedule of servers that may be gone, of which there are few, and one for each datagram.
        assert!(self.unicast <= self.received + 8 * seconds + 8, "{} for {}", self.unicast, self.received);
        assert!(self.browser.poll_timeout() > self.now, "a timeout is overdue");
    }
}

fn reply(nonce: Option<&str>) -> Reply<'_> {
    Reply {
        nonce,
        id: "a",
        name: "den".into(),
        ip: SERVER.into(),
        port: 8765,
        addresses: vec![SERVER.into()],
        tls: true,
        ..Reply::default()
    }
}
