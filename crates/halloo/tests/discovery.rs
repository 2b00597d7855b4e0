//! Beacons, probes and replies, on loopback and on discovery ports of the tests' own.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use std::net::{TcpStream, UdpSocket};
use std::time::Duration;

use halloo::{Browser, Config, Server, ServerInfo};
use halloo_proto::announcement::probe;
use halloo_test_support::{
    ExpectEvent, LOOPBACK_BROADCAST, TEST_TIMEOUT, announced_server, broadcast_socket, connect_peer,
    local_browser_config, loopback, unused_discovery_port, wait_until,
};

/// Runs a browser until `is_done` accepts its servers, and returns them.
fn browse_until(discovery_port: u16, is_done: impl Fn(&[ServerInfo]) -> bool) -> Vec<ServerInfo> {
    let browser = Browser::start(local_browser_config(discovery_port)).unwrap();
    while !is_done(&browser.servers()) {
        browser.expect_event();
    }
    browser.servers()
}

#[test]
fn two_servers_on_one_machine_are_both_found() {
    let port = unused_discovery_port();
    let (one, two) = (announced_server("one", port), announced_server("two", port));
    let mut found = browse_until(port, |found| found.len() == 2);
    found.sort_by(|a, b| a.name.cmp(&b.name));
    let urls: Vec<&str> = found.iter().map(|server| server.url.as_str()).collect();
    assert_eq!(urls, [one.url(), two.url()]);
    assert_ne!(found[0].id, found[1].id);
}

#[test]
fn a_server_with_clients_sends_no_beacons_but_answers_probes() {
    let port = unused_discovery_port();
    let server = announced_server("busy", port);
    let _peer = connect_peer(&server);
    let found = browse_until(port, |found| found.iter().any(|server| server.clients == Some(1)));
    assert_eq!(found[0].name, "busy");
    server.stop_service_discovery();
    assert!(!server.status().discovery_enabled, "the status reflects earlier commands");
    let browser = Browser::start(local_browser_config(port)).unwrap();
    assert!(browser.wait_event(Duration::from_millis(500)).is_none());
}

#[test]
fn a_busy_server_is_found_although_another_program_uses_its_discovery_port() {
    // Without SO_REUSEADDR, as existing clients bind it.
    let port = unused_discovery_port();
    let _other_program = UdpSocket::bind(("0.0.0.0", port)).unwrap();
    let server = announced_server("elsewhere", port);
    assert_ne!(server.discovery_port(), port);
    let _peer = connect_peer(&server);
    let found = browse_until(port, |found| found.iter().any(|server| server.clients == Some(1)));
    assert_eq!(found[0].name, "elsewhere");
}

#[test]
fn invalid_datagrams_and_short_probes_are_not_answered() {
    let port = unused_discovery_port();
    let server = announced_server("quiet", port);
    let sender = broadcast_socket(Duration::from_millis(300));
    for datagram in
        [&b"\0\xff"[..], b"{}", b"{\"service\":\"websocket_server\"}", b"{\"service\":\"websocket_server_probe\"}"]
    {
        sender.send_to(datagram, (LOOPBACK_BROADCAST, port)).unwrap();
    }
    assert!(sender.recv_from(&mut [0; 600]).is_err(), "the last one is a probe, but shorter than a reply");
    assert!(server.status().server_running);
}

#[test]
fn unanswered_probes_do_not_count_towards_the_reply_limit() {
    let port = unused_discovery_port();
    let server = announced_server("calm", port);
    let flood = broadcast_socket(TEST_TIMEOUT);
    // More than the 200 replies per second, fewer than the buffer of a socket holds.
    for _ in 0..220 {
        flood.send_to(b"{\"service\":\"websocket_server_probe\"}", (LOOPBACK_BROADCAST, port)).unwrap();
    }
    // The server reads this probe after the flood.
    let sender = broadcast_socket(Duration::from_secs(5));
    sender.send_to(&probe("n"), (LOOPBACK_BROADCAST, port)).unwrap();
    assert!(sender.recv_from(&mut [0; 600]).is_ok(), "the flood used up the replies");
    assert!(server.status().server_running);
}

#[test]
fn discovery_that_is_started_later_answers_probes() {
    let port = unused_discovery_port();
    let mut config = Config::local();
    config.discovery_port = port;
    let server = Server::start(config).unwrap();
    server.start_service_discovery();
    wait_until(|| server.status().discovery_enabled);
    let sender = broadcast_socket(Duration::from_secs(5));
    sender.send_to(&probe("n"), (LOOPBACK_BROADCAST, port)).unwrap();
    assert!(sender.recv_from(&mut [0; 600]).is_ok());
}

/// The listener here follows the documented protocol and shares no code with the library.
#[test]
fn beacons_pause_while_there_are_clients_and_a_goodbye_ends_them() {
    let listener = UdpSocket::bind("127.255.255.255:0").or_else(|_| UdpSocket::bind("0.0.0.0:0")).unwrap();
    listener.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
    let server = announced_server("den", listener.local_addr().unwrap().port());
    let next_datagram = || {
        let mut buffer = [0; 600];
        let (length, _) = listener.recv_from(&mut buffer).expect("a datagram");
        serde_json::from_slice::<serde_json::Value>(&buffer[..length]).unwrap()
    };
    let beacon = next_datagram();
    assert_eq!(beacon["service"], "websocket_server");
    assert_eq!(beacon["ip"], "127.0.0.1");
    assert_eq!(beacon["port"], server.port());
    assert!(beacon["timestamp"].as_u64().unwrap() > 1_700_000_000);
    let bare = TcpStream::connect(loopback(&server)).unwrap();
    let status = server.status();
    assert!(status.discovery_enabled && status.discovery_active, "a connection without a handshake does not count");
    let peer = connect_peer(&server);
    wait_until(|| !server.status().discovery_active);
    listener.set_nonblocking(true).unwrap();
    while listener.recv_from(&mut [0; 600]).is_ok() {}
    listener.set_nonblocking(false).unwrap();
    drop((peer, bare));
    assert_eq!(next_datagram()["service"], "websocket_server");
    drop(server);
    let mut last = std::iter::repeat_with(next_datagram).take(10);
    assert!(last.any(|datagram| datagram["service"] == "websocket_server_bye"));
}
