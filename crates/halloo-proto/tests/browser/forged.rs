//! Forged datagrams.

use std::net::SocketAddr;

use halloo_proto::browser::{Change, MAX_CHECKS, MAX_SERVERS};

use crate::world::{Server, World};
use crate::{MILLI, SECOND};

#[test]
fn forged_goodbye_removes_no_server() {
    let mut world = World::new(1, vec![Server::new("a", 1, true)]);
    world.run(10 * SECOND);
    world.take_changes();
    for _ in 0..1000 {
        world.receive(r#"{"service":"websocket_server_bye","v":2,"id":"a"}"#, [10, 0, 0, 66]);
        world.run(100 * MILLI);
    }
    assert!(world.take_changes().is_empty());
}

#[test]
fn claiming_the_id_of_another_server_has_no_effect() {
    let mut world = World::new(1, vec![Server::new("a", 1, true)]);
    world.run(10 * SECOND);
    world.take_changes();
    for _ in 0..1000 {
        world.receive(r#"{"service":"websocket_server","port":8765,"id":"a","name":"evil"}"#, [10, 0, 0, 66]);
        world.receive(
            r#"{"service":"websocket_server_reply","nonce":"nonce","port":8765,"id":"a","addresses":["10.0.0.66"]}"#,
            [10, 0, 0, 66],
        );
        world.receive(r#"{"service":"websocket_server_bye","v":2,"id":"a"}"#, [10, 0, 0, 66]);
        world.run(100 * MILLI);
    }
    assert!(world.take_changes().is_empty());
    let server = world.browser.servers().next().unwrap();
    assert_eq!(server.addresses, [SocketAddr::from(([10, 0, 0, 1], 8765))]);
    assert_eq!(server.name, "name of a");
}

#[test]
fn a_claim_moves_no_server_into_a_cluster() {
    let mut world = World::new(1, vec![Server::new("a", 1, true)]);
    world.run(10 * SECOND);
    world.take_changes();
    world.receive(
        r#"{"service":"websocket_server_reply","nonce":"nonce","port":8765,"id":"a","name":"name of a","addresses":["10.0.0.1"],"cluster":"show"}"#,
        [10, 0, 0, 1],
    );
    world.run(SECOND);
    assert_eq!(world.browser.servers().next().unwrap().cluster, None);
    assert!(world.take_changes().is_empty());
}

#[test]
fn replies_to_other_browsers_and_invalid_datagrams_are_ignored() {
    let mut world = World::new(1, Vec::new());
    for text in [
        r#"{"service":"websocket_server_reply","nonce":"other","port":8765,"id":"a"}"#,
        r#"{"service":"websocket_server_reply","port":8765,"id":"a"}"#,
        r#"{"service":"websocket_server","port":0,"id":"a"}"#,
        r#"{"service":"websocket_server","port":70000,"id":"a"}"#,
        r#"{"service":"websocket_server_probe","nonce":"nonce","port":8765}"#,
        "{}",
        "\u{0}",
    ] {
        world.receive(text, [10, 0, 0, 1]);
    }
    assert!(world.take_changes().is_empty());
}

#[test]
fn text_and_addresses_from_a_server_are_bounded_and_cleaned() {
    let mut world = World::new(1, Vec::new());
    let long = format!("\\u001b\\u202e{}", "x".repeat(400));
    let list = (0..60).map(|last| format!(r#""10.0.0.{last}""#)).collect::<Vec<_>>().join(",");
    let reply = format!(
        r#"{{"service":"websocket_server_reply","nonce":"nonce","port":8765,"id":"{long}","name":"{long}","clients":1e300,
            "ttl":-1e300,"addresses":["127.0.0.1","0.0.0.0","255.255.255.255","224.0.0.1","::1","x",{list}]}}"#
    );
    world.receive(&reply, [10, 0, 0, 1]);
    let server = world.browser.servers().next().unwrap();
    assert!(server.id.len() <= 32 && server.name.chars().count() <= 64);
    assert!(!server.id.contains(halloo_proto::text::is_harmful) && !server.name.contains('\u{202e}'));
    assert_eq!(server.addresses.len(), 8);
    assert!(server.addresses.iter().all(|addr| addr.to_string().starts_with("10.0.0.")), "{:?}", server.addresses);
    assert_eq!(server.clients, Some(u32::MAX));
    world.run(3600 * SECOND);
    assert_eq!(world.known().len(), 0, "it never existed");
}

#[test]
fn flood_of_forged_beacons_hides_no_server_and_is_removed() {
    let mut world = World::new(1, vec![Server::new("old", 1, true)]);
    world.run(10 * SECOND);
    world.take_changes();
    let mut count = 0_u32;
    for step in 0..300 {
        for _ in 0..200 {
            count += 1;
            let beacon = format!(r#"{{"service":"websocket_server","port":8765,"id":"forged{count}"}}"#);
            let [_, b, c, d] = count.to_be_bytes();
            world.receive(&beacon, [172, b, c, d]);
        }
        if step == 100 {
            world.servers.push(Server::new("new", 2, true));
        }
        world.run(100 * MILLI);
        assert!(world.browser.servers().count() <= MAX_SERVERS);
    }
    assert!(world.browser.ignored_datagrams() > 50_000);
    let known = world.known();
    assert!(known.contains(&"old") && known.contains(&"new"), "a server that replies is found during the flood");
    assert!(!world.take_changes().contains(&"lost old".to_owned()));
    let busiest = world.checks.windows(MAX_CHECKS + 1).map(|some| some[MAX_CHECKS].0 - some[0].0).min().unwrap();
    assert!(busiest >= SECOND, "more than {MAX_CHECKS} checks over TCP in {busiest:?}");
    // A real server that stops is noticed in time even during the flood.
    world.servers[0].killed = true;
    let killed = world.now;
    world.run(60 * SECOND);
    let lost = world.changes.iter().find(|(_, change)| matches!(change, Change::Lost(s) if s.id == "old")).unwrap().0;
    assert!(lost - killed <= 10 * SECOND, "{:?}", lost - killed);
    assert_eq!(world.known(), ["new"], "forged servers are gone after a minute");
}

#[test]
fn one_device_cannot_fill_the_table() {
    let mut world = World::new(1, vec![Server::new("a", 1, false)]);
    for count in 0..1000 {
        let beacon = format!(r#"{{"service":"websocket_server","port":{},"id":"x{count}"}}"#, 1000 + count);
        world.receive(&beacon, [10, 0, 0, 66]);
    }
    assert!(world.known().len() <= MAX_SERVERS / 4, "{}", world.known().len());
    world.run(SECOND);
    assert!(world.known().contains(&"a"));
}
