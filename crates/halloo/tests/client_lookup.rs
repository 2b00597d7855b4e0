//! How the client finds its server: by name, by the name of its host, and after it moved.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use std::net::TcpListener;
use std::time::Duration;

use halloo::{Client, ClientConfig, ClientEvent, ClientId, Config, Event, Server, ServerInfo, Target};
use halloo_test_support::{
    ExpectEvent, TEST_TIMEOUT, announced_config, announced_server, local_search, loopback, unused_tcp_address,
    unused_udp_port, wait_until,
};

/// The first server that discovery finds.
fn discovered(discovery_port: u16) -> ServerInfo {
    let mut search = local_search(discovery_port, TEST_TIMEOUT);
    search.first = true;
    search.run().unwrap().remove(0)
}

fn start_client(target: impl Into<Target>, discovery_port: u16) -> Client {
    let mut config = ClientConfig::new(target);
    config.search = local_search(discovery_port, TEST_TIMEOUT);
    Client::start(config).unwrap()
}

/// Waits for a connection, whatever fails before it, and returns the URL of the server.
fn connected_url(client: &Client) -> String {
    client.expect_matching(|event| match event {
        ClientEvent::Connected { url, .. } => Some(url),
        _ => None,
    })
}

#[test]
fn a_server_is_found_by_its_name_among_others() {
    let discovery_port = unused_udp_port();
    let _other = announced_server("attic", discovery_port);
    let den = announced_server("Den", discovery_port);
    let client = start_client("den", discovery_port);
    assert_eq!(connected_url(&client), den.url());
}

#[test]
fn a_client_gives_up_on_a_name_that_no_server_has() {
    let mut config = ClientConfig::new("absent");
    config.search = local_search(unused_udp_port(), Duration::from_millis(10));
    config.retry_limit.max_attempts = Some(2);
    let client = Client::start(config).unwrap();
    let reason = client.expect_matching(|event| match event {
        ClientEvent::GaveUp { reason, .. } => Some(reason),
        _ => None,
    });
    assert!(reason.contains("no server named `absent` was found"), "{reason}");
}

#[test]
fn a_server_that_moved_to_another_port_is_found_again() {
    let discovery_port = unused_udp_port();
    let mut server = announced_server("mover", discovery_port);
    let client = start_client(discovered(discovery_port), discovery_port);
    assert_eq!(connected_url(&client), server.url());
    let old_address = loopback(&server);
    server.stop();
    client.expect_matching(|event| matches!(event, ClientEvent::Disconnected { .. }).then_some(()));
    client.send("still here").unwrap();
    server.restart(announced_config("mover", discovery_port)).unwrap();
    assert_ne!(loopback(&server), old_address);
    assert_eq!(connected_url(&client), server.url());
    let received = server.expect_matching(|event| match event {
        Event::MessageReceived { message, .. } => Some(message.to_string()),
        _ => None,
    });
    assert_eq!(received, "still here");
    // From now on the client knows the new address and needs no search.
    server.stop_service_discovery();
    server.disconnect(ClientId(2), 1001, "come back").unwrap();
    assert_eq!(connected_url(&client), server.url());
}

#[test]
fn a_server_that_restarted_where_broadcasts_do_not_get_is_found_at_its_last_address() {
    let discovery_port = unused_udp_port();
    let mut config = announced_config("den", discovery_port);
    (config.port, config.strict_port) = (unused_tcp_address().port(), true);
    let server = Server::start(config.clone()).unwrap();
    let client = start_client("den", discovery_port);
    assert_eq!(connected_url(&client), server.url());
    drop(server);
    // It replies to no probe, and it has a new id.
    config.discovery = false;
    let restarted = Server::start(config).unwrap();
    assert_eq!(connected_url(&client), restarted.url());
}

#[test]
fn the_next_address_is_tried_when_the_best_one_fails() {
    let discovery_port = unused_udp_port();
    let server = announced_server("two", discovery_port);
    let mut known = discovered(discovery_port);
    known.url = format!("ws://{}", unused_tcp_address());
    let nameless = {
        let mut nameless = known.clone();
        nameless.name.clear();
        nameless
    };
    assert_eq!(connected_url(&start_client(nameless, discovery_port)), server.url(), "without a search");
    // A listener that accepts and never responds is no better. The server is found by its name.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    known.url = format!("ws://{}", silent.local_addr().unwrap());
    known.addresses.clear();
    assert_eq!(connected_url(&start_client(known, discovery_port)), server.url());
}

#[test]
fn a_host_name_is_resolved() {
    let server = Server::start(Config::local()).unwrap();
    let client = Client::connect(format!("http://localhost:{}/some/path", server.port())).unwrap();
    assert_eq!(connected_url(&client), format!("ws://localhost:{}/some/path", server.port()));
}

