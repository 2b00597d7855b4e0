//! Networks that come and go while a server runs. Beacons are an hour apart here, so whatever is heard was told
//! because of a change.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the answer")]

mod isolated;

use std::net::Ipv4Addr;
use std::time::Duration;

use halloo::{Config, Event, Server};
use isolated::{Heard, Neighbour, inside, shell};

/// Long enough for a loaded machine; no test waits for it unless it fails.
const PATIENCE: Duration = Duration::from_secs(20);
const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 168, 77, 1);
const SECOND: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);

/// A server and its neighbour, who has heard the calls of the start.
fn announced() -> (Server, Neighbour, Heard) {
    let mut neighbour = Neighbour::new("cable", "192.168.77.1/24", "192.168.77.2/24");
    let mut heard = neighbour.listen(8766);
    let mut config = Config::default();
    (config.port, config.discovery_interval) = (0, Duration::from_secs(3600));
    let server = Server::start(config).unwrap();
    // The link may come up after the start, which is a change like others.
    while server.local_ip() != ADDRESS {
        next_addresses(&server);
    }
    hears(&mut heard, ADDRESS);
    (server, neighbour, heard)
}

/// Three beacons with this address, among others.
fn hears(heard: &mut Heard, ip: Ipv4Addr) {
    let mut right = 0;
    while right < 3 {
        let (_, beacon) = heard.datagram();
        assert_eq!(beacon["service"], "websocket_server");
        right += usize::from(beacon["ip"] == ip.to_string());
    }
}

fn next_addresses(server: &Server) -> Vec<Ipv4Addr> {
    loop {
        match server.wait_event(PATIENCE).expect("an event") {
            Event::AddressesChanged { addresses } => return addresses,
            Event::DiscoveryChanged { .. } | Event::ClientJoined { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_network_that_comes_is_announced_at_once_and_one_that_goes_is_forgotten() {
    if !inside("a_network_that_comes_is_announced_at_once_and_one_that_goes_is_forgotten", "") {
        return;
    }
    let (server, _neighbour, mut heard) = announced();
    shell(&format!("ip addr add {SECOND}/24 dev cable"));
    assert_eq!((next_addresses(&server), server.local_ip()), (vec![SECOND, ADDRESS], SECOND));
    hears(&mut heard, SECOND);
    shell("ip link set cable down");
    assert_eq!((next_addresses(&server), server.local_ip()), (vec![Ipv4Addr::LOCALHOST], Ipv4Addr::LOCALHOST));
    shell("ip link set cable up");
    assert_eq!(next_addresses(&server), [SECOND, ADDRESS]);
}

#[test]
fn a_busy_server_says_nothing_but_knows() {
    if !inside("a_busy_server_says_nothing_but_knows", "") {
        return;
    }
    let (server, mut neighbour, mut heard) = announced();
    neighbour.connect(&format!("ws://{ADDRESS}:{}", server.port()));
    shell(&format!("ip addr del {ADDRESS}/24 dev cable; ip addr add {SECOND}/24 dev cable"));
    assert_eq!((next_addresses(&server), server.local_ip()), (vec![SECOND], SECOND));
    // Had the change been called, that call would be heard before this one is over.
    shell(&format!("ip addr add {ADDRESS}/24 dev cable"));
    assert_eq!(next_addresses(&server), [SECOND, ADDRESS]);
    server.broadcast_now();
    let first: Vec<_> = (0..2).map(|_| heard.datagram().1["ip"].clone()).collect();
    assert_eq!(first, [SECOND.to_string(), ADDRESS.to_string()], "one call on each address, and none before");
}
