//! Random datagrams and check results: the changes are consistent, and the state stays bounded.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use halloo_proto::Time;
use halloo_proto::browser::{Browser, Change, CheckResult, MAX_CHECKS, MAX_SERVERS, Server};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Datagram { kind: usize, id: Option<u8>, ip: u8, port: u16, listed: Vec<u8> },
    Invalid(Vec<u8>),
    CheckResult(u8, usize),
    Wait(u16),
}

fn step() -> impl Strategy<Value = Step> {
    let datagram = (0..4_usize, prop::option::of(0..6_u8), 0..6_u8, 1..4_u16, prop::collection::vec(0..6_u8, 0..4))
        .prop_map(|(kind, id, ip, port, listed)| Step::Datagram { kind, id, ip, port, listed });
    prop_oneof![
        8 => datagram,
        1 => prop::collection::vec(any::<u8>(), 0..80).prop_map(Step::Invalid),
        4 => (0..4_u8, 0..MAX_CHECKS).prop_map(|(kind, which)| Step::CheckResult(kind, which)),
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

/// Applies the changes to what an application knows, and asserts that each makes sense.
fn apply_changes(browser: &mut Browser, known: &mut BTreeMap<String, Server>) {
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
    fn changes_are_consistent_and_the_state_is_bounded(steps in prop::collection::vec(step(), 0..200)) {
        let mut browser = Browser::new("n", 8766, Some("id5".into()), 1);
        let (mut known, mut checking, mut now) = (BTreeMap::new(), Vec::new(), Time::ZERO);
        for step in steps {
            match step {
                Step::Datagram { kind, id, ip: from, port, listed } => {
                    let from = SocketAddr::new(ip(from), 40000);
                    browser.handle_datagram(object(kind, id, port, &listed).as_bytes(), from, now);
                }
                Step::Invalid(bytes) => browser.handle_datagram(&bytes, (ip(1), 1).into(), now),
                Step::CheckResult(kind, which) if which < checking.len() => {
                    let addr: SocketAddr = checking.swap_remove(which);
                    let body = object(1, Some(kind), addr.port(), &[]);
                    let results = [CheckResult::Body(body.as_bytes()), CheckResult::Unexpected, CheckResult::Refused, CheckResult::NoResponse];
                    browser.handle_check_result(addr, results[usize::from(kind)], now);
                }
                Step::CheckResult(..) => {}
                Step::Wait(millis) => {
                    now = now + Duration::from_millis(millis.into());
                    browser.handle_timeout(now);
                }
            }
            while browser.poll_probe(now).is_some() {}
            checking.extend(std::iter::from_fn(|| browser.poll_check(now)));
            prop_assert!(checking.len() <= MAX_CHECKS);
            apply_changes(&mut browser, &mut known);
            let servers: BTreeMap<String, Server> = browser.servers().map(|server| (server.id.clone(), server.clone())).collect();
            prop_assert_eq!(servers.len(), browser.servers().count());
            prop_assert!(servers.len() <= MAX_SERVERS && !servers.contains_key("id5"));
            // Two servers never share an address, and the last change of each server is its current state.
            let mut addresses: Vec<SocketAddr> = Vec::new();
            for (id, server) in &servers {
                prop_assert!((1..=8).contains(&server.addresses.len()));
                let last = Server { last_received: server.last_received, ..known[id].clone() };
                prop_assert_eq!(&last, server);
                addresses.push(server.addresses[0]);
            }
            addresses.sort();
            addresses.dedup();
            prop_assert_eq!(addresses.len(), servers.len());
        }
        // Without any response every server is lost in the end, and no timeout is overdue.
        for _ in 0..400 {
            now = now + Duration::from_millis(500);
            browser.handle_timeout(now);
            while browser.poll_probe(now).is_some() {}
            checking.extend(std::iter::from_fn(|| browser.poll_check(now)));
            for addr in checking.drain(..) {
                browser.handle_check_result(addr, CheckResult::NoResponse, now);
            }
            while browser.poll_probe(now).is_some() {}
            prop_assert!(browser.poll_timeout() > now);
        }
        apply_changes(&mut browser, &mut known);
        prop_assert!(known.is_empty(), "{:?}", known);
    }
}
