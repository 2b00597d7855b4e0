//! Servers that announce an address of another machine, which forwards connections to them.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use std::net::UdpSocket;
#[cfg(target_os = "linux")]
use std::net::{TcpListener, TcpStream};

use halloo::Server;
#[cfg(target_os = "linux")]
use halloo::{Client, ClientConfig, Event, Target};
#[cfg(target_os = "linux")]
use halloo_test_support::{ExpectEvent, in_namespace, shell, wait_until};
use halloo_test_support::{TEST_TIMEOUT, announced_config, http_get, local_search, loopback, unused_discovery_port};
use serde_json::{Value, json};

fn start(discovery_port: u16, advertise: &str) -> Server {
    let mut config = announced_config("den", discovery_port);
    config.advertise = advertise.parse().ok();
    Server::start(config).unwrap()
}

#[test]
fn links_beacons_and_replies_contain_the_advertised_address() {
    let port = unused_discovery_port();
    let listener = UdpSocket::bind(("0.0.0.0", port)).unwrap();
    listener.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
    let server = start(port, "203.0.113.5:9000");
    assert_eq!(server.url(), "ws://203.0.113.5:9000");
    assert_eq!(server.invitation(), "http://203.0.113.5:9000/");
    assert_eq!(server.urls(), [format!("ws://127.0.0.1:{}", server.port()), server.url()]);
    let mut buffer = [0; 600];
    let length = listener.recv(&mut buffer).unwrap();
    let beacon: Value = serde_json::from_slice(&buffer[..length]).unwrap();
    let expected = [json!("203.0.113.5"), json!(9000), json!(server.port())];
    assert_eq!(["ip", "port", "listen_port"].map(|key| beacon[key].clone()), expected, "{beacon}");
    let page = http_get(loopback(&server), "/discovery.json", "");
    let reply: Value = serde_json::from_str(page.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    assert_eq!(["ip", "port", "listen_port"].map(|key| reply[key].clone()), expected, "{reply}");
    assert_eq!((&reply["addresses"], &reply["advertised"]), (&json!(["203.0.113.5"]), &json!(true)));
    let mut search = local_search(port, TEST_TIMEOUT);
    search.first = true;
    let found = search.run().unwrap();
    assert_eq!(found[0].addresses.last(), Some(&loopback(&server)));
}

#[test]
#[cfg(target_os = "linux")]
fn client_connects_through_the_advertised_address() {
    if !in_namespace("client_connects_through_the_advertised_address", "") {
        return;
    }
    shell("ip addr add 10.77.0.1/32 dev lo");
    let forwarder = TcpListener::bind("10.77.0.1:0").unwrap();
    let discovery_port = unused_discovery_port();
    let server = start(discovery_port, &forwarder.local_addr().unwrap().to_string());
    let mut config = ClientConfig::new(Target::name("den"));
    config.search = local_search(discovery_port, TEST_TIMEOUT);
    let _client = Client::start(config).unwrap();
    forwarder.set_nonblocking(true).unwrap();
    let mut accepted = None;
    wait_until(|| {
        accepted = forwarder.accept().ok();
        accepted.is_some()
    });
    let (mut from_client, _) = accepted.unwrap();
    from_client.set_nonblocking(false).unwrap();
    let mut to_server = TcpStream::connect(loopback(&server)).unwrap();
    let (mut to_client, mut from_server) = (from_client.try_clone().unwrap(), to_server.try_clone().unwrap());
    std::thread::spawn(move || std::io::copy(&mut from_client, &mut to_server));
    std::thread::spawn(move || std::io::copy(&mut from_server, &mut to_client));
    server.expect_matching(|event| matches!(event, Event::ClientJoined { .. }).then_some(()));
}
