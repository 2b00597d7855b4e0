//! The client against our own server: it comes back, finds one that moved, and gives up when it should.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the answer")]

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::time::Duration;

use halloo::{Client, ClientConfig, ClientEvent, ClientId, Config, Event, Search, Server, ServerInfo, Target};

/// Long enough for a loaded machine; no test waits for it unless it fails.
const PATIENCE: Duration = Duration::from_secs(20);

fn free_udp_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Nobody listens there.
fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn announced(name: &str, discovery_port: u16) -> Config {
    let mut config = Config::local();
    (config.name, config.discovery, config.discovery_port) = (name.into(), true, discovery_port);
    config
}

fn search(discovery_port: u16) -> Search {
    let mut search = Search::default();
    (search.browser.discovery_port, search.browser.local, search.timeout) = (discovery_port, true, PATIENCE);
    search
}

fn discovered(discovery_port: u16) -> ServerInfo {
    let mut search = search(discovery_port);
    search.first = true;
    search.run().unwrap().remove(0)
}

fn client(target: impl Into<Target>, discovery_port: u16) -> Client {
    let mut config = ClientConfig::new(target);
    config.search = search(discovery_port);
    Client::start(config).unwrap()
}

fn at(server: &Server) -> SocketAddr {
    ([127, 0, 0, 1], server.port()).into()
}

/// The next event that `wanted` makes something of; others are passed over.
fn next<T>(client: &Client, mut wanted: impl FnMut(ClientEvent) -> Option<T>) -> T {
    loop {
        if let Some(found) = wanted(client.wait_event(PATIENCE).expect("an event")) {
            return found;
        }
    }
}

fn connected(client: &Client) -> String {
    next(client, |event| match event {
        ClientEvent::Connected { url } => Some(url),
        _ => None,
    })
}

fn gave_up(client: &Client) -> String {
    next(client, |event| match event {
        ClientEvent::GaveUp { reason } => Some(reason),
        _ => None,
    })
}

/// The next message that comes to the server.
fn received(server: &Server) -> String {
    loop {
        if let Event::MessageReceived { message, .. } = server.wait_event(PATIENCE).expect("an event") {
            return message.to_string();
        }
    }
}

