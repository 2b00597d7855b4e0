//! The browser on a simulated network with a virtual clock.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod advertised;
mod forged;
mod hostile;
mod properties;
mod random;
mod services;
mod shares;
mod world;

use std::net::SocketAddr;
use std::time::Duration;

use halloo_proto::Time;
use halloo_proto::browser::{Browser, Change, Probe};
use world::{Server, World};

const SECOND: Duration = Duration::from_secs(1);
const MILLI: Duration = Duration::from_millis(1);

#[test]
fn two_servers_are_found_and_stay_known_for_an_hour() {
    let mut world = World::new(1, vec![Server::new("a", 1, false), Server::new("b", 2, true)]);
    world.run(5 * MILLI);
    assert_eq!(world.known().len(), 2);
    world.run(3600 * SECOND);
    let mut changes = world.take_changes();
    changes.retain(|change| !change.starts_with("updated"));
    changes.sort();
    assert_eq!(changes, ["found a", "found b"]);
    let rate = world.probes.len() as f64 / 3600.0;
    assert!((0.3..0.35).contains(&rate), "{rate} probes a second");
    assert!(world.checks.is_empty(), "a server that replies is not checked over TCP");
}

#[test]
fn silent_server_is_found_in_four_seconds_with_30_percent_loss() {
    let mut times: Vec<Duration> = (1..=2000)
        .map(|seed| {
            let mut world = World::new(seed, vec![Server::new("a", 1, true)]);
            world.loss = 30;
            world.run(30 * SECOND);
            world.changes.iter().find(|(_, change)| matches!(change, Change::Found(_))).unwrap().0 - Time::ZERO
        })
        .collect();
    times.sort();
    let (p50, p99) = (times[1000], times[1980]);
    eprintln!("found after p50 {p50:?}, p99 {p99:?}, at most {:?}", times[1999]);
    assert!(p99 <= 4 * SECOND, "p99 {p99:?}");
}

#[test]
fn no_running_server_is_lost_with_30_percent_loss() {
    // Twenty servers for an hour are about one server for a day.
    let servers = (1..=20).map(|last| Server::new(&format!("s{last}"), last, last % 2 == 0)).collect();
    let mut world = World::new(3, servers);
    world.loss = 30;
    world.run(3600 * SECOND);
    let lost = world.take_changes().iter().filter(|change| change.starts_with("lost")).count();
    eprintln!("{lost} of 20 running servers were reported as lost in an hour");
    assert!(lost <= 1, "{lost} running servers were reported as lost in an hour");
}

