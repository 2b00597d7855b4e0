//! Several networks, and what happens when one of them goes away: with cables to neighbours in namespaces.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the answer")]

mod isolated;

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use halloo::{Config, Event, LeaveReason, Server, Severity};
use isolated::{Heard, Neighbour, inside, shell};

/// Long enough for a loaded machine; no test waits for it unless it fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server on every interface that calls often, and notices soon when somebody is gone.
fn server() -> Server {
    let mut config = Config::default();
    config.port = 0;
    config.discovery_interval = Duration::from_millis(100);
    config.heartbeat = Duration::from_millis(200);
    Server::start(config).unwrap()
}

/// Three beacons, each from `ip` and with it.
fn hears(heard: &mut Heard, ip: &str) {
    for _ in 0..3 {
        let (from, beacon) = heard.datagram();
        assert_eq!((from.as_str(), beacon["ip"].as_str()), (ip, Some(ip)), "{beacon}");
        assert_eq!(beacon["service"], "websocket_server");
    }
}

fn two_networks() -> (Neighbour, Neighbour) {
    (
        Neighbour::new("first", "192.168.77.1/24", "192.168.77.2/24"),
        Neighbour::new("second", "10.77.0.1/16", "10.77.0.2/16"),
    )
}

#[test]
fn each_network_hears_an_address_that_it_reaches() {
    if !inside("each_network_hears_an_address_that_it_reaches", "") {
        return;
    }
    let (mut one, mut two) = two_networks();
    let (mut at_one, mut at_two) = (one.listen(8766), two.listen(8766));
    // There is no default route here, so nothing but the interfaces themselves tells where to send.
    let server = server();
    hears(&mut at_one, "192.168.77.1");
    hears(&mut at_two, "10.77.0.1");
    assert_eq!(server.local_ip().to_string(), "192.168.77.1", "of equals the first by the name of its interface");
    shell("ip route add default via 10.77.0.2");
    while server.local_ip().to_string() != "10.77.0.1" {
        hears(&mut at_two, "10.77.0.1");
    }
    hears(&mut at_one, "192.168.77.1");
    one.connect(&format!("ws://192.168.77.1:{}", server.port()));
}

#[test]
fn a_network_that_goes_away_takes_nothing_with_it() {
    if !inside("a_network_that_goes_away_takes_nothing_with_it", "") {
        return;
    }
    let (mut one, mut two) = two_networks();
    let (mut at_one, mut at_two) = (one.listen(8766), two.listen(8766));
    let server = server();
    hears(&mut at_one, "192.168.77.1");
    hears(&mut at_two, "10.77.0.1");
    // Now there is a way out for whatever is not held to its interface.
    shell("ip route add default via 10.77.0.2");
    for gone in ["ip link set first down", "ip link set first up", "ip link del first"] {
        shell(gone);
        // What left before is heard first; after that, nothing but the second network's own beacons may come here.
        (0..3).for_each(|_| hears(&mut at_two, "10.77.0.1"));
        if gone.ends_with("up") {
            hears(&mut at_one, "192.168.77.1");
        }
    }
    assert!(server.status().server_running);
    shell("ip link del second");
    let here = UdpSocket::bind("0.0.0.0:8766");
    assert!(here.is_err(), "the server itself shares the port only with those who share it, too");
    // A network that comes while the server runs is announced as well.
    let mut three = Neighbour::new("third", "172.16.5.1/24", "172.16.5.2/24");
    hears(&mut three.listen(8766), "172.16.5.1");
}

#[test]
fn a_busy_server_knows_its_new_address() {
    if !inside("a_busy_server_knows_its_new_address", "ip addr add 192.168.77.1/24 dev lo") {
        return;
    }
    let mut config = Config::default();
    // Without a heartbeat the client stays although nobody answers for it here.
    (config.port, config.heartbeat, config.discovery_interval) = (0, Duration::ZERO, Duration::from_millis(100));
    let server = Server::start(config).unwrap();
    let (_peer, _) = tungstenite::connect(format!("ws://127.0.0.1:{}", server.port())).unwrap();
    assert_eq!(server.status().local_ip, "192.168.77.1");
    while server.status().discovery_active {
        std::thread::yield_now();
    }
    shell("ip addr add 10.77.0.1/24 dev lo; ip addr del 192.168.77.1/24 dev lo");
    let begin = Instant::now();
    while server.status().local_ip != "10.77.0.1" {
        assert!(begin.elapsed() < PATIENCE, "still {}", server.status().local_ip);
        std::thread::yield_now();
    }
}

