//! Servers from DNS-SD, which are reported only after a check over TCP.

use halloo_proto::browser::{Change, DiscoveryMethod, MAX_CHECKS};

use crate::world::{Server, World};
use crate::{MILLI, SECOND};

/// A world with one server that sends no beacons and receives no probes.
fn unreachable_by_udp() -> World {
    let mut server = Server::new("a", 1, true);
    server.ignores_probes = true;
    let mut world = World::new(1, vec![server]);
    // The beacons at its start are lost.
    world.loss = 100;
    world.run(SECOND);
    world.loss = 0;
    world
}

#[test]
fn service_that_no_datagram_reaches_is_found_and_stays_known() {
    let mut world = unreachable_by_udp();
    world.run(60 * SECOND);
    assert!(world.take_changes().is_empty(), "the browser does not know of it");
    world.browser.handle_service(([10, 0, 0, 1], 8765).into());
    world.run(100 * MILLI);
    let Some((_, Change::Found(server))) = world.changes.first() else { panic!("{:?}", world.changes) };
    assert_eq!((server.via, server.name.as_str(), server.clients), (DiscoveryMethod::Mdns, "name of a", Some(1)));
    world.run(3600 * SECOND);
    assert_eq!(world.take_changes(), ["found a"]);
    world.servers[0].killed = true;
    world.run(20 * SECOND);
    assert_eq!(world.take_changes(), ["lost a"]);
}

#[test]
fn service_of_a_known_server_is_not_checked() {
    let mut world = World::new(1, vec![Server::new("a", 1, false)]);
    world.run(SECOND);
    world.browser.handle_service(([10, 0, 0, 1], 8765).into());
    world.run(SECOND);
    assert!(world.checks.is_empty());
}

#[test]
fn checks_of_forged_services_are_bounded_and_find_nothing() {
    let mut world = unreachable_by_udp();
    for number in 0..10_000_u16 {
        world.browser.handle_service(([10, 0, 9, 9], number).into());
    }
    world.run(60 * SECOND);
    assert!((MAX_CHECKS..=64).contains(&world.checks.len()), "{} connections", world.checks.len());
    assert!(world.take_changes().is_empty());
}

#[test]
fn service_that_another_server_lists_as_its_own_is_found() {
    let mut world = unreachable_by_udp();
    let reply =
        r#"{"service":"websocket_server_reply","nonce":"nonce","port":8765,"id":"evil","addresses":["10.0.0.1"]}"#;
    world.receive(reply, [10, 0, 0, 66]);
    world.browser.handle_service(([10, 0, 0, 1], 8765).into());
    world.run(100 * MILLI);
    assert_eq!(world.known(), ["evil", "a"]);
}
