//! Reconnecting: the client returns to a server that restarted, and gives up when it should.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use std::net::SocketAddr;

use halloo::{Client, ClientConfig, ClientEvent, Config, Event, Server};
use halloo_test_support::{
    ExpectEvent, TEST_TIMEOUT, expect_connected, local_search, unused_tcp_address, unused_udp_port,
};

/// The settings of a server at exactly this address.
fn config_at(addr: SocketAddr) -> Config {
    let mut config = Config::local();
    (config.port, config.strict_port) = (addr.port(), true);
    config
}

/// Waits for a connection, whatever fails before it.
fn wait_connected(client: &Client) {
    client.expect_matching(|event| matches!(event, ClientEvent::Connected { .. }).then_some(()));
}

fn gave_up(client: &Client) -> String {
    client.expect_matching(|event| match event {
        ClientEvent::GaveUp { reason, .. } => Some(reason),
        _ => None,
    })
}

fn failed_attempt(client: &Client) -> String {
    client.expect_matching(|event| match event {
        ClientEvent::AttemptFailed { reason, .. } => Some(reason),
        _ => None,
    })
}

/// Returns the next message to the server.
fn received(server: &Server) -> String {
    server.expect_matching(|event| match event {
        Event::MessageReceived { message, .. } => Some(message.to_string()),
        _ => None,
    })
}

#[test]
fn queued_messages_are_delivered_in_order_after_a_restart() {
    let mut server = Server::start(Config::local()).unwrap();
    let same_port = config_at(([127, 0, 0, 1], server.port()).into());
    let client = Client::connect(server.url()).unwrap();
    wait_connected(&client);
    client.send("before").unwrap();
    assert_eq!(received(&server), "before");
    server.stop();
    let retry_in = client.expect_matching(|event| match event {
        ClientEvent::Disconnected { code, retry_in, .. } => {
            assert_eq!(code.number(), 1001);
            Some(retry_in)
        }
        _ => None,
    });
    assert!(retry_in.is_some() && !client.is_connected());
    for number in 0..1000 {
        client.send(number.to_string()).unwrap();
    }
    server.restart(same_port).unwrap();
    wait_connected(&client);
    for number in 0..1000 {
        assert_eq!(received(&server), number.to_string());
    }
    assert_eq!(client.messages_dropped(), 0);
}

#[test]
fn a_client_that_starts_before_its_server_connects_once_it_listens() {
    let addr = unused_tcp_address();
    let client = Client::connect(format!("ws://{addr}")).unwrap();
    client.send("early").unwrap();
    let reason = failed_attempt(&client);
    assert!(reason.contains(&addr.to_string()), "{reason}");
    let server = Server::start(config_at(addr)).unwrap();
    assert!(client.wait_connected(TEST_TIMEOUT));
    assert_eq!(received(&server), "early");
}

#[test]
fn a_client_gives_up_after_max_attempts() {
    let url = format!("ws://{}", unused_tcp_address());
    let mut config = ClientConfig::new(&url);
    config.retry_limit.max_attempts = Some(3);
    let client = Client::start(config).unwrap();
    client.send("lost").unwrap();
    failed_attempt(&client);
    failed_attempt(&client);
    assert_eq!(client.expect_event(), ClientEvent::MessagesDropped { messages: 1 });
    assert!(gave_up(&client).contains("cannot reach"));
    assert!(!client.wait_connected(TEST_TIMEOUT) && client.send("late").is_err());

    let mut config = ClientConfig::new(&url);
    config.reconnect = false;
    let client = Client::start(config).unwrap();
    assert!(matches!(client.expect_event(), ClientEvent::GaveUp { .. }));
}

#[test]
fn a_full_server_is_retried_until_it_has_room() {
    let mut config = Config::local();
    config.max_clients = Some(1);
    let server = Server::start(config).unwrap();
    let first = Client::connect(server.url()).unwrap();
    wait_connected(&first);
    let second = Client::connect(server.url()).unwrap();
    let reason = failed_attempt(&second);
    assert!(reason.contains("503") && reason.contains("the server is full"), "{reason}");
    drop(first);
    wait_connected(&second);
}

#[test]
fn a_client_that_is_disconnected_by_the_application_does_not_return() {
    let server = Server::start(Config::local()).unwrap();
    let client = Client::connect(server.url()).unwrap();
    expect_connected(&client);
    let Event::ClientJoined { client: id, .. } = server.expect_event() else { panic!() };
    server.disconnect(id, 4001, "cheating").unwrap();
    assert!(gave_up(&client).contains("4001: cheating"));
    assert_eq!(server.status().extras.clients_total, 1);
}

#[test]
fn closing_with_nothing_queued_does_not_wait_for_a_server() {
    let client = Client::connect(format!("ws://{}", unused_tcp_address())).unwrap();
    client.close(1000, "");
    let events = client.remaining_events();
    assert!(events.iter().all(|event| matches!(event, ClientEvent::AttemptFailed { .. })), "{events:?}");
}

#[test]
fn closing_with_a_message_queued_still_delivers_it() {
    let addr = unused_tcp_address();
    let client = Client::connect(format!("ws://{addr}")).unwrap();
    client.send("the last message").unwrap();
    client.close(1000, "");
    let server = Server::start(config_at(addr)).unwrap();
    assert_eq!(received(&server), "the last message");
    assert!(matches!(client.remaining_events().last(), Some(ClientEvent::Disconnected { retry_in: None, .. })));
}

#[test]
fn dropped_clients_leave_with_1001() {
    let server = Server::start(Config::local()).unwrap();
    let clients: Vec<Client> = (0..20).map(|_| Client::connect(server.url()).unwrap()).collect();
    assert!(clients.iter().all(|client| client.wait_connected(TEST_TIMEOUT)));
    drop(clients);
    for _ in 0..20 {
        let code = server.expect_matching(|event| match event {
            Event::ClientLeft { code, .. } => Some(code),
            _ => None,
        });
        assert_eq!(code.number(), 1001);
    }
}

#[test]
fn dropping_a_client_that_never_connected_does_not_block() {
    drop(Client::connect(format!("ws://{}", unused_tcp_address())).unwrap());
    let mut searching = ClientConfig::new("absent");
    searching.search = local_search(unused_udp_port(), TEST_TIMEOUT);
    drop(Client::start(searching).unwrap());
}
