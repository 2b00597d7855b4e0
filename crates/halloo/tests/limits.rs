//! Configured limits take effect.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use halloo::{Client, ClientConfig, Config, Event, LeaveReason, Search, Server};
use halloo_test_support::{connect_peer, connect_tcp, http_get, loopback, read_status, unused_discovery_port};

fn start_server(change: impl FnOnce(&mut Config)) -> Server {
    let mut config = Config::local();
    change(&mut config);
    Server::start(config).unwrap()
}

/// Requests the status with this many headers of this length besides `Host`.
fn get_with_headers(server: &Server, headers: usize, length: usize) -> String {
    let headers: String = (0..headers).map(|_| format!("A: {}\r\n", "x".repeat(length))).collect();
    http_get(loopback(server), "/status", &headers)
}

#[test]
fn the_size_of_a_request_head_is_limited() {
    let server = start_server(|config| (config.handshakes.max_head_bytes, config.handshakes.max_headers) = (300, 5));
    assert!(get_with_headers(&server, 4, 1).starts_with("HTTP/1.1 200"));
    assert!(get_with_headers(&server, 5, 1).contains("more than 300 bytes or 5 headers"));
    assert!(get_with_headers(&server, 1, 300).starts_with("HTTP/1.1 431"));
    let default = Server::start(Config::local()).unwrap();
    assert!(get_with_headers(&default, 60, 100).starts_with("HTTP/1.1 200"));
}

#[test]
fn the_number_of_pending_handshakes_is_limited() {
    let server = start_server(|config| config.handshakes.max_pending = 2);
    let mut sockets: Vec<TcpStream> = (0..3).map(|_| connect_tcp(loopback(&server))).collect();
    assert!(matches!(sockets[0].read(&mut [0]), Ok(0) | Err(_)), "the oldest one makes room");
    // The other two can still send their requests.
    for stream in &mut sockets[1..] {
        write!(stream, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        assert_eq!(read_status(stream).unwrap(), 200);
    }
}

#[test]
fn the_duration_of_a_handshake_is_limited() {
    let server = start_server(|config| config.handshakes.timeout = Duration::from_millis(1));
    let mut stream = connect_tcp(loopback(&server));
    // Shorter than the default timeout.
    stream.set_read_timeout(Some(Duration::from_secs(4))).unwrap();
    let closed = stream.read(&mut [0]);
    assert!(matches!(closed, Ok(0)), "{closed:?}");
}

#[test]
fn the_size_of_all_outboxes_together_is_limited() {
    let server = start_server(|config| {
        config.outbox.max_bytes = 1 << 30;
        config.outbox.max_messages = 1 << 20;
        config.max_outbox_bytes_total = 1 << 20;
    });
    let _peer = connect_peer(&server);
    let reason = loop {
        server.send_to_all(vec![0; 256 * 1024]).unwrap();
        match server.try_event() {
            Some(Event::ClientLeft { reason, .. }) => break reason,
            _ => assert!(server.summary().extras.outbox_bytes < 8 << 20),
        }
    };
    assert_eq!(reason, LeaveReason::TooSlow);
}

/// One that no clock can represent, and one that a clock of seconds can.
const LONG_TIMES: [Duration; 2] = [Duration::MAX, Duration::from_secs(9_000_000_000_000_000_000)];

#[test]
fn the_longest_times_mean_never() {
    for long in LONG_TIMES {
        let server = start_server(|config| {
            (config.discovery, config.discovery_port) = (true, unused_discovery_port());
            (config.discovery_interval, config.heartbeat) = (long, long);
            (config.write_timeout, config.close_timeout, config.handshakes.timeout) = (long, long, long);
            config.messages.stall_timeout = long;
        });
        let mut search = Search::default();
        (search.timeout, search.first) = (long, true);
        (search.browser.local, search.browser.discovery_port) = (true, server.discovery_port());
        let mut config = ClientConfig::new(&search.find(server.id()).unwrap()[0]);
        (config.heartbeat, config.retry_limit.max_elapsed) = (long, Some(long));
        (config.messages.stall_timeout, config.search) = (long, search);
        let client = Client::start(config).unwrap();
        assert!(client.wait_connected(long) && client.wait_room(long));
        client.send("x").unwrap();
        let id = loop {
            match server.wait_event(long).unwrap() {
                Event::MessageReceived { client, .. } => break client,
                event => assert!(!matches!(event, Event::ServerFailed { .. }), "{event:?}"),
            }
        };
        server.send(id, "y").unwrap();
        assert!(server.wait_drained(id, long));
        assert!(client.wait_event(long).is_some());
        client.stop();
        while !matches!(server.wait_event(long), Some(Event::ClientLeft { .. })) {}
        server.stop();
        while let Some(event) = server.wait_event(long) {
            assert!(!matches!(event, Event::ServerFailed { .. }), "{event:?}");
        }
    }
}
