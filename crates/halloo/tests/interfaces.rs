//! Servers and browsers that use some network interfaces only, with cables to remote hosts in network namespaces.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use std::io::Read;
use std::net::{Ipv4Addr, TcpStream, UdpSocket};
use std::time::Duration;

use halloo::{Browser, BrowserConfig, Config, Server};
use halloo_proto::announcement::{Beacon, probe};
use halloo_test_support::{ExpectEvent, RemoteHost, in_namespace};

const FIRST: Ipv4Addr = Ipv4Addr::new(192, 168, 77, 1);
const SECOND: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);

fn two_networks() -> (RemoteHost, RemoteHost) {
    (
        RemoteHost::new("first", "192.168.77.1/24", "192.168.77.2/24"),
        RemoteHost::new("second", "10.77.0.1/16", "10.77.0.2/16"),
    )
}

/// Starts a server that uses some interfaces only.
fn start_server(interfaces: &[&str], excluded: &[&str]) -> Server {
    let mut config = Config::default();
    let owned = |patterns: &[&str]| patterns.iter().map(|&pattern| pattern.to_owned()).collect();
    (config.interfaces, config.excluded_interfaces) = (owned(interfaces), owned(excluded));
    (config.port, config.discovery_interval) = (0, Duration::from_millis(100));
    Server::start(config).unwrap()
}

/// Returns whether a probe from an address of this machine is answered.
fn is_answered(from: Ipv4Addr) -> bool {
    let socket = UdpSocket::bind((from, 0)).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    socket.send_to(&probe("1"), (from, 8766)).unwrap();
    socket.recv_from(&mut [0; 2048]).is_ok()
}

/// Returns whether a connection to an address of this machine is closed at once.
fn is_closed(to: Ipv4Addr, port: u16) -> bool {
    let mut stream = TcpStream::connect((to, port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    match stream.read(&mut [0]) {
        Ok(count) => count == 0,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

#[test]
fn server_is_announced_and_served_only_on_the_interfaces_in_use() {
    if !in_namespace("server_is_announced_and_served_only_on_the_interfaces_in_use", "") {
        return;
    }
    let (first_host, second_host) = two_networks();
    for (interfaces, excluded) in [(&["first"][..], &[][..]), (&[], &["SEC*"])] {
        let (mut on_first, mut on_second) = (first_host.listen(8766), second_host.listen(8766));
        let server = start_server(interfaces, excluded);
        for _ in 0..4 {
            assert_eq!(on_first.next_datagram().0, FIRST.to_string());
        }
        // The first datagram that arrives there is not one of the server.
        let marker = UdpSocket::bind((SECOND, 0)).unwrap();
        marker.send_to(b"{\"service\":\"marker\"}", "10.77.0.2:8766").unwrap();
        assert_eq!(on_second.next_datagram().1["service"], "marker");
        assert!(is_answered(FIRST) && !is_answered(SECOND));
        assert!(is_answered(Ipv4Addr::LOCALHOST), "loopback is always in use");
        let addresses = ["127.0.0.1".to_owned(), FIRST.to_string()];
        assert_eq!(server.urls(), addresses.map(|ip| format!("ws://{ip}:{}", server.port())));
        let port = server.port();
        assert!(is_closed(SECOND, port) && !is_closed(FIRST, port) && !is_closed(Ipv4Addr::LOCALHOST, port));
        assert_eq!(server.status().extras.refused, 1);
        let _client = first_host.connect_client(&format!("ws://{FIRST}:{port}"));
    }
}

#[test]
fn browser_ignores_datagrams_from_other_interfaces() {
    if !in_namespace("browser_ignores_datagrams_from_other_interfaces", "") {
        return;
    }
    let (_first_host, _second_host) = two_networks();
    let mut config = BrowserConfig::default();
    config.interfaces = vec!["fir*".into()];
    let browser = Browser::start(config).unwrap();
    for (id, ip) in [("b", SECOND), ("a", FIRST)] {
        let beacon = Beacon { ip: ip.into(), port: 8765, timestamp: 1, id, name: id, app: None, listen_port: None };
        UdpSocket::bind((ip, 0)).unwrap().send_to(&beacon.encode(false), (ip, 8766)).unwrap();
    }
    assert_eq!(browser.expect_event().server().id, "a");
}
