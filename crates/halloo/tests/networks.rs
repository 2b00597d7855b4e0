//! Several networks, and what happens when one of them goes away: cables to remote hosts in network namespaces.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use std::net::UdpSocket;
use std::time::Duration;

use halloo::{Config, Event, LeaveReason, Server, Severity};
use halloo_proto::announcement::probe;
use halloo_test_support::{
    DatagramListener, ExpectEvent, LOOPBACK_BROADCAST, RemoteHost, TEST_TIMEOUT, broadcast_socket, in_namespace, shell,
    wait_until,
};

/// Starts a server on all interfaces that announces itself often and soon notices a dead client.
fn start_server() -> Server {
    let mut config = Config::default();
    config.port = 0;
    config.discovery_interval = Duration::from_millis(100);
    config.heartbeat = Duration::from_millis(200);
    Server::start(config).unwrap()
}

/// Expects three beacons that come from `ip` and contain it.
fn expect_beacons(listener: &mut DatagramListener, ip: &str) {
    for _ in 0..3 {
        let (sender, beacon) = listener.next_datagram();
        assert_eq!((sender.as_str(), beacon["ip"].as_str()), (ip, Some(ip)), "{beacon}");
        assert_eq!(beacon["service"], "websocket_server");
    }
}

fn two_networks() -> (RemoteHost, RemoteHost) {
    (
        RemoteHost::new("first", "192.168.77.1/24", "192.168.77.2/24"),
        RemoteHost::new("second", "10.77.0.1/16", "10.77.0.2/16"),
    )
}

#[test]
fn beacons_on_each_network_contain_an_address_of_that_network() {
    if !in_namespace("beacons_on_each_network_contain_an_address_of_that_network", "") {
        return;
    }
    let (first_host, second_host) = two_networks();
    let (mut on_first, mut on_second) = (first_host.listen(8766), second_host.listen(8766));
    // Without a default route, only the interfaces determine where beacons go.
    let server = start_server();
    expect_beacons(&mut on_first, "192.168.77.1");
    expect_beacons(&mut on_second, "10.77.0.1");
    assert_eq!(server.local_ip().to_string(), "192.168.77.1", "of equal interfaces the first by name");
    shell("ip route add default via 10.77.0.2");
    while server.local_ip().to_string() != "10.77.0.1" {
        expect_beacons(&mut on_second, "10.77.0.1");
    }
    expect_beacons(&mut on_first, "192.168.77.1");
    let _client = first_host.connect_client(&format!("ws://192.168.77.1:{}", server.port()));
}

#[test]
fn losing_one_network_does_not_affect_the_other() {
    if !in_namespace("losing_one_network_does_not_affect_the_other", "") {
        return;
    }
    let (first_host, second_host) = two_networks();
    let (mut on_first, mut on_second) = (first_host.listen(8766), second_host.listen(8766));
    let server = start_server();
    expect_beacons(&mut on_first, "192.168.77.1");
    expect_beacons(&mut on_second, "10.77.0.1");
    // A datagram that is not bound to its interface would leave by this route.
    shell("ip route add default via 10.77.0.2");
    for change in ["ip link set first down", "ip link set first up", "ip link del first"] {
        shell(change);
        // After what was sent before the change, only beacons for the second network may arrive there.
        (0..3).for_each(|_| expect_beacons(&mut on_second, "10.77.0.1"));
        if change.ends_with("up") {
            expect_beacons(&mut on_first, "192.168.77.1");
        }
    }
    assert!(server.status().server_running);
    shell("ip link del second");
    let exclusive = UdpSocket::bind("0.0.0.0:8766");
    assert!(exclusive.is_err(), "the server shares its port only with sockets that share it, too");
    // A network that appears while the server runs is announced as well.
    let third_host = RemoteHost::new("third", "172.16.5.1/24", "172.16.5.2/24");
    expect_beacons(&mut third_host.listen(8766), "172.16.5.1");
}

#[test]
fn replies_contain_the_live_address_on_the_smallest_network_of_the_sender() {
    let setup = "ip addr add 10.9.0.1/8 dev lo; ip addr add 10.1.1.5/24 dev lo";
    if !in_namespace("replies_contain_the_live_address_on_the_smallest_network_of_the_sender", setup) {
        return;
    }
    let unplugged = |name, address| {
        shell(&format!("ip link add {name} type veth peer name {name}peer; ip addr add {address}/24 dev {name}"));
        shell(&format!("ip link set {name} up"));
    };
    // Before and after the live one in the list of the system.
    unplugged("before", "192.168.77.5");
    let _host = RemoteHost::new("plugged", "192.168.77.6/24", "192.168.77.2/24");
    unplugged("after", "192.168.77.7");
    let _server = start_server();
    for address in ["192.168.77.6", "10.1.1.5"] {
        let socket = UdpSocket::bind((address, 0)).unwrap();
        socket.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
        socket.send_to(&probe("n"), (address, 8766)).unwrap();
        let mut buffer = [0; 600];
        let (length, _) = socket.recv_from(&mut buffer).unwrap();
        let reply: serde_json::Value = serde_json::from_slice(&buffer[..length]).unwrap();
        assert_eq!(reply["ip"], address);
    }
}

