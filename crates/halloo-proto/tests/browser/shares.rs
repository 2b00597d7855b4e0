//! Many made-up servers: those that are real are found beside them.

use halloo_proto::browser::{Change, MAX_SERVERS};

use crate::world::{Server, World};
use crate::{MILLI, SECOND};

/// Sends beacons of made-up servers for `seconds`: of each address in turn, `each` servers, `rate` in a second.
fn flood(world: &mut World, addresses: u16, each: u16, rate: u32, seconds: u32) {
    for number in 0..rate * seconds {
        let address = (number % u32::from(addresses)) as u16;
        let port = 1000 + (number / u32::from(addresses) % u32::from(each)) as u16;
        let beacon = format!(r#"{{"service":"websocket_server","port":{port},"id":"x{address}-{port}"}}"#);
        let [high, low] = address.to_be_bytes();
        world.receive(&beacon, [10, 1, high, low]);
        if number % (rate / 100) == 0 {
            world.run(10 * MILLI);
        }
    }
}

#[test]
fn server_that_starts_during_a_flood_is_found() {
    for (addresses, each) in [(4, 64), (1000, 64)] {
        let mut world = World::new(1, vec![Server::new("old", 1, true)]);
        flood(&mut world, addresses, each, 1000, 3);
        assert!(world.known().contains(&"old") && world.known().len() <= MAX_SERVERS);
        world.servers.push(Server::new("new", 2, true));
        let start = world.now;
        flood(&mut world, addresses, each, 1000, 10);
        let is_new = |change: &Change| matches!(change, Change::Found(server) if server.id == "new");
        let found = world.changes.iter().find(|(_, change)| is_new(change)).map(|(at, _)| *at - start);
        eprintln!("{addresses} addresses: found after {found:?}, {} listed", world.known().len());
        assert!(found.is_some_and(|after| after <= 10 * SECOND), "{found:?}");
        assert!(world.known().contains(&"old"));
        assert!(!world.take_changes().contains(&"lost old".to_owned()));
        let seconds = (world.now - halloo_proto::Time::ZERO).as_secs() as usize;
        assert!(world.unicast.len() <= world.received.min(500 * seconds + 600), "{}", world.unicast.len());
    }
}

#[test]
fn few_addresses_cannot_fill_the_table() {
    let mut world = World::new(1, Vec::new());
    flood(&mut world, 4, 1000, 4000, 1);
    assert!(world.known().len() <= 200, "{}", world.known().len());
    // An older server that proves nothing, because it sends beacons only.
    let mut old = Server::new("-", 2, false);
    old.old = true;
    world.servers.push(old);
    world.run(3 * SECOND);
    assert!(world.known().contains(&"10.0.0.2:8765"));
}

#[test]
fn device_whose_made_up_servers_answer_leaves_room_for_others() {
    let made_up = |number: u16| {
        let mut server = Server::new(&format!("x{number}"), 66 + (number / 128) as u8, true);
        server.port = 1000 + number % 128;
        server
    };
    let mut world = World::new(1, (0..512).map(made_up).collect());
    world.run(10 * SECOND);
    world.servers.push(Server::new("new", 2, true));
    world.run(10 * SECOND);
    assert!(world.known().contains(&"new"), "{}", world.known().len());
    assert!(world.known().len() <= MAX_SERVERS);
}
