//! The attacks of `cargo xtask adversary` in small: who stays, what is told, and what is kept. Time is measured there.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the answer")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use halloo::{ClientId, Config, Event, LeaveReason, Server};
use halloo_proto::frame::{Opcode, encode};

/// Long enough for a loaded machine; no test waits for it unless it fails.
const PATIENCE: Duration = Duration::from_secs(20);
const KEY: Option<[u8; 4]> = Some([1, 2, 3, 4]);

const HANDSHAKE: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

fn open(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Asks to be let in, and answers the first line it is told; empty when it is cut off.
fn ask(stream: &mut TcpStream, request: &[u8]) -> String {
    let mut told = [0; 12];
    match stream.write_all(request).and_then(|()| stream.read_exact(&mut told)) {
        Ok(()) => String::from_utf8_lossy(&told).into_owned(),
        Err(_) => String::new(),
    }
}

fn join(server: &Server) -> TcpStream {
    let mut stream = open(server);
    assert_eq!(ask(&mut stream, HANDSHAKE), "HTTP/1.1 101");
    let mut rest = Vec::new();
    while !rest.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        rest.push(byte[0]);
    }
    stream
}

/// The event that is `wanted`; the others before it are passed over.
fn told(server: &Server, wanted: impl Fn(&Event<'_>) -> bool) -> Event<'static> {
    std::iter::from_fn(|| server.wait_event(PATIENCE)).find(wanted).expect("an event")
}

#[test]
fn those_who_were_refused_and_stay_take_nobodys_place() {
    #[cfg(unix)]
    rlimit::increase_nofile_limit(4096).unwrap();
    let server = Server::start(Config::local()).unwrap();
    // More than may be anything but a client at a time. Each is told no, and does not go.
    let mut lingering = Vec::new();
    for _ in 0..Config::default().handshakes.max_pending + 100 {
        let mut stream = open(&server);
        assert_eq!(ask(&mut stream, b"GET / HTTP/1.1\r\nHost: evil.com\r\n\r\n"), "HTTP/1.1 403");
        lingering.push(stream);
    }
    for _ in 0..10 {
        join(&server);
    }
}

#[test]
fn who_goes_on_after_the_last_word_is_not_read_for_ever() {
    let server = Server::start(Config::local()).unwrap();
    let mut stream = open(&server);
    assert_eq!(ask(&mut stream, b"GET / HTTP/1.1\r\nHost: evil.com\r\n\r\n"), "HTTP/1.1 403");
    // What the sockets hold is a part of it; an eager reader takes gigabytes until it hangs up.
    let (piece, mut taken) = (vec![0; 1 << 20], 0);
    while taken < 200 && stream.write_all(&piece).is_ok() {
        taken += 1;
    }
    assert!(taken < 100, "{taken} MiB were taken");
}

#[test]
fn messages_that_never_end_are_bounded_in_all() {
    let mut config = Config::local();
    config.max_partial_bytes_total = 4 * 1024 * 1024;
    let server = Server::start(config).unwrap();
    let mut unfinished = Vec::new();
    encode(&mut unfinished, Opcode::Binary, &vec![7; 1024 * 1024], KEY);
    unfinished.pop();
    // More together than may be under way; the buffer of each grows to twice its size at most.
    let hoarders: Vec<TcpStream> = (0..5)
        .map(|_| {
            let mut stream = join(&server);
            // Whoever is cut off meanwhile cannot say more.
            let _ = stream.write_all(&unfinished);
            stream
        })
        .collect();
    let left = told(&server, |event| matches!(event, Event::ClientLeft { .. }));
    let Event::ClientLeft { code, reason, .. } = left else { unreachable!("looked for") };
    assert_eq!(code.number(), 1013);
    assert!(matches!(reason, LeaveReason::Violation(rule) if rule.contains("partial messages")));
    assert!(server.status().connected_clients >= 1, "no more are cut than need be");
    drop(hoarders);
}

#[test]
fn a_server_that_was_held_up_blames_nobody() {
    let heartbeat = Duration::from_millis(200);
    let mut config = Config::local();
    config.heartbeat = heartbeat;
    let (events, told) = mpsc::channel();
    let handler = move |event: Event<'_>, _: &mut halloo::Hub<'_>| {
        if let Event::MessageReceived { .. } = event {
            // As long as two clients would be dead who are not asked: the process is suspended, or its handler slow.
            let begin = Instant::now();
            while begin.elapsed() < heartbeat * 6 {
                std::thread::yield_now();
            }
        }
        let _ = events.send(event.into_owned());
    };
    let server = Server::start_with(config, handler).unwrap();
    let (mut speaker, mut idle) = (join(&server), join(&server));
    let mut message = Vec::new();
    encode(&mut message, Opcode::Text, b"wait", KEY);
    speaker.write_all(&message).unwrap();
    // The speaker answers nothing from now on; the other one answers as soon as it is asked.
    for _ in 0..5 {
        idle.read_exact(&mut [0; 2]).expect("it is asked, and not thrown out");
        let mut pong = Vec::new();
        encode(&mut pong, Opcode::Pong, b"", KEY);
        idle.write_all(&pong).unwrap();
    }
    let left: Vec<_> = told.try_iter().filter(|event| matches!(event, Event::ClientLeft { .. })).collect();
    assert!(matches!(left[..], [Event::ClientLeft { client: ClientId(1), .. }]), "{left:?}");
}

#[test]
fn a_large_message_to_all_is_shared_also_by_those_who_were_told_something_else_before_it() {
    const SIZE: usize = 8 << 20;
    let server = Server::start_with(Config::local(), |event, hub| {
        if let Event::MessageReceived { .. } = event {
            for id in 1..=20 {
                hub.send(halloo::ClientId(id), "hi").ok();
            }
            hub.send_to_all(vec![0; SIZE]).ok();
        }
    })
    .unwrap();
    let mut clients: Vec<TcpStream> = (0..20).map(|_| join(&server)).collect();
    clients[0].write_all(&[0x81, 0x80, 0, 0, 0, 0]).unwrap();
    while server.status().extras.messages_sent < 40 {
        std::thread::yield_now();
    }
    let status = server.status();
    assert!(status.extras.outbox_bytes < 2 * SIZE, "{} bytes", status.extras.outbox_bytes);
    assert_eq!(status.connected_clients, 20, "nobody had to be cut off");
}

#[test]
fn who_asks_to_be_let_in_after_the_stop_is_not() {
    let server = Server::start(Config::local()).unwrap();
    let mut late = open(&server);
    // Accepted, and nothing heard from it.
    while server.status().extras.clients_total == 0 && ask(&mut open(&server), HANDSHAKE) != "HTTP/1.1 101" {}
    server.stop();
    // Answered behind the stop.
    drop(server.status());
    assert_eq!(ask(&mut late, HANDSHAKE), "");
    let joined = server.events().filter(|event| matches!(event, Event::ClientJoined { .. })).count();
    assert_eq!(joined, 1);
}

#[test]
fn an_event_behind_a_full_queue_does_not_end_the_reading() {
    const COUNT: usize = 20_000;
    let mut config = Config::local();
    config.event_queue.max_events = 4096;
    let server = Server::start(config).unwrap();
    let mut sender = join(&server);
    let other = join(&server);
    let sending = std::thread::spawn(move || {
        for _ in 0..COUNT {
            sender.write_all(&[0x81, 0x80, 0, 0, 0, 0]).unwrap();
        }
        sender
    });
    while server.waiting_events() < 4096 {
        std::thread::yield_now();
    }
    // It has noticed before it answers.
    drop(server.status());
    let is_message = |event: &Event<'_>| matches!(event, Event::MessageReceived { .. });
    let mut taken = (0..600).filter_map(|_| server.try_event()).filter(is_message).count();
    // It leaves while the server does not read.
    server.disconnect(halloo::ClientId(2), 4000, "out").unwrap();
    drop((server.status(), other));
    taken += std::iter::from_fn(|| server.wait_event(PATIENCE)).filter(is_message).take(COUNT - taken).count();
    assert_eq!(taken, COUNT);
    drop(sending.join().unwrap());
}