#[test]
fn a_server_for_this_machine_listens_to_nobody_else() {
    if !inside("a_server_for_this_machine_listens_to_nobody_else", "") {
        return;
    }
    let _neighbour = Neighbour::new("first", "192.168.77.1/24", "192.168.77.2/24");
    let mut config = Config::local();
    config.discovery = true;
    let server = Server::start(config).unwrap();
    assert_eq!(server.discovery_port(), 8766);
    // A socket that shares its port with nobody can be bound where the server does not listen, and only there.
    assert!(UdpSocket::bind("127.255.255.255:8766").is_err());
    for elsewhere in ["192.168.77.1", "192.168.77.255", "255.255.255.255", "127.0.0.1"] {
        UdpSocket::bind((elsewhere, 8766)).unwrap_or_else(|error| panic!("the server listens on {elsewhere}: {error}"));
    }
    let asker = UdpSocket::bind("127.0.0.1:0").unwrap();
    asker.set_broadcast(true).unwrap();
    asker.set_read_timeout(Some(PATIENCE)).unwrap();
    asker.send_to(&halloo_proto::announcement::probe("n"), "127.255.255.255:8766").unwrap();
    let (_, from) = asker.recv_from(&mut [0; 600]).expect("a reply");
    assert_eq!(from.ip().to_string(), "127.0.0.1");
}

#[test]
fn without_any_network_programs_of_this_machine_hear_it() {
    if !inside("without_any_network_programs_of_this_machine_hear_it", "") {
        return;
    }
    let here = UdpSocket::bind("0.0.0.0:9766").unwrap();
    here.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut config = Config::default();
    (config.port, config.discovery_port) = (0, 9766);
    // The server listens on the next port, and calls on that one as well.
    let server = Server::start(config).unwrap();
    let mut buffer = [0; 600];
    let (length, from) = here.recv_from(&mut buffer).unwrap();
    let beacon: serde_json::Value = serde_json::from_slice(&buffer[..length]).unwrap();
    assert_eq!((beacon["ip"].as_str(), from.ip().to_string()), (Some("127.0.0.1"), "127.0.0.1".to_owned()));
    assert_eq!(server.discovery_port(), 9767);
    assert_eq!(server.url(), format!("ws://127.0.0.1:{}", server.port()));
}

#[test]
fn a_client_whose_link_dies_is_gone_and_the_server_calls_again() {
    if !inside("a_client_whose_link_dies_is_gone_and_the_server_calls_again", "") {
        return;
    }
    let (mut one, mut two) = two_networks();
    let server = server();
    one.connect(&format!("ws://192.168.77.1:{}", server.port()));
    let told = |wanted: fn(&Event<'_>) -> bool| {
        std::iter::from_fn(|| server.wait_event(PATIENCE)).find(wanted).expect("an event")
    };
    told(|event| matches!(event, Event::ClientJoined { .. }));
    told(|event| matches!(event, Event::DiscoveryChanged { active: false }));
    let mut at_two = two.listen(8766);
    // At the far end: nothing of this machine notices but by silence.
    one.shell("ip link set eth0 down");
    let Event::ClientLeft { reason, clients, .. } = told(|event| matches!(event, Event::ClientLeft { .. })) else {
        unreachable!("looked for")
    };
    assert_eq!((reason, clients), (LeaveReason::TimedOut, 0));
    hears(&mut at_two, "10.77.0.1");
}

#[test]
fn a_server_that_is_examined_finds_itself() {
    if !inside("a_server_that_is_examined_finds_itself", "") {
        return;
    }
    let (_one, _two) = two_networks();
    let (server, _other) = (server(), server());
    let own = |server: &Server| {
        let findings = server.diagnose().findings.into_iter().filter(|finding| finding.text.starts_with("this server"));
        findings.map(|finding| (finding.severity, finding.text)).collect::<Vec<_>>()
    };
    assert_eq!(own(&server), [(Severity::Ok, "this server answered a probe".to_owned())]);
    let mut config = Config::default();
    (config.port, config.discovery_port) = (0, 9000);
    let elsewhere = Server::start(config).unwrap();
    assert_eq!(own(&elsewhere)[0].0, Severity::Ok, "at whatever port it listens");
    server.stop_service_discovery();
    assert_eq!(own(&server)[0].0, Severity::Warn);
    server.stop();
    server.events().for_each(drop);
    assert_eq!(own(&server)[0].0, Severity::Fail);
}