/// Returns an address that neither accepts nor refuses connections, because the queue of its listener is full, and the
/// sockets that keep it so.
#[cfg(target_os = "linux")]
fn unresponsive_address() -> (std::net::SocketAddr, Vec<socket2::Socket>) {
    let tcp = || socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let listener = tcp();
    listener.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    listener.listen(0).unwrap();
    let addr = listener.local_addr().unwrap();
    let mut held = vec![listener];
    // Those that do not fit into the queue remain in the handshake of TCP.
    for _ in 0..4 {
        let waiting = tcp();
        waiting.set_nonblocking(true).unwrap();
        let _ = waiting.connect(&addr);
        held.push(waiting);
    }
    (addr.as_socket().unwrap(), held)
}

#[cfg(target_os = "linux")]
#[test]
fn a_server_that_moved_is_searched_for_while_its_old_address_is_still_tried() {
    let discovery_port = unused_udp_port();
    let server = announced_server("den", discovery_port);
    let (old_address, _held) = unresponsive_address();
    let mut known = discovered(discovery_port);
    (known.addresses, known.url) = (vec![old_address], format!("ws://{old_address}"));
    let start = std::time::Instant::now();
    let client = start_client(known, discovery_port);
    assert_eq!(connected_url(&client), format!("ws://{}", loopback(&server)));
    let dial_timeout = halloo_proto::defaults::HANDSHAKE_TIMEOUT;
    assert!(start.elapsed() < dial_timeout, "the search waited until the old address timed out");
}

/// Returns why a single attempt to connect to `target` fails.
fn failure(target: impl Into<Target>, discovery_port: u16, timeout: Duration) -> (String, Option<u16>) {
    let mut config = ClientConfig::new(target);
    (config.reconnect, config.search) = (false, local_search(discovery_port, timeout));
    Client::start(config).unwrap().expect_matching(|event| match event {
        ClientEvent::GaveUp { reason, status } => Some((reason, status)),
        _ => None,
    })
}

#[test]
fn a_server_is_found_by_whatever_its_name_looks_like() {
    let family = "👨\u{200d}👩\u{200d}👧\u{200d}👦";
    let long = "Café ".repeat(20);
    for (name, written) in [
        ("Dr. Öz v2.0", vec!["Dr. Öz v2.0", "DR. O\u{308}Z V2.0", "dr-öz-v2-0"]),
        ("v2.0", vec!["v2.0", "V2.0"]),
        ("a/b:c@d[e]", vec!["a/b:c@d[e]"]),
        ("Caf\u{e9}", vec!["Cafe\u{301}", "café"]),
        (family, vec![family, "👨👩👧👦"]),
        (&long, vec![&long, &long.replace('é', "e\u{301}"), "Café Café Café…"]),
        ("Living Room", vec!["living-room", " living  room "]),
    ] {
        let discovery_port = unused_udp_port();
        let server = announced_server(name, discovery_port);
        let shown = discovered(discovery_port).name;
        for text in written.into_iter().chain([&*shown]) {
            let mut config = ClientConfig::new(text);
            config.search = local_search(discovery_port, TEST_TIMEOUT);
            assert_eq!(halloo::status_of(&config).unwrap().server_port, server.port(), "{text}");
        }
        assert_eq!(connected_url(&start_client(shown, discovery_port)), server.url());
    }
}

#[test]
fn of_several_servers_the_one_that_matches_best_is_found() {
    let discovery_port = unused_udp_port();
    let exact = announced_server("living-room", discovery_port);
    let slug = announced_server("Living Room", discovery_port);
    assert_eq!(connected_url(&start_client("Living-Room", discovery_port)), exact.url());
    assert_eq!(connected_url(&start_client("living room", discovery_port)), slug.url());
    let (reason, _) = failure("living.room!", discovery_port, TEST_TIMEOUT);
    assert!(reason.contains("2 servers are named `living.room!`"), "{reason}");
}

#[test]
fn a_client_does_not_choose_between_namesakes() {
    let discovery_port = unused_udp_port();
    let servers = [announced_server("Den", discovery_port), announced_server("den", discovery_port)];
    let (reason, _) = failure("den", discovery_port, TEST_TIMEOUT);
    let mut config = ClientConfig::new("den");
    config.search = local_search(discovery_port, TEST_TIMEOUT);
    let of_status = halloo::status_of(&config).unwrap_err().to_string();
    for server in &servers {
        for reason in [&reason, &of_status] {
            assert!(reason.contains(&server.url()) && reason.contains(server.id()), "{reason}");
        }
        assert_eq!(connected_url(&start_client(server.id(), discovery_port)), server.url());
    }
}

