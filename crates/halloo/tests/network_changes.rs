//! Networks that come and go while a server runs. Beacons are an hour apart here, so that the listener receives only
//! those that a change causes.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use halloo::{Client, ClientConfig, ClientEvent, Config, Event, Server, Target};
use halloo_test_support::{ChildProcess, DatagramListener, ExpectEvent, RemoteHost, in_namespace, shell};

const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 77, 1));
const SECOND_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 0, 1));
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Returns a server, and a remote host that has received the beacons of its start.
fn announced_server() -> (Server, RemoteHost, DatagramListener) {
    let host = RemoteHost::new("cable", "192.168.77.1/24", "192.168.77.2/24");
    let mut listener = host.listen(8766);
    let mut config = Config::default();
    (config.port, config.discovery_interval) = (0, Duration::from_secs(3600));
    let server = Server::start(config).unwrap();
    // The link may come up after the start, which is a change like any other.
    while server.local_ip() != ADDRESS {
        next_addresses(&server);
    }
    expect_beacons(&mut listener, ADDRESS);
    (server, host, listener)
}

/// Expects three beacons with this address, perhaps among others.
fn expect_beacons(listener: &mut DatagramListener, ip: IpAddr) {
    let mut matching = 0;
    while matching < 3 {
        let (_, beacon) = listener.next_datagram();
        assert_eq!(beacon["service"], "websocket_server");
        matching += usize::from(beacon["ip"] == ip.to_string());
    }
}

fn next_addresses(server: &Server) -> Vec<IpAddr> {
    server.expect_matching(|event| match event {
        Event::AddressesChanged { addresses } => Some(addresses),
        Event::DiscoveryChanged { .. } | Event::ClientJoined { .. } => None,
        other => panic!("{other:?}"),
    })
}

#[test]
fn a_new_network_is_announced_at_once_and_a_lost_one_is_forgotten() {
    if !in_namespace("a_new_network_is_announced_at_once_and_a_lost_one_is_forgotten", "") {
        return;
    }
    let (server, _host, mut listener) = announced_server();
    shell(&format!("ip addr add {SECOND_ADDRESS}/24 dev cable"));
    assert_eq!((next_addresses(&server), server.local_ip()), (vec![SECOND_ADDRESS, ADDRESS], SECOND_ADDRESS));
    expect_beacons(&mut listener, SECOND_ADDRESS);
    shell("ip link set cable down");
    assert_eq!((next_addresses(&server), server.local_ip()), (vec![LOOPBACK], LOOPBACK));
    shell("ip link set cable up");
    assert_eq!(next_addresses(&server), [SECOND_ADDRESS, ADDRESS]);
}

#[test]
fn renamed_and_replaced_interfaces_are_announced_at_once() {
    if !in_namespace("renamed_and_replaced_interfaces_are_announced_at_once", "") {
        return;
    }
    let (server, host, mut listener) = announced_server();
    shell("ip link set cable down; ip link set cable name wire; ip link set wire up");
    expect_beacons(&mut listener, ADDRESS);
    // The same name and address with another number.
    let inside = ChildProcess::start(&mut host.command("cat"));
    let end = inside.id();
    shell(&format!(
        "ip link del wire; ip link add wire type veth peer name eth0 netns {end}
         nsenter -t {end} -n sh -c 'ip link set eth0 up; ip addr add 192.168.77.2/24 dev eth0'
         ip addr add {ADDRESS}/24 dev wire; ip link set wire up"
    ));
    expect_beacons(&mut listener, ADDRESS);
    let _client = host.connect_client(&format!("ws://{ADDRESS}:{}", server.port()));
}

#[test]
fn a_client_that_finds_no_server_reports_that_there_is_no_network() {
    if !in_namespace("a_client_that_finds_no_server_reports_that_there_is_no_network", "") {
        return;
    }
    let reason = || {
        let mut config = ClientConfig::new(Target::name("den"));
        (config.search.timeout, config.retry_limit.max_attempts) = (Duration::from_millis(50), Some(1));
        Client::start(config).unwrap().expect_matching(|event| match event {
            ClientEvent::GaveUp { reason, .. } => Some(reason),
            _ => None,
        })
    };
    assert_eq!(reason(), "no server named `den` was found; this machine has no network");
    shell(&format!("ip addr add {ADDRESS}/24 dev lo"));
    assert_eq!(reason(), "no server named `den` was found");
}

#[test]
fn a_busy_server_notices_changes_without_sending_beacons() {
    if !in_namespace("a_busy_server_notices_changes_without_sending_beacons", "") {
        return;
    }
    let (server, host, mut listener) = announced_server();
    let _client = host.connect_client(&format!("ws://{ADDRESS}:{}", server.port()));
    shell(&format!("ip addr del {ADDRESS}/24 dev cable; ip addr add {SECOND_ADDRESS}/24 dev cable"));
    assert_eq!((next_addresses(&server), server.local_ip()), (vec![SECOND_ADDRESS], SECOND_ADDRESS));
    // A beacon because of this change would arrive before the second change is over.
    shell(&format!("ip addr add {ADDRESS}/24 dev cable"));
    assert_eq!(next_addresses(&server), [SECOND_ADDRESS, ADDRESS]);
    server.broadcast_now();
    let beacons: Vec<_> = (0..2).map(|_| listener.next_datagram().1["ip"].clone()).collect();
    assert_eq!(beacons, [SECOND_ADDRESS.to_string(), ADDRESS.to_string()], "one beacon per address, and none before");
}
