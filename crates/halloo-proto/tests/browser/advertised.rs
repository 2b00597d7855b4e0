//! Servers that announce an address of another machine, which forwards connections to them.

use std::net::SocketAddr;

use crate::SECOND;
use crate::world::World;

/// The reply of a server in a container, which listens on port 8765 and is reached at port 9000 of 192.168.1.5.
const REPLY: &str = r#"{"service":"websocket_server_reply","nonce":"nonce","id":"a","ip":"192.168.1.5","port":9000,"addresses":["192.168.1.5"],"advertised":true,"listen_port":8765}"#;

fn addresses(world: &World) -> Vec<SocketAddr> {
    world.browser.servers().flat_map(|server| server.addresses.clone()).collect()
}

#[test]
fn advertised_address_comes_before_the_source() {
    let mut world = World::new(1, Vec::new());
    world.receive(REPLY, [172, 17, 0, 2]);
    let expected: [SocketAddr; 2] = [([192, 168, 1, 5], 9000).into(), ([172, 17, 0, 2], 8765).into()];
    assert_eq!(addresses(&world), expected);
    world.take_changes();
    world.receive(REPLY, [172, 17, 0, 2]);
    assert!(world.take_changes().is_empty());
}

#[test]
fn forwarded_reply_is_from_the_advertised_address() {
    let mut world = World::new(1, Vec::new());
    world.receive(REPLY, [192, 168, 1, 5]);
    assert_eq!(addresses(&world), [([192, 168, 1, 5], 9000).into()]);
    world.run(20 * SECOND);
    assert!(world.checks.iter().all(|(_, addr)| addr.port() == 9000), "{:?}", world.checks);
}

#[test]
fn beacon_without_a_list_leads_to_the_port_on_which_the_server_listens() {
    let mut world = World::new(1, Vec::new());
    let beacon =
        r#"{"service":"websocket_server","ip":"192.168.1.5","port":9000,"timestamp":1,"id":"a","listen_port":8765}"#;
    world.receive(beacon, [172, 17, 0, 2]);
    assert_eq!(addresses(&world), [([172, 17, 0, 2], 8765).into()]);
    world.receive(REPLY, [172, 17, 0, 2]);
    assert_eq!(addresses(&world).len(), 2);
}
