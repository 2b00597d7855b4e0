//! A device that reads every broadcast and sends datagrams from any address: a server that answers stays listed, at its
//! address.

use std::net::SocketAddr;
use std::time::Duration;

use halloo_proto::browser::Change;
use proptest::prelude::*;

use crate::world::{Server, World};
use crate::{MILLI, SECOND};

const ADDRESS: [u8; 4] = [10, 0, 0, 1];
const ATTACKER: [u8; 4] = [10, 0, 0, 66];
const GOODBYE: &str = r#"{"service":"websocket_server_bye","v":2,"id":"a"}"#;

/// Returns a world with the server `a`, which uses TLS, after ten seconds.
fn world() -> World {
    let mut server = Server::new("a", 1, true);
    server.tls = true;
    let mut world = World::new(1, vec![server]);
    world.run(10 * SECOND);
    world.take_changes();
    world
}

/// Returns the servers that are listed at this address, best first.
fn listed_at(world: &World, ip: [u8; 4]) -> Vec<&halloo_proto::browser::Server> {
    let addr = SocketAddr::from((ip, 8765));
    world.browser.servers().filter(|server| server.addresses.contains(&addr)).collect()
}

fn lost_at(world: &World) -> Option<Duration> {
    let is_lost = |change: &Change| matches!(change, Change::Lost(server) if server.id == "a");
    world.changes.iter().find(|(_, change)| is_lost(change)).map(|(at, _)| *at - halloo_proto::Time::ZERO)
}

#[test]
fn forged_goodbyes_hide_no_server_and_cost_few_probes() {
    for rate in [10, 1000] {
        let mut world = world();
        let (unicast, start) = (world.unicast.len(), world.now);
        for _ in 0..20 * rate {
            world.receive(GOODBYE, ADDRESS);
            world.run(SECOND / rate);
            assert_eq!(listed_at(&world, ADDRESS).len(), 1);
        }
        assert!(world.take_changes().is_empty());
        let (probes, checks) = (world.unicast.len() - unicast, world.checks.len());
        assert!(probes <= 41 && checks == 0, "{probes} probes and {checks} checks in {:?}", world.now - start);
        // A real one among them.
        let stopped = world.now - halloo_proto::Time::ZERO;
        world.stop(0);
        world.run(SECOND);
        let lost = lost_at(&world).unwrap() - stopped;
        assert!(lost <= 600 * MILLI, "{lost:?}");
    }
}

#[test]
fn goodbye_is_believed_within_100_ms_even_when_the_machine_is_off() {
    for unplugged in [false, true] {
        let mut world = world();
        world.stop(0);
        world.servers[0].unplugged = unplugged;
        let stopped = world.now - halloo_proto::Time::ZERO;
        world.run(SECOND);
        let lost = lost_at(&world).unwrap() - stopped;
        eprintln!("lost {lost:?} after a goodbye, unplugged: {unplugged}");
        assert!(lost <= 100 * MILLI, "{lost:?}, unplugged: {unplugged}");
    }
}

#[test]
fn forged_goodbyes_hide_no_server_that_receives_no_probes() {
    let mut world = world();
    // Also because forged probes use up the replies that it sends to this browser.
    world.servers[0].ignores_probes = true;
    for _ in 0..200 {
        world.receive(GOODBYE, ADDRESS);
        world.run(100 * MILLI);
        assert_eq!(listed_at(&world, ADDRESS).len(), 1);
    }
    assert!(world.checks.len() <= 45, "{} checks in 20 s", world.checks.len());
}

#[test]
fn forged_goodbyes_are_not_confirmed_by_a_network_that_loses_datagrams() {
    let mut world = world();
    world.receive(GOODBYE, ADDRESS);
    world.run(SECOND);
    world.loss = 30;
    for _ in 0..300 {
        world.receive(GOODBYE, ADDRESS);
        world.run(100 * MILLI);
        assert_eq!(listed_at(&world, ADDRESS).len(), 1);
    }
}

