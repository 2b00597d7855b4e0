//! Servers that DNS-SD tells of: claims, which are asked over TCP.

use halloo_proto::browser::{CHECKS, Change, DiscoveryMethod};

use crate::world::{Server, World};
use crate::{MILLI, SECOND};

/// A server that is silent and hears no probe.
fn walled() -> World {
    let mut server = Server::new("a", 1, true);
    server.deaf = true;
    let mut world = World::new(1, vec![server]);
    // Nobody hears how it calls once at its start.
    world.loss = 100;
    world.run(SECOND);
    world.loss = 0;
    world
}

#[test]
fn one_that_no_datagram_reaches_is_found_and_stays() {
    let mut world = walled();
    world.run(60 * SECOND);
    assert!(world.told().is_empty(), "nothing tells of it");
    world.browser.handle_service(([10, 0, 0, 1], 8765).into());
    world.run(100 * MILLI);
    let Some((_, Change::Found(server))) = world.changes.first() else { panic!("{:?}", world.changes) };
    assert_eq!((server.via, server.name.as_str(), server.clients), (DiscoveryMethod::Mdns, "name of a", Some(1)));
    world.run(3600 * SECOND);
    assert_eq!(world.told(), ["found a"]);
    world.servers[0].killed = true;
    world.run(20 * SECOND);
    assert_eq!(world.told(), ["lost a"]);
}

#[test]
fn one_that_is_known_is_not_asked() {
    let mut world = World::new(1, vec![Server::new("a", 1, false)]);
    world.run(SECOND);
    world.browser.handle_service(([10, 0, 0, 1], 8765).into());
    world.run(SECOND);
    assert!(world.checks.is_empty());
}

#[test]
fn claims_are_bounded_and_nobody_is_found_by_them() {
    let mut world = walled();
    for number in 0..10_000_u16 {
        world.browser.handle_service(([10, 0, 9, 9], number).into());
    }
    world.run(60 * SECOND);
    assert!((CHECKS..=64).contains(&world.checks.len()), "{} connections", world.checks.len());
    assert!(world.told().is_empty());
}