#[test]
fn goodbye_removes_a_server_at_once_and_late_replies_are_ignored() {
    let mut world = World::new(1, vec![Server::new("a", 1, true)]);
    world.servers[0].addresses.push([192, 168, 1, 1].into());
    world.run(SECOND);
    world.take_changes();
    // The goodbye leaves through the other interface and overtakes the reply to a probe.
    world.stop(0);
    world.run(MILLI);
    world.receive(r#"{"service":"websocket_server_reply","nonce":"nonce","port":8765,"id":"a"}"#, [10, 0, 0, 1]);
    world.run(60 * SECOND);
    assert_eq!(world.take_changes(), ["lost a"]);
}

#[test]
fn goodbye_may_come_from_an_address_that_was_only_listed() {
    let mut world = World::new(1, Vec::new());
    let reply =
        r#"{"service":"websocket_server_reply","nonce":"nonce","port":8765,"id":"a","addresses":["192.168.1.1"]}"#;
    world.receive(reply, [10, 0, 0, 1]);
    world.receive(r#"{"service":"websocket_server_bye","id":"a"}"#, [192, 168, 1, 2]);
    world.run(200 * MILLI);
    assert_eq!(world.known(), ["a"], "the other address is not its own");
    world.receive(r#"{"service":"websocket_server_bye","id":"a"}"#, [192, 168, 1, 1]);
    world.run(100 * MILLI);
    assert_eq!(world.take_changes(), ["found a", "lost a"]);
}

#[test]
fn server_that_vanishes_is_lost_within_ten_seconds() {
    for (busy, unplugged, old) in
        [(true, false, false), (false, false, false), (true, true, false), (false, true, false), (false, false, true)]
    {
        for seed in 1..=200 {
            let mut world = World::new(seed, vec![Server::new("a", 1, busy)]);
            world.servers[0].old = old;
            world.run(20 * SECOND + seed as u32 * 37 * MILLI);
            assert_eq!(world.known().len(), 1);
            let killed = world.now;
            (world.servers[0].killed, world.servers[0].unplugged) = (true, unplugged);
            world.run(30 * SECOND);
            let lost = world.changes.iter().find(|(_, change)| matches!(change, Change::Lost(_))).unwrap().0 - killed;
            // A refused connection needs no second check.
            let limit = if unplugged || old { 10 * SECOND } else { 6 * SECOND };
            assert!(lost <= limit, "{lost:?}, unplugged: {unplugged}, old: {old}");
            assert!(lost > MILLI, "silence alone removed it");
        }
    }
}

#[test]
fn restart_is_seen_at_once() {
    let mut world = World::new(1, vec![Server::new("old", 1, true)]);
    world.run(20 * SECOND);
    world.take_changes();
    world.servers = vec![Server::new("new", 1, false)];
    world.run(3 * SECOND);
    assert_eq!(world.changes[0].1.server().addresses.len(), 1, "at the same address");
    assert_eq!(world.take_changes(), ["lost old", "found new"]);
    world.run(1000 * SECOND);
    assert_eq!(world.known(), ["new"]);
}

#[test]
fn server_without_id_is_identified_by_its_address_and_stays_known_while_silent() {
    let mut script = Server::new("-", 1, false);
    script.old = true;
    let mut world = World::new(1, vec![script]);
    world.run(10 * SECOND);
    assert_eq!(world.take_changes(), ["found 10.0.0.1:8765"]);
    let mut busy = Server::new("-", 1, true);
    busy.old = true;
    world.servers = vec![busy];
    world.run(3600 * SECOND);
    assert_eq!(world.known(), ["10.0.0.1:8765"], "it is still listening");
    let gaps = world.checks.windows(2).map(|pair| pair[1].0 - pair[0].0);
    assert!(gaps.min().unwrap() >= 8 * SECOND, "an old server is checked more often than once per TTL");
    assert!(world.unicast.is_empty(), "an old server does not know probes");
    world.servers[0].killed = true;
    world.run(10 * SECOND);
    assert_eq!(world.take_changes(), ["lost 10.0.0.1:8765"]);
}

#[test]
fn server_that_receives_no_probe_stays_known_while_it_responds_over_tcp() {
    let mut world = World::new(1, vec![Server::new("a", 1, true), Server::new("b", 2, false)]);
    world.run(SECOND);
    world.servers[0].ignores_probes = true;
    world.servers[1].ignores_probes = true;
    world.run(3600 * SECOND);
    assert_eq!(world.known().len(), 2);
    assert!(world.take_changes().iter().all(|change| !change.starts_with("lost")));
    world.servers[0].killed = true;
    world.run(10 * SECOND);
    assert_eq!(world.take_changes(), ["lost a"]);
}

#[test]
fn server_that_moves_is_found_at_its_new_address() {
    let mut world = World::new(1, vec![Server::new("a", 1, false)]);
    world.run(10 * SECOND);
    world.servers[0].addresses = vec![[10, 0, 0, 77].into()];
    world.take_changes();
    world.run(5 * SECOND);
    assert_eq!(world.take_changes(), ["updated a"]);
    let server = world.browser.servers().next().unwrap();
    assert_eq!(server.addresses, [([10, 0, 0, 77], 8765).into()]);
    world.run(100 * SECOND);
    assert_eq!(world.known(), ["a"]);
}

#[test]
fn several_addresses_make_one_entry_with_loopback_last() {
    let mut server = Server::new("a", 1, false);
    server.addresses = vec![[127, 0, 0, 1].into(), [192, 168, 1, 1].into(), [10, 0, 0, 1].into()];
    let mut world = World::new(1, vec![server]);
    world.run(10 * SECOND);
    assert_eq!(world.known(), ["a"]);
    let addresses = &world.browser.servers().next().unwrap().addresses;
    assert_eq!(addresses.len(), 3);
    assert!(!addresses[0].ip().is_loopback() && addresses[2].ip().is_loopback(), "{addresses:?}");
}

/// Its replies list neither of them: web browsers accept no zone.
#[test]
fn server_with_two_link_local_addresses_is_one() {
    let ports: [SocketAddr; 2] =
        ["[fe80::2%2]:8766", "[fe80::205a:56ff:feb2:cb41%2]:8766"].map(|addr| addr.parse().unwrap());
    let reply = |nonce: &str| {
        format!(r#"{{"service":"websocket_server_reply","v":2,"nonce":"{nonce}","id":"a","port":8765,"addresses":[]}}"#)
    };
    let (mut browser, mut now) = (Browser::new("nonce", 8766, None, 1), Time::ZERO);
    for turn in 0..200 {
        while let Some(probe) = browser.poll_probe(now) {
            // The system chooses the source of a reply to all; one to an address comes from there.
            let (nonce, from) = match &probe {
                Probe::One(to, nonce) => (nonce.to_string(), *to),
                _ => ("nonce".to_owned(), ports[turn % 2]),
            };
            browser.handle_datagram(reply(&nonce).as_bytes(), from, now);
        }
        browser.handle_timeout(now);
        now = now + 50 * MILLI;
    }
    let servers: Vec<_> = browser.servers().map(|server| (server.id.as_str(), server.sources.len())).collect();
    assert_eq!(servers, [("a", 1)]);
}

#[test]
fn each_update_is_reported_once() {
    let mut world = World::new(1, vec![Server::new("a", 1, true)]);
    world.run(10 * SECOND);
    world.take_changes();
    world.servers[0].clients = 5;
    world.servers[0].name = "other".into();
    world.run(100 * SECOND);
    assert_eq!(world.take_changes(), ["updated a"]);
    let server = world.browser.servers().next().unwrap();
    assert_eq!((server.clients, server.name.as_str()), (Some(5), "other"));
}

#[test]
fn ignored_server_is_not_found() {
    let mut world = World::new(1, vec![Server::new("own", 1, false), Server::new("other", 2, false)]);
    world.browser = Browser::new(world::NONCE, 8766, Some("own".into()), 1);
    world.run(100 * SECOND);
    assert_eq!(world.known(), ["other"]);
}