#[test]
fn another_id_at_its_address_does_not_replace_a_server() {
    let mut world = world();
    for number in 0..200 {
        let other = format!(r#"{{"service":"websocket_server","port":8765,"id":"other{number}","name":"evil"}}"#);
        world.receive(&other, ADDRESS);
        let reply = other.replace("websocket_server", "websocket_server_reply").replace("{", r#"{"nonce":"nonce","#);
        world.receive(&reply, ADDRESS);
        world.run(100 * MILLI);
        assert_eq!(world.known(), ["a"]);
    }
    assert!(world.take_changes().is_empty());
}

#[test]
fn claims_from_its_address_do_not_change_what_a_server_has_proven() {
    let mut world = world();
    let claims = [
        r#"{"service":"websocket_server","port":8765,"id":"a","tls":false,"auth":false,"name":"evil","app":"evil"}"#,
        r#"{"service":"websocket_server_reply","nonce":"nonce","port":8765,"id":"a","tls":false,"name":"evil","addresses":["10.0.0.66"],"advertised":true}"#,
        r#"{"service":"websocket_server_reply","nonce":"nonce","port":8765,"id":"a","tls":true,"auth":true}"#,
        // Without an id, as an older server sends it.
        r#"{"service":"websocket_server","port":8765,"tls":false,"name":"evil"}"#,
    ];
    for claim in claims.iter().cycle().take(400) {
        world.receive(claim, ADDRESS);
        world.run(50 * MILLI);
        let server = world.browser.servers().next().unwrap();
        assert_eq!(
            (server.tls, server.auth, server.name.as_str(), server.app.as_deref()),
            (true, false, "name of a", None)
        );
        assert_eq!(server.addresses, [SocketAddr::from((ADDRESS, 8765))]);
    }
    assert!(world.take_changes().is_empty());
    // A real change is proven and then shown, without waiting for the next probe to all.
    world.servers[0].tls = false;
    world.run(4 * SECOND);
    assert!(!world.browser.servers().next().unwrap().tls);
}

#[test]
fn beacon_does_not_change_tls_of_a_server_that_has_only_replied() {
    let mut world = World::new(1, Vec::new());
    world.receive(r#"{"service":"websocket_server_reply","nonce":"nonce","port":8765,"id":"a","tls":true}"#, ADDRESS);
    world.receive(r#"{"service":"websocket_server","port":8765,"id":"a","tls":false}"#, ADDRESS);
    assert!(world.browser.servers().next().unwrap().tls);
}

#[test]
fn two_machines_with_one_id_are_both_listed() {
    // The second one is a copy of the first, or an attacker.
    let mut world = world();
    world.servers.push(Server::new("a", 66, false));
    world.run(20 * SECOND);
    assert_eq!(world.known(), ["a", "10.0.0.66:8765"]);
    assert_eq!(listed_at(&world, ADDRESS)[0].id, "a");
    world.receive(GOODBYE, ADDRESS);
    world.run(20 * SECOND);
    assert_eq!(listed_at(&world, ADDRESS)[0].id, "a");
    // It gets the id when the first one is gone.
    world.servers[0].killed = true;
    world.run(20 * SECOND);
    assert_eq!(world.known(), ["a"]);
    assert_eq!(listed_at(&world, ATTACKER).len(), 1);
}

#[test]
fn taking_the_id_first_does_not_hide_the_server() {
    for listed in [None, Some(vec![ADDRESS.into()]), Some(vec![ADDRESS.into(), ATTACKER.into()])] {
        let mut squatter = Server::new("a", 66, false);
        squatter.listed = listed.clone();
        let mut world = World::new(1, vec![squatter]);
        world.run(10 * SECOND);
        world.servers.push(Server::new("a", 1, true));
        world.servers[1].tls = true;
        world.run(10 * SECOND);
        for _ in 0..100 {
            world.run(100 * MILLI);
            let servers = listed_at(&world, ADDRESS);
            assert!(servers.len() == 1 && servers[0].tls, "{listed:?}: {servers:?}");
            assert_eq!(servers[0].addresses[0], SocketAddr::from((ADDRESS, 8765)), "{listed:?}");
        }
    }
}

#[test]
fn claimed_id_does_not_hide_the_server_that_proves_it() {
    let mut world = World::new(1, Vec::new());
    let claim = r#"{"service":"websocket_server","port":8765,"id":"a","name":"evil"}"#;
    world.receive(claim, ATTACKER);
    assert_eq!(listed_at(&world, ATTACKER).len(), 1, "so far, it is the only one that claims it");
    world.servers.push(Server::new("a", 1, true));
    for _ in 0..100 {
        world.run(100 * MILLI);
        world.receive(claim, ATTACKER);
    }
    assert_eq!(listed_at(&world, ADDRESS)[0].name, "name of a");
    assert!(listed_at(&world, ATTACKER).is_empty());
}

/// What an attacker sends.
#[derive(Clone, Debug)]
struct Forged {
    kind: usize,
    /// Real, made up, or none.
    id: usize,
    from: u8,
    port: u16,
    keys: usize,
    wait: u16,
}

fn forged() -> impl Strategy<Value = Forged> {
    let from = prop_oneof![3 => Just(1_u8), 2 => Just(66), 2 => Just(67), 1 => 2..250_u8];
    (0..4_usize, 0..4_usize, from, 8764..8767_u16, 0..5_usize, prop_oneof![Just(0), 0..50_u16, 0..1500_u16])
        .prop_map(|(kind, id, from, port, keys, wait)| Forged { kind, id, from, port, keys, wait })
}

impl Forged {
    fn text(&self) -> String {
        let service = ["websocket_server_bye", "websocket_server_bye", "websocket_server", "websocket_server_reply"];
        let id = ["\"a\"", "\"a\"", "\"made up\"", "0"][self.id];
        let keys =
            ["", r#","tls":false,"auth":true"#, r#","name":"evil""#, r#","addresses":["10.0.0.66"]"#, r#","app":"x""#];
        let (service, port, keys) = (service[self.kind], self.port, keys[self.keys]);
        format!(r#"{{"service":"{service}","nonce":"nonce","id":{id},"port":{port}{keys}}}"#)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn server_that_answers_is_listed_at_its_address_whatever_is_forged(
        datagrams in prop::collection::vec(forged(), 0..40),
        copy in any::<bool>(),
        first in 0..20_usize,
    ) {
        let mut world = World::new(1, Vec::new());
        if copy {
            // An attacker at its own address that answers with the id of the server.
            world.servers.push(Server::new("a", 66, false));
        }
        let mut is_due = None;
        for (index, datagram) in datagrams.iter().enumerate() {
            if index == first.min(datagrams.len() / 2) {
                let mut server = Server::new("a", 1, index % 2 == 0);
                server.tls = true;
                world.servers.push(server);
                is_due = Some(world.now + 4 * SECOND);
            }
            world.receive(&datagram.text(), [10, 0, 0, datagram.from]);
            let end = world.now + Duration::from_millis(datagram.wait.into());
            while world.now < end {
                world.run((20 * MILLI).min(end - world.now));
                let servers = listed_at(&world, ADDRESS);
                if is_due.is_some_and(|due| world.now >= due) {
                    prop_assert!(servers.len() == 1 && servers[0].tls, "{:?} at {:?}", servers, world.now);
                }
            }
        }
        let seconds = (world.now - halloo_proto::Time::ZERO).as_secs() as usize + 1;
        let proven = 1 + usize::from(copy);
        let allowed = world.received + 2 * 2 * proven * seconds + 8;
        prop_assert!(world.unicast.len() <= allowed, "{} probes, {} allowed", world.unicast.len(), allowed);
        prop_assert!(world.probes.len() <= 4 + 2 * seconds + 1);
        prop_assert!(world.browser.stored_bytes() <= 256 * 6000);
    }
}