#[test]
fn a_busy_server_reports_its_new_address() {
    if !in_namespace("a_busy_server_reports_its_new_address", "ip addr add 192.168.77.1/24 dev lo") {
        return;
    }
    let mut config = Config::default();
    // Without a heartbeat, since the client of this test does not answer pings.
    (config.port, config.heartbeat, config.discovery_interval) = (0, Duration::ZERO, Duration::from_millis(100));
    let server = Server::start(config).unwrap();
    let (_peer, _) = tungstenite::connect(format!("ws://127.0.0.1:{}", server.port())).unwrap();
    assert_eq!(server.status().local_ip, "192.168.77.1");
    wait_until(|| !server.status().discovery_active);
    shell("ip addr add 10.77.0.1/24 dev lo; ip addr del 192.168.77.1/24 dev lo");
    wait_until(|| server.status().local_ip == "10.77.0.1");
}

#[test]
fn a_server_on_loopback_is_not_reachable_from_the_network() {
    if !in_namespace("a_server_on_loopback_is_not_reachable_from_the_network", "") {
        return;
    }
    let _host = RemoteHost::new("first", "192.168.77.1/24", "192.168.77.2/24");
    let mut config = Config::local();
    config.discovery = true;
    let server = Server::start(config).unwrap();
    assert_eq!(server.discovery_port(), 8766);
    // A socket that does not share its port can be bound only where the server does not listen.
    assert!(UdpSocket::bind("127.255.255.255:8766").is_err());
    for address in ["192.168.77.1", "192.168.77.255", "255.255.255.255", "127.0.0.1"] {
        UdpSocket::bind((address, 8766)).unwrap_or_else(|error| panic!("the server listens on {address}: {error}"));
    }
    let sender = broadcast_socket(TEST_TIMEOUT);
    sender.send_to(&probe("n"), (LOOPBACK_BROADCAST, 8766)).unwrap();
    let (_, server_address) = sender.recv_from(&mut [0; 600]).expect("a reply");
    assert_eq!(server_address.ip().to_string(), "127.0.0.1");
}

#[test]
fn without_a_network_programs_of_this_machine_receive_beacons() {
    if !in_namespace("without_a_network_programs_of_this_machine_receive_beacons", "") {
        return;
    }
    let listener = UdpSocket::bind("0.0.0.0:9766").unwrap();
    listener.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
    let mut config = Config::default();
    (config.port, config.discovery_port) = (0, 9766);
    // The server listens on the next port and sends beacons to both.
    let server = Server::start(config).unwrap();
    let mut buffer = [0; 600];
    let (length, sender) = listener.recv_from(&mut buffer).unwrap();
    let beacon: serde_json::Value = serde_json::from_slice(&buffer[..length]).unwrap();
    assert_eq!((beacon["ip"].as_str(), sender.ip().to_string()), (Some("127.0.0.1"), "127.0.0.1".to_owned()));
    assert_eq!(server.discovery_port(), 9767);
    assert_eq!(server.url(), format!("ws://127.0.0.1:{}", server.port()));
}

#[test]
fn a_client_whose_link_fails_times_out_and_beacons_resume() {
    if !in_namespace("a_client_whose_link_fails_times_out_and_beacons_resume", "") {
        return;
    }
    let (first_host, second_host) = two_networks();
    let server = start_server();
    let _client = first_host.connect_client(&format!("ws://192.168.77.1:{}", server.port()));
    server.expect_matching(|event| matches!(event, Event::ClientJoined { .. }).then_some(()));
    server.expect_matching(|event| matches!(event, Event::DiscoveryChanged { active: false }).then_some(()));
    let mut on_second = second_host.listen(8766);
    // At the remote end, so that only silence tells this machine.
    first_host.shell("ip link set eth0 down");
    let left = server.expect_matching(|event| match event {
        Event::ClientLeft { reason, clients, .. } => Some((reason, clients)),
        _ => None,
    });
    assert_eq!(left, (LeaveReason::TimedOut, 0));
    expect_beacons(&mut on_second, "10.77.0.1");
}

#[test]
fn a_server_can_be_found_in_its_own_diagnosis() {
    if !in_namespace("a_server_can_be_found_in_its_own_diagnosis", "") {
        return;
    }
    let (_first_host, _second_host) = two_networks();
    let (server, _other) = (start_server(), start_server());
    let findings_about_itself = |server: &Server| {
        let findings = server.diagnose().findings.into_iter().filter(|finding| finding.text.starts_with("this server"));
        findings.map(|finding| (finding.severity, finding.text)).collect::<Vec<_>>()
    };
    assert_eq!(findings_about_itself(&server), [(Severity::Ok, "this server replied to a probe".to_owned())]);
    let mut config = Config::default();
    (config.port, config.discovery_port) = (0, 9000);
    let elsewhere = Server::start(config).unwrap();
    assert_eq!(findings_about_itself(&elsewhere)[0].0, Severity::Ok, "on whichever port it listens");
    server.stop_service_discovery();
    assert_eq!(findings_about_itself(&server)[0].0, Severity::Warn);
    server.stop();
    server.remaining_events();
    assert_eq!(findings_about_itself(&server)[0].0, Severity::Fail);
}
