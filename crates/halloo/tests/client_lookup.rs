//! How the client finds its server: by name, by the name of its host, and after it moved.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use std::net::TcpListener;
use std::time::Duration;

use halloo::{Client, ClientConfig, ClientEvent, ClientId, Config, Event, Server, ServerInfo, Target};
use halloo_test_support::{
    ExpectEvent, TEST_TIMEOUT, announced_config, announced_server, local_search, loopback, unused_tcp_address,
    unused_udp_port,
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
        ClientEvent::Connected { url } => Some(url),
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
