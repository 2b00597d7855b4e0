//! A page that asks over HTTP whether its WebSocket works.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use halloo::{Config, Event, Files, Server};
use halloo_proto::frame::Opcode;
use halloo_test_support::{ExpectEvent, connect_tcp, exchange, http_get, loopback, masked_frame, read_head};

const KEY: &str = "AZaz09-_AAAAAAAAAAAAAA";

/// Opens a WebSocket with [`KEY`] that does not reply to pings.
fn open_with_key(server: &Server) -> TcpStream {
    let mut stream = connect_tcp(loopback(server));
    let head = format!(
        "GET / HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: halloo.key.{KEY}, halloo.v1\r\n\r\n",
        loopback(server)
    );
    stream.write_all(head.as_bytes()).unwrap();
    let response = read_head(&mut stream);
    assert!(response.contains("Sec-WebSocket-Protocol: halloo.v1\r\n"), "{response}");
    stream
}

fn ask(server: &Server, query: &str) -> String {
    http_get(loopback(server), &format!("/_halloo/connection?{query}"), "")
}

#[test]
fn answer_waits_for_the_pong_and_counts_the_messages_before_it() {
    let server = Server::start(Config::local()).unwrap();
    let mut stream = open_with_key(&server);
    let response = std::thread::scope(|scope| {
        let asking = scope.spawn(|| ask(&server, &format!("key={KEY}")));
        let mut ping = [0; 2];
        stream.read_exact(&mut ping).unwrap();
        assert_eq!(ping, [0x89, 0], "an empty ping");
        assert!(!asking.is_finished());
        stream.write_all(&[masked_frame(Opcode::Text, b"hello"), masked_frame(Opcode::Pong, b"")].concat()).unwrap();
        asking.join().unwrap()
    });
    assert!(
        response.starts_with("HTTP/1.1 200") && response.contains(r#"{"open":true,"received":1,"rtt_ms":"#),
        "{response}"
    );
}

#[test]
fn connection_that_does_not_answer_gets_no_response() {
    let mut config = Config::local();
    config.handshakes.timeout = Duration::from_millis(300);
    let server = Server::start(config).unwrap();
    let _silent = open_with_key(&server);
    let request = format!("GET /_halloo/connection?key={KEY} HTTP/1.1\r\nHost: {}\r\n\r\n", loopback(&server));
    assert_eq!(exchange(loopback(&server), request), "");
}

#[test]
fn page_can_end_its_connection_and_learns_how_many_messages_arrived() {
    let server = Server::start(Config::local()).unwrap();
    let mut stream = open_with_key(&server);
    stream.write_all(&masked_frame(Opcode::Text, b"hello")).unwrap();
    while !matches!(server.expect_event(), Event::MessageReceived { .. }) {}
    let body = r#"{"open":false,"received":1}"#;
    assert!(ask(&server, &format!("key={KEY}&end=1")).ends_with(body));
    while !matches!(server.expect_event(), Event::ClientLeft { .. }) {}
    assert!(ask(&server, &format!("key={KEY}")).ends_with(body), "it is still known");
    for query in ["", "key=", "key=AZaz09-_AAAAAAAAAAAAAB", "key=short&end=1"] {
        assert!(ask(&server, query).starts_with("HTTP/1.1 404"), "{query}");
    }
}

#[test]
fn request_that_waits_keeps_its_place_on_a_kept_connection() {
    let files = Files::memory([("index.html", "home")]).unwrap();
    let server = Server::start(Config::local().www(files)).unwrap();
    let mut stream = open_with_key(&server);
    let get = |path: &str, header: &str| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{header}\r\n");
    let ask = get(&format!("/_halloo/connection?key={KEY}"), "");
    let requests = [get("/", ""), ask.clone(), get("/", ""), ask, get("/", "Connection: close\r\n")].concat();
    let responses = std::thread::scope(|scope| {
        let asking = scope.spawn(|| exchange(loopback(&server), requests));
        for _ in 0..2 {
            let mut ping = [0; 2];
            stream.read_exact(&mut ping).unwrap();
            stream.write_all(&masked_frame(Opcode::Pong, b"")).unwrap();
        }
        asking.join().unwrap()
    });
    let bodies: Vec<&str> =
        responses.split("HTTP/1.1 200").filter_map(|response| response.split("\r\n\r\n").nth(1)).collect();
    let is_answer: Vec<bool> = bodies.iter().map(|body| body.contains(r#""open":true"#)).collect();
    assert_eq!(is_answer, [false, true, false, true, false], "{responses}");
    assert_eq!([bodies[0], bodies[2], bodies[4]], ["home"; 3]);
}

#[test]
fn request_about_a_silent_connection_ends_a_kept_connection_as_soon_as_a_new_one() {
    let mut config = Config::local().www(Files::memory([("index.html", "home")]).unwrap());
    config.handshakes.timeout = Duration::from_millis(300);
    let server = Server::start(config).unwrap();
    let _silent = open_with_key(&server);
    let mut kept = connect_tcp(loopback(&server));
    kept.write_all(b"HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    assert!(read_head(&mut kept).contains("Connection: keep-alive\r\n"));
    // When the server gives up this one, the first timer of `kept` has passed, too.
    assert_eq!(exchange(loopback(&server), "GET"), "");
    let start = Instant::now();
    let request = format!("GET /_halloo/connection?key={KEY} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    kept.write_all(request.as_bytes()).unwrap();
    let mut rest = String::new();
    assert!(kept.read_to_string(&mut rest).is_err() || rest.is_empty(), "{rest}");
    let took = start.elapsed();
    assert!(took < Duration::from_secs(5), "the timeout of an idle connection was used: {took:?}");
}
