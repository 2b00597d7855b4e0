//! A server on a network without IPv4.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use std::net::UdpSocket;
use std::time::Duration;

use halloo::{Config, Event, Server};
use halloo_proto::announcement::probe_besides;
use halloo_test_support::{ExpectEvent, RemoteHost, TEST_TIMEOUT, in_namespace, shell};

/// Link-local addresses can be used at once.
const NO_DAD: &str = "echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad";

/// Starts a server whose beacons are an hour apart, so that each one has another cause.
fn start_server() -> Server {
    let mut config = Config::default();
    (config.port, config.discovery_interval) = (0, Duration::from_secs(3600));
    Server::start(config).unwrap()
}

fn next_addresses(server: &Server) -> Vec<String> {
    server.expect_matching(|event| match event {
        Event::AddressesChanged { addresses } => Some(addresses.iter().map(ToString::to_string).collect()),
        _ => None,
    })
}

#[test]
fn new_ipv6_address_is_announced_at_once_on_an_interface_without_ipv4() {
    if !in_namespace("new_ipv6_address_is_announced_at_once_on_an_interface_without_ipv4", NO_DAD) {
        return;
    }
    let host = RemoteHost::new("cable", "10.77.0.1/24", "fd00::2/64 nodad");
    let mut listener = host.listen_ipv6(8766);
    let server = start_server();
    while server.local_ip().to_string() != "10.77.0.1" {
        next_addresses(&server);
    }
    // The first datagram that the listener receives is about this address: there was none as long as there was IPv4.
    shell("ip addr add fd00::1/64 dev cable nodad; ip addr del 10.77.0.1/24 dev cable");
    while next_addresses(&server) != ["fd00::1"] {}
    let (sender, beacon) = listener.next_datagram();
    assert_eq!((sender.as_str(), &beacon["service"]), ("fd00::1", &"websocket_server".into()), "{beacon}");
    assert_eq!((&beacon["ip"], &beacon["port"]), (&"fd00::1".into(), &server.port().into()));
    let (url, page) = (format!("ws://[fd00::1]:{}", server.port()), format!("http://[fd00::1]:{}/", server.port()));
    assert_eq!((server.url(), server.page_url(), server.status().local_ip), (url.clone(), page, "fd00::1".into()));
    assert!(server.urls().contains(&url));
    let _client = host.connect_client(&url);

    shell("ip addr del fd00::1/64 dev cable");
    while next_addresses(&server) != ["127.0.0.1"] {}
    assert_eq!(
        server.page_url(),
        format!("http://127.0.0.1:{}/", server.port()),
        "browsers open no link-local address"
    );
}

#[test]
fn a_server_on_the_ipv4_addresses_has_no_url_and_no_replies_over_ipv6() {
    let name = "a_server_on_the_ipv4_addresses_has_no_url_and_no_replies_over_ipv6";
    if !in_namespace(name, "ip addr add fd00::1/64 dev lo nodad") {
        return;
    }
    let mut config = Config::default();
    (config.port, config.bind) = (0, Some([0, 0, 0, 0].into()));
    let server = Server::start(config).unwrap();
    assert_eq!(server.urls(), [format!("ws://127.0.0.1:{}", server.port())]);
    assert_eq!(server.page_url(), format!("http://127.0.0.1:{}/", server.port()));
    // A socket that does not share its port can be bound only where the server does not listen.
    UdpSocket::bind("[fd00::1]:8766").unwrap();
}

#[test]
fn a_probe_that_is_also_sent_over_ipv4_is_not_answered_twice() {
    let setup = "ip addr add fd00::1/64 dev lo nodad; ip addr add 10.77.0.1/24 dev lo";
    if !in_namespace("a_probe_that_is_also_sent_over_ipv4_is_not_answered_twice", setup) {
        return;
    }
    let _server = start_server();
    let socket = UdpSocket::bind("[fd00::1]:0").unwrap();
    socket.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
    // The second one comes from another network, so that only IPv6 reaches the server.
    for probe in [probe_besides("near", [10, 77, 0, 9].into()), probe_besides("far", [10, 78, 0, 9].into())] {
        socket.send_to(&probe, "[fd00::1]:8766").unwrap();
    }
    let mut buffer = [0; 600];
    let (length, _) = socket.recv_from(&mut buffer).unwrap();
    let reply: serde_json::Value = serde_json::from_slice(&buffer[..length]).unwrap();
    assert_eq!((&reply["nonce"], &reply["ip"]), (&"far".into(), &"fd00::1".into()));
    assert_eq!(reply["addresses"], serde_json::json!(["10.77.0.1"]), "clients of IPv4 alone can use them");
}
