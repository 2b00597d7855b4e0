//! The browser on a simulated network: thousands of seconds, and no waiting.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the answer")]

mod forged;
mod random;
mod world;

use std::time::Duration;

use halloo_proto::Time;
use halloo_proto::browser::{Browser, Change};
use world::{Server, World};

const SECOND: Duration = Duration::from_secs(1);
const MILLI: Duration = Duration::from_millis(1);

#[test]
fn two_servers_are_found_and_stay_for_an_hour() {
    let mut world = World::new(1, vec![Server::new("a", 1, false), Server::new("b", 2, true)]);
    world.run(5 * MILLI);
    assert_eq!(world.known().len(), 2);
    world.run(3600 * SECOND);
    let mut told = world.told();
    told.retain(|told| !told.starts_with("updated"));
    told.sort();
    assert_eq!(told, ["found a", "found b"]);
    let rate = world.probes.len() as f64 / 3600.0;
    assert!((0.3..0.35).contains(&rate), "{rate} probes a second");
    assert!(world.checks.is_empty(), "nobody is asked over TCP who answers");
}

#[test]
fn with_30_percent_loss_a_silent_server_is_found_in_four_seconds() {
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
fn with_30_percent_loss_nobody_is_lost() {
    // Twenty servers for an hour are one for a day.
    let servers = (1..=20).map(|last| Server::new(&format!("s{last}"), last, last % 2 == 0)).collect();
    let mut world = World::new(3, servers);
    world.loss = 30;
    world.run(3600 * SECOND);
    let lost = world.told().iter().filter(|told| told.starts_with("lost")).count();
    eprintln!("{lost} of 20 servers taken for lost in an hour");
    assert!(lost <= 1, "{lost} servers were taken for lost in an hour");
}

#[test]
fn a_goodbye_is_believed_at_once_and_late_replies_are_not() {
    let mut world = World::new(1, vec![Server::new("a", 1, true)]);
    world.servers[0].addresses.push([192, 168, 1, 1].into());
    world.run(SECOND);
    world.told();
    // It leaves through the other interface, and the answer to a probe is overtaken.
    world.stop(0);
    world.run(MILLI);
    world.hear(r#"{"service":"websocket_server_reply","nonce":"nonce","port":8765,"id":"a"}"#, [10, 0, 0, 1]);
    world.run(60 * SECOND);
    assert_eq!(world.told(), ["lost a"]);
}

#[test]
fn a_goodbye_may_leave_through_an_interface_that_was_never_heard_from() {
    let mut world = World::new(1, Vec::new());
    let reply =
        r#"{"service":"websocket_server_reply","nonce":"nonce","port":8765,"id":"a","addresses":["192.168.1.1"]}"#;
    world.hear(reply, [10, 0, 0, 1]);
    world.hear(r#"{"service":"websocket_server_bye","id":"a"}"#, [192, 168, 1, 2]);
    world.hear(r#"{"service":"websocket_server_bye","id":"a"}"#, [192, 168, 1, 1]);
    assert_eq!(world.told(), ["found a", "lost a"]);
}

#[test]
fn whoever_vanishes_is_lost_within_ten_seconds() {
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
            // A refusal needs no second question.
            let limit = if unplugged || old { 10 * SECOND } else { 6 * SECOND };
            assert!(lost <= limit, "{lost:?}, unplugged: {unplugged}, old: {old}");
            assert!(lost > MILLI, "silence alone removed it");
        }
    }
}

#[test]
fn a_restart_is_seen_at_once() {
    let mut world = World::new(1, vec![Server::new("old", 1, true)]);
    world.run(20 * SECOND);
    world.told();
    world.servers = vec![Server::new("new", 1, false)];
    world.run(3 * SECOND);
    assert_eq!(world.changes[0].1.server().addresses.len(), 1, "where it was");
    assert_eq!(world.told(), ["lost old", "found new", "updated new"], "a beacon tells no clients, the reply does");
    world.run(1000 * SECOND);
    assert_eq!(world.known(), ["new"]);
}

#[test]
fn a_script_without_id_is_known_by_its_address_and_stays_while_it_is_silent() {
    let mut script = Server::new("-", 1, false);
    script.old = true;
    let mut world = World::new(1, vec![script]);
    world.run(10 * SECOND);
    assert_eq!(world.told(), ["found 10.0.0.1:8765"]);
    let mut busy = Server::new("-", 1, true);
    busy.old = true;
    world.servers = vec![busy];
    world.run(3600 * SECOND);
    assert_eq!(world.known(), ["10.0.0.1:8765"], "it still listens");
    let gaps = world.checks.windows(2).map(|pair| pair[1].0 - pair[0].0);
    assert!(gaps.min().unwrap() >= 8 * SECOND, "an old server is asked more often than it is stale");
    world.servers[0].killed = true;
    world.run(10 * SECOND);
    assert_eq!(world.told(), ["lost 10.0.0.1:8765"]);
}

#[test]
fn a_server_that_hears_no_probe_stays_while_it_answers_over_tcp() {
    let mut world = World::new(1, vec![Server::new("a", 1, true), Server::new("b", 2, false)]);
    world.run(SECOND);
    world.servers[0].deaf = true;
    world.servers[1].deaf = true;
    world.run(3600 * SECOND);
    assert_eq!(world.known().len(), 2);
    assert!(world.told().iter().all(|told| !told.starts_with("lost")));
    world.servers[0].killed = true;
    world.run(10 * SECOND);
    assert_eq!(world.told(), ["lost a"]);
}

#[test]
fn a_server_that_moves_is_found_where_it_is() {
    let mut world = World::new(1, vec![Server::new("a", 1, false)]);
    world.run(10 * SECOND);
    world.servers[0].addresses = vec![[10, 0, 0, 77].into()];
    world.run(20 * SECOND);
    let server = world.browser.servers().next().unwrap();
    assert_eq!(server.addresses, [([10, 0, 0, 77], 8765).into()]);
    world.run(100 * SECOND);
    assert_eq!(world.known(), ["a"]);
}

#[test]
fn several_networks_make_one_entry_and_loopback_is_not_preferred() {
    let mut server = Server::new("a", 1, false);
    server.addresses = vec![[127, 0, 0, 1].into(), [192, 168, 1, 1].into(), [10, 0, 0, 1].into()];
    let mut world = World::new(1, vec![server]);
    world.run(10 * SECOND);
    assert_eq!(world.known(), ["a"]);
    let addresses = &world.browser.servers().next().unwrap().addresses;
    assert_eq!(addresses.len(), 3);
    assert!(!addresses[0].ip().is_loopback() && addresses[2].ip().is_loopback(), "{addresses:?}");
}

#[test]
fn what_changes_is_told_once() {
    let mut world = World::new(1, vec![Server::new("a", 1, true)]);
    world.run(10 * SECOND);
    world.told();
    world.servers[0].clients = 5;
    world.servers[0].name = "other".into();
    world.run(100 * SECOND);
    assert_eq!(world.told(), ["updated a"]);
    let server = world.browser.servers().next().unwrap();
    assert_eq!((server.clients, server.name.as_str()), (Some(5), "other"));
}

#[test]
fn its_own_server_is_not_seen() {
    let mut world = World::new(1, vec![Server::new("own", 1, false), Server::new("other", 2, false)]);
    world.browser = Browser::new(world::NONCE, 8766, Some("own".into()), 1);
    world.run(100 * SECOND);
    assert_eq!(world.known(), ["other"]);
}