#[test]
fn an_id_never_leads_to_another_server() {
    let discovery_port = unused_udp_port();
    let server = announced_server("Den", discovery_port);
    let mut config = ClientConfig::new(server.id());
    // The last search, which has to find the namesake, takes as long.
    config.search = local_search(discovery_port, Duration::from_secs(2));
    config.retry_limit.max_attempts = Some(2);
    let client = Client::start(config).unwrap();
    assert_eq!(connected_url(&client), server.url());
    // A namesake, which takes the address as well.
    let mut namesake = announced_config("Den", discovery_port);
    (namesake.port, namesake.strict_port) = (server.port(), true);
    server.stop();
    // A process that another test starts at this moment may hold the old socket until it runs its own program.
    let mut started = None;
    wait_until(|| {
        started = Server::start(namesake.clone()).ok();
        started.is_some()
    });
    let reason = client.expect_matching(|event| match event {
        ClientEvent::Connected { url, .. } => panic!("connected to {url}"),
        ClientEvent::GaveUp { reason, .. } => Some(reason),
        _ => None,
    });
    assert!(reason.contains("no server named") && reason.contains("there is `Den`"), "{reason}");
    drop(started);
}

#[test]
fn the_most_telling_failure_is_reported() {
    let discovery_port = unused_udp_port();
    let mut config = announced_config("den", discovery_port);
    config.max_clients = Some(1);
    let server = Server::start(config).unwrap();
    let only = Client::connect(server.url()).unwrap();
    assert!(only.wait_connected(TEST_TIMEOUT));
    // On most machines, [::1] is the first address of this host, and refuses the connection.
    let (reason, status) = failure(format!("localhost:{}", server.port()), discovery_port, TEST_TIMEOUT);
    assert_eq!(status, Some(503), "{reason}");
    let mut known = discovered(discovery_port);
    // The best address refuses the connection, and no search finds the server.
    known.url = format!("ws://{}", unused_tcp_address());
    server.stop_service_discovery();
    let (reason, status) = failure(known, discovery_port, Duration::from_millis(50));
    assert_eq!(status, Some(503), "{reason}");
    assert!(reason.contains("503"), "{reason}");
}

#[test]
fn the_status_is_requested_from_the_next_address_when_one_fails() {
    let discovery_port = unused_udp_port();
    let server = announced_server("den", discovery_port);
    let mut known = discovered(discovery_port);
    let foreign = TcpListener::bind("127.0.0.1:0").unwrap();
    known.url = format!("ws://{}", foreign.local_addr().unwrap());
    let accepted = std::thread::spawn(move || drop(foreign.accept()));
    assert_eq!(halloo::status_of(&ClientConfig::new(&known)).unwrap().server_port, server.port());
    accepted.join().unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn a_host_that_is_not_resolved_may_be_a_name() {
    if !halloo_test_support::in_namespace("a_host_that_is_not_resolved_may_be_a_name", "") {
        return;
    }
    let server = announced_server("Room.invalid", 8766);
    assert_eq!(connected_url(&start_client("room.invalid", 8766)), server.url());
    let mut config = ClientConfig::new("room.invalid");
    (config.reconnect, config.token) = (false, Some([1; 16].into()));
    let client = Client::start(config).unwrap();
    let reason = client.expect_matching(|event| match event {
        ClientEvent::GaveUp { reason, .. } => Some(reason),
        _ => None,
    });
    assert!(reason.contains("did not ask for a token"), "the server that was found has no token: {reason}");
}

#[cfg(target_os = "linux")]
#[test]
fn an_address_with_a_zone_is_reached_and_its_zone_is_not_sent() {
    let setup = "ip link add cable index 77 type veth peer name other; ip link set cable up; ip link set other up
        ip addr add fe80::7:1/64 dev cable nodad";
    if !halloo_test_support::in_namespace("an_address_with_a_zone_is_reached_and_its_zone_is_not_sent", setup) {
        return;
    }
    let mut config = Config::default();
    (config.port, config.discovery, config.bind) = (0, false, Some(std::net::Ipv6Addr::UNSPECIFIED.into()));
    let server = Server::start(config).unwrap();
    for zone in ["cable", "25cable", "77"] {
        let url = format!("ws://[fe80::7:1%{zone}]:{}", server.port());
        let connected = connected_url(&Client::connect(&url).unwrap());
        assert!(connected.starts_with("ws://[fe80::7:1%25"), "{connected}");
        let status = halloo::status_of(&ClientConfig::new(&url)).unwrap();
        assert_eq!(status.server_port, server.port());
    }
    let (reason, _) = failure(format!("[fe80::7:1%absent]:{}", server.port()), 8766, TEST_TIMEOUT);
    assert!(reason.contains("the zone absent") && reason.contains("choose an interface"), "{reason}");
    let (reason, _) = failure(format!("[fe80::7:1]:{}", server.port()), 8766, TEST_TIMEOUT);
    assert!(reason.contains("[fe80::7:1%eth0]"), "{reason}");
}