#[test]
fn after_a_restart_it_comes_back_and_what_waited_is_delivered_in_order() {
    let mut server = Server::start(Config::local()).unwrap();
    let mut config = Config::local();
    (config.port, config.strict_port) = (server.port(), true);
    let client = Client::connect(server.url()).unwrap();
    connected(&client);
    client.send("before").unwrap();
    assert_eq!(received(&server), "before");
    server.stop();
    let retry_in = next(&client, |event| match event {
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
    server.restart(config).unwrap();
    connected(&client);
    for number in 0..1000 {
        assert_eq!(received(&server), number.to_string());
    }
    assert_eq!(client.messages_dropped(), 0);
}

#[test]
fn a_server_that_is_not_there_yet_is_waited_for() {
    let addr = free_address();
    let client = Client::connect(format!("ws://{addr}")).unwrap();
    client.send("early").unwrap();
    let reason = next(&client, |event| match event {
        ClientEvent::AttemptFailed { reason, .. } => Some(reason),
        _ => None,
    });
    assert!(reason.contains(&addr.to_string()), "{reason}");
    let mut config = Config::local();
    (config.port, config.strict_port) = (addr.port(), true);
    let server = Server::start(config).unwrap();
    assert!(client.wait_connected(PATIENCE));
    assert_eq!(received(&server), "early");
}

#[test]
fn patience_ends() {
    let url = format!("ws://{}", free_address());
    let mut config = ClientConfig::new(&url);
    config.retry_limit.max_attempts = Some(3);
    let client = Client::start(config).unwrap();
    client.send("lost").unwrap();
    let failed = client.events().filter(|event| matches!(event, ClientEvent::AttemptFailed { .. }));
    assert_eq!(failed.take(2).count(), 2);
    assert_eq!(client.wait_event(PATIENCE), Some(ClientEvent::MessagesDropped { messages: 1 }));
    assert!(gave_up(&client).contains("cannot reach"));
    assert!(!client.wait_connected(PATIENCE) && client.send("late").is_err());

    let mut config = ClientConfig::new(&url);
    config.reconnect = false;
    let client = Client::start(config).unwrap();
    assert!(matches!(client.wait_event(PATIENCE), Some(ClientEvent::GaveUp { .. })));
}

#[test]
fn a_server_is_found_by_its_name_among_others() {
    let port = free_udp_port();
    let _other = Server::start(announced("attic", port)).unwrap();
    let den = Server::start(announced("Den", port)).unwrap();
    let client = client("den", port);
    assert_eq!(connected(&client), den.url());
}

#[test]
fn a_name_that_nobody_has_is_given_up_with_it() {
    let mut config = ClientConfig::new("nobody");
    config.search = search(free_udp_port());
    config.search.timeout = Duration::from_millis(10);
    config.retry_limit.max_attempts = Some(2);
    let client = Client::start(config).unwrap();
    assert!(gave_up(&client).contains("no server called nobody answered"));
}

#[test]
fn a_server_that_moved_to_another_port_is_found_again() {
    let port = free_udp_port();
    let mut server = Server::start(announced("mover", port)).unwrap();
    let found = discovered(port);
    let client = client(&found, port);
    assert_eq!(connected(&client), server.url());
    let before = at(&server);
    server.stop();
    next(&client, |event| matches!(event, ClientEvent::Disconnected { .. }).then_some(()));
    client.send("still here").unwrap();
    server.restart(announced("mover", port)).unwrap();
    assert_ne!(at(&server), before);
    assert_eq!(connected(&client), server.url());
    assert_eq!(received(&server), "still here");
    // From now on it knows the new place, without a search.
    server.stop_service_discovery();
    server.disconnect(ClientId(2), 1001, "come back").unwrap();
    assert_eq!(connected(&client), server.url());
}

#[test]
fn the_next_address_is_tried_when_the_best_does_not_answer() {
    let port = free_udp_port();
    let server = Server::start(announced("two", port)).unwrap();
    let mut found = discovered(port);
    found.url = format!("ws://{}", free_address());
    let nameless = {
        let mut found = found.clone();
        found.name.clear();
        found
    };
    assert_eq!(connected(&client(&nameless, port)), server.url(), "without a search");
    // One that takes the call and never says a word is no better; another is found by the name of the first.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    found.url = format!("ws://{}", silent.local_addr().unwrap());
    found.addresses.clear();
    assert_eq!(connected(&client(&found, port)), server.url());
}

#[test]
fn a_host_name_is_resolved() {
    let server = Server::start(Config::local()).unwrap();
    let client = Client::connect(format!("http://localhost:{}/some/path", server.port())).unwrap();
    assert_eq!(connected(&client), format!("ws://localhost:{}/some/path", server.port()));
}

#[test]
fn a_full_server_says_so_and_is_tried_until_there_is_room() {
    let mut config = Config::local();
    config.max_clients = Some(1);
    let server = Server::start(config).unwrap();
    let first = Client::connect(server.url()).unwrap();
    connected(&first);
    let second = Client::connect(server.url()).unwrap();
    let reason = next(&second, |event| match event {
        ClientEvent::AttemptFailed { reason, .. } => Some(reason),
        _ => None,
    });
    assert!(reason.contains("503") && reason.contains("the server is full"), "{reason}");
    drop(first);
    connected(&second);
}

#[test]
fn a_kicked_client_stays_away() {
    let server = Server::start(Config::local()).unwrap();
    let client = Client::connect(server.url()).unwrap();
    connected(&client);
    let Event::ClientJoined { client: id, .. } = server.wait_event(PATIENCE).unwrap() else { panic!() };
    server.disconnect(id, 4001, "cheating").unwrap();
    assert!(gave_up(&client).contains("4001: cheating"));
    assert_eq!(server.status().extras.clients_total, 1);
}

#[test]
fn closed_with_nothing_to_send_it_does_not_wait_for_anybody() {
    let client = Client::connect(format!("ws://{}", free_address())).unwrap();
    client.close(1000, "");
    assert!(client.events().all(|event| matches!(event, ClientEvent::AttemptFailed { .. })));
}

#[test]
fn closed_with_something_to_send_it_still_waits_for_the_server() {
    let addr = free_address();
    let client = Client::connect(format!("ws://{addr}")).unwrap();
    client.send("the last word").unwrap();
    client.close(1000, "");
    let mut config = Config::local();
    (config.port, config.strict_port) = (addr.port(), true);
    let server = Server::start(config).unwrap();
    assert_eq!(received(&server), "the last word");
    assert!(matches!(client.events().last(), Some(ClientEvent::Disconnected { retry_in: None, .. })));
}

#[test]
fn dropped_clients_are_gone_from_the_server() {
    let server = Server::start(Config::local()).unwrap();
    let clients: Vec<Client> = (0..20).map(|_| Client::connect(server.url()).unwrap()).collect();
    assert!(clients.iter().all(|client| client.wait_connected(PATIENCE)));
    drop(clients);
    let mut left = 0;
    while left < 20 {
        if let Event::ClientLeft { code, .. } = server.wait_event(PATIENCE).unwrap() {
            assert_eq!(code.number(), 1001);
            left += 1;
        }
    }
    // Nor does one wait for anything that never connected.
    drop(Client::connect(format!("ws://{}", free_address())).unwrap());
    drop(client("nobody", free_udp_port()));
}

/// A port at which nobody answers, not even to refuse: its queue is full. Whoever holds what this returns keeps it so.
#[cfg(target_os = "linux")]
fn silent_address() -> (SocketAddr, Vec<socket2::Socket>) {
    let tcp = || socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let listener = tcp();
    listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    listener.listen(0).unwrap();
    let addr = listener.local_addr().unwrap();
    let mut held = vec![listener];
    // Each that is not taken in is still on its way.
    for _ in 0..4 {
        let guest = tcp();
        guest.set_nonblocking(true).unwrap();
        let _ = guest.connect(&addr);
        held.push(guest);
    }
    (addr.as_socket().unwrap(), held)
}

#[cfg(target_os = "linux")]
#[test]
fn a_server_that_left_an_address_at_which_nobody_answers_is_looked_for_meanwhile() {
    let discovery_port = free_udp_port();
    let server = Server::start(announced("den", discovery_port)).unwrap();
    let (silent, _held) = silent_address();
    let mut known = discovered(discovery_port);
    (known.addresses, known.url) = (vec![silent], format!("ws://{silent}"));
    let begun = std::time::Instant::now();
    let client = client(known, discovery_port);
    assert_eq!(connected(&client), format!("ws://{}", at(&server)));
    let given_up = halloo_proto::defaults::HANDSHAKE_TIMEOUT;
    assert!(begun.elapsed() < given_up, "it was found only once the old address was given up");
}
