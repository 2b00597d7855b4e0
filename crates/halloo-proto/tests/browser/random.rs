//! Whatever arrives, in whatever order: what is told fits together, and nothing grows.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use halloo_proto::Time;
use halloo_proto::browser::{Answer, Browser, CHECKS, Change, SERVERS, Server};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Datagram { kind: usize, id: Option<u8>, ip: u8, port: u16, listed: Vec<u8> },
    Junk(Vec<u8>),
    Answer(u8, usize),
    Wait(u16),
}

fn step() -> impl Strategy<Value = Step> {
    let datagram = (0..4_usize, prop::option::of(0..6_u8), 0..6_u8, 1..4_u16, prop::collection::vec(0..6_u8, 0..4))
        .prop_map(|(kind, id, ip, port, listed)| Step::Datagram { kind, id, ip, port, listed });
    prop_oneof![
        8 => datagram,
        1 => prop::collection::vec(any::<u8>(), 0..80).prop_map(Step::Junk),
        4 => (0..4_u8, 0..CHECKS).prop_map(|(kind, which)| Step::Answer(kind, which)),
        4 => (0..5000_u16).prop_map(Step::Wait),
    ]
}

fn ip(last: u8) -> IpAddr {
    if last == 0 { [127, 0, 0, 1].into() } else { [10, 0, 0, last].into() }
}

fn object(kind: usize, id: Option<u8>, port: u16, listed: &[u8]) -> String {
    let service = ["websocket_server", "websocket_server_reply", "websocket_server_bye", "other"][kind];
    let id = id.map_or(String::new(), |id| format!(r#","id":"id{id}","clients":{port}"#));
    let listed: Vec<String> = listed.iter().map(|last| format!("\"{}\"", ip(*last))).collect();
    format!(r#"{{"service":"{service}","nonce":"n","port":{port},"addresses":[{}]{id}}}"#, listed.join(","))
}

/// Applies what is told to what an application knows, which must make sense at every step.
fn take(browser: &mut Browser, known: &mut BTreeMap<String, Server>) {
    while let Some(change) = browser.poll_change() {
        let id = change.server().id.clone();
        match change {
            Change::Found(server) => assert!(known.insert(id, server).is_none(), "found twice"),
            Change::Updated(server) => assert!(known.insert(id, server).is_some(), "updated, but never found"),
            Change::Lost(server) => {
                assert!(!server.addresses.is_empty());
                assert!(known.remove(&id).is_some(), "lost, but never found");
            }
        }
    }
}

proptest! {
    #[test]
    fn events_fit_together_and_nothing_grows(steps in prop::collection::vec(step(), 0..200)) {
        let mut browser = Browser::new("n", 8766, Some("id5".into()), 1);
        let (mut known, mut asked, mut now) = (BTreeMap::new(), Vec::new(), Time::ZERO);
        for step in steps {
            match step {
                Step::Datagram { kind, id, ip: from, port, listed } => {
                    let from = SocketAddr::new(ip(from), 40000);
                    browser.handle_datagram(object(kind, id, port, &listed).as_bytes(), from, now);
                }
                Step::Junk(bytes) => browser.handle_datagram(&bytes, (ip(1), 1).into(), now),
                Step::Answer(kind, which) if which < asked.len() => {
                    let addr: SocketAddr = asked.swap_remove(which);
                    let body = object(1, Some(kind), addr.port(), &[]);
                    let answers = [Answer::Body(body.as_bytes()), Answer::Odd, Answer::Refused, Answer::Silence];
                    browser.handle_answer(addr, answers[usize::from(kind)], now);
                }
                Step::Answer(..) => {}
                Step::Wait(millis) => {
                    now = now + Duration::from_millis(millis.into());
                    browser.handle_timeout(now);
                }
            }
            while browser.poll_probe(now).is_some() {}
            asked.extend(std::iter::from_fn(|| browser.poll_check()));
            prop_assert!(asked.len() <= CHECKS);
            take(&mut browser, &mut known);
            let servers: BTreeMap<String, Server> = browser.servers().map(|one| (one.id.clone(), one.clone())).collect();
            prop_assert_eq!(servers.len(), browser.servers().count());
            prop_assert!(servers.len() <= SERVERS && !servers.contains_key("id5"));
            // Two servers never share an address, and what was told last is how it stands.
            let mut heard: Vec<SocketAddr> = Vec::new();
            for (id, server) in &servers {
                prop_assert!((1..=8).contains(&server.addresses.len()));
                let told = Server { heard: server.heard, ..known[id].clone() };
                prop_assert_eq!(&told, server);
                heard.push(server.addresses[0]);
            }
            heard.sort();
            heard.dedup();
            prop_assert_eq!(heard.len(), servers.len());
        }
        // Left alone and unanswered, everybody is lost in the end, and nothing is left to do at once.
        for _ in 0..400 {
            now = now + Duration::from_millis(500);
            browser.handle_timeout(now);
            while browser.poll_probe(now).is_some() {}
            asked.extend(std::iter::from_fn(|| browser.poll_check()));
            for addr in asked.drain(..) {
                browser.handle_answer(addr, Answer::Silence, now);
            }
            prop_assert!(browser.poll_timeout() > now);
        }
        take(&mut browser, &mut known);
        prop_assert!(known.is_empty(), "{:?}", known);
    }
}
