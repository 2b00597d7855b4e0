//! What others may send, and must not bring about.

use std::net::SocketAddr;

use halloo_proto::browser::{CHECKS, Change, SERVERS, SERVERS_PER_ADDRESS};

use crate::world::{Server, World};
use crate::{MILLI, SECOND};

#[test]
fn a_forged_goodbye_removes_nobody() {
    let mut world = World::new(1, vec![Server::new("a", 1, true)]);
    world.run(10 * SECOND);
    world.told();
    for _ in 0..1000 {
        world.hear(r#"{"service":"websocket_server_bye","v":2,"id":"a"}"#, [10, 0, 0, 66]);
        world.run(100 * MILLI);
    }
    assert!(world.told().is_empty());
}

#[test]
fn whoever_claims_another_ones_id_gains_nothing() {
    let mut world = World::new(1, vec![Server::new("a", 1, true)]);
    world.run(10 * SECOND);
    world.told();
    for _ in 0..1000 {
        world.hear(r#"{"service":"websocket_server","port":8765,"id":"a","name":"evil"}"#, [10, 0, 0, 66]);
        world.hear(
            r#"{"service":"websocket_server_reply","nonce":"nonce","port":8765,"id":"a","addresses":["10.0.0.66"]}"#,
            [10, 0, 0, 66],
        );
        world.hear(r#"{"service":"websocket_server_bye","v":2,"id":"a"}"#, [10, 0, 0, 66]);
        world.run(100 * MILLI);
    }
    assert!(world.told().is_empty());
    let server = world.browser.servers().next().unwrap();
    assert_eq!(server.addresses, [SocketAddr::from(([10, 0, 0, 1], 8765))]);
    assert_eq!(server.name, "name of a");
}

#[test]
fn a_reply_to_somebody_else_is_no_sighting_and_garbage_is_none() {
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
        world.hear(text, [10, 0, 0, 1]);
    }
    assert!(world.told().is_empty());
}

#[test]
fn what_a_server_tells_is_bounded_and_clean() {
    let mut world = World::new(1, Vec::new());
    let long = format!("\\u001b\\u202e{}", "x".repeat(400));
    let list = (0..100).map(|last| format!(r#""10.0.0.{last}""#)).collect::<Vec<_>>().join(",");
    let reply = format!(
        r#"{{"service":"websocket_server_reply","nonce":"nonce","port":8765,"id":"{long}","name":"{long}","clients":1e300,
            "ttl":-1e300,"addresses":["127.0.0.1","0.0.0.0","255.255.255.255","224.0.0.1","::1","x",{list}]}}"#
    );
    world.hear(&reply, [10, 0, 0, 1]);
    let server = world.browser.servers().next().unwrap();
    assert!(server.id.len() <= 32 && server.name.chars().count() <= 64);
    assert!(!server.id.contains(halloo_proto::text::is_harmful) && !server.name.contains('\u{202e}'));
    assert_eq!(server.addresses.len(), 8);
    assert!(server.addresses.iter().all(|addr| addr.to_string().starts_with("10.0.0.")), "{:?}", server.addresses);
    assert_eq!(server.clients, Some(u32::MAX));
    world.run(3600 * SECOND);
    assert_eq!(world.known().len(), 0, "and it never was");
}

#[test]
fn a_flood_of_forged_beacons_hides_nobody_and_passes() {
    let mut world = World::new(1, vec![Server::new("old", 1, true)]);
    world.run(10 * SECOND);
    world.told();
    let mut count = 0_u32;
    for step in 0..300 {
        for _ in 0..200 {
            count += 1;
            let beacon = format!(r#"{{"service":"websocket_server","port":8765,"id":"forged{count}"}}"#);
            let [_, b, c, d] = count.to_be_bytes();
            world.hear(&beacon, [172, b, c, d]);
        }
        if step == 100 {
            world.servers.push(Server::new("new", 2, true));
        }
        world.run(100 * MILLI);
        assert!(world.browser.servers().count() <= SERVERS);
    }
    assert!(world.browser.left_out() > 50_000);
    let known = world.known();
    assert!(known.contains(&"old") && known.contains(&"new"), "a server that answers is found in the flood");
    assert!(!world.told().contains(&"lost old".to_owned()));
    let busiest = world.checks.windows(CHECKS + 1).map(|some| some[CHECKS].0 - some[0].0).min().unwrap();
    assert!(busiest >= SECOND, "more than {CHECKS} questions over TCP in {busiest:?}");
    // Even in the flood the end of a real server is noticed in time.
    world.servers[0].killed = true;
    let killed = world.now;
    world.run(60 * SECOND);
    let lost = world.changes.iter().find(|(_, change)| matches!(change, Change::Lost(s) if s.id == "old")).unwrap().0;
    assert!(lost - killed <= 10 * SECOND, "{:?}", lost - killed);
    assert_eq!(world.known(), ["new"], "the forged ones are gone after a minute");
}

#[test]
fn one_device_cannot_fill_the_table() {
    let mut world = World::new(1, vec![Server::new("a", 1, false)]);
    for count in 0..1000 {
        let beacon = format!(r#"{{"service":"websocket_server","port":{},"id":"x{count}"}}"#, 1000 + count);
        world.hear(&beacon, [10, 0, 0, 66]);
    }
    assert_eq!(world.known().len(), SERVERS_PER_ADDRESS);
    world.run(SECOND);
    assert!(world.known().contains(&"a"));
}
