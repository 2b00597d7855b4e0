//! The limits that an application sets are those that hold.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the answer")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use halloo::{Config, Event, LeaveReason, Server};

/// Long enough for a loaded machine; no test waits for it unless it fails.
const PATIENCE: Duration = Duration::from_secs(20);

fn server(change: impl FnOnce(&mut Config)) -> Server {
    let mut config = Config::local();
    change(&mut config);
    Server::start(config).unwrap()
}

fn socket(server: &Server, retry_limit: Duration) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    stream.set_read_timeout(Some(retry_limit)).unwrap();
    stream
}

fn get(server: &Server, headers: usize, length: usize) -> String {
    let mut stream = socket(server, PATIENCE);
    let headers: String = (0..headers).map(|_| format!("A: {}\r\n", "x".repeat(length))).collect();
    write!(stream, "GET /status HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_request_head_is_as_large_as_allowed() {
    let server = server(|config| (config.handshakes.max_head_bytes, config.handshakes.max_headers) = (300, 5));
    assert!(get(&server, 4, 1).starts_with("HTTP/1.1 200"));
    assert!(get(&server, 5, 1).contains("larger than 300 bytes or 5 headers"));
    assert!(get(&server, 1, 300).starts_with("HTTP/1.1 431"));
    let wide = Server::start(Config::local()).unwrap();
    assert!(get(&wide, 60, 100).starts_with("HTTP/1.1 200"));
}

#[test]
fn as_many_handshakes_wait_as_allowed() {
    let server = server(|config| config.handshakes.max_pending = 2);
    let mut sockets: Vec<TcpStream> = (0..3).map(|_| socket(&server, PATIENCE)).collect();
    assert!(matches!(sockets[0].read(&mut [0]), Ok(0) | Err(_)), "the oldest made room");
    // The other two still may speak.
    for stream in &mut sockets[1..] {
        write!(stream, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
    }
}

#[test]
fn a_handshake_takes_as_long_as_allowed() {
    let server = server(|config| config.handshakes.timeout = Duration::from_millis(1));
    // By default it would be longer than this retry_limit.
    let closed = socket(&server, Duration::from_secs(4)).read(&mut [0]);
    assert!(matches!(closed, Ok(0)), "{closed:?}");
}

#[test]
fn all_queues_together_hold_as_much_as_allowed() {
    let server = server(|config| {
        config.outbox.max_bytes = 1 << 30;
        config.outbox.max_messages = 1 << 20;
        config.max_outbox_bytes_total = 1 << 20;
    });
    let _peer = tungstenite::connect(server.url()).unwrap();
    let left = loop {
        server.send_to_all(vec![0; 256 * 1024]).unwrap();
        match server.try_event() {
            Some(Event::ClientLeft { reason, .. }) => break reason,
            _ => assert!(server.summary().extras.outbox_bytes < 8 << 20),
        }
    };
    assert_eq!(left, LeaveReason::TooSlow);
}
