//! The attacks of `cargo xtask adversary` on a small scale: which clients stay, what is reported, and how much memory is
//! used. `cargo xtask adversary` measures time.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use halloo::{ClientId, Config, Event, Hub, LeaveReason, Server};
use halloo_proto::frame::Opcode;
use halloo_test_support::{
    ExpectEvent, UPGRADE_REQUEST, connect_tcp, loopback, masked_frame, open_websocket, read_status, wait_until,
};

/// A request whose `Host` is not allowed.
const FORBIDDEN_REQUEST: &str = "GET / HTTP/1.1\r\nHost: evil.com\r\n\r\n";
/// An empty text message.
const EMPTY_MESSAGE: &[u8] = &[0x81, 0x80, 0, 0, 0, 0];

/// Sends a request and returns the status of the response; an error if the connection ends before it.
fn request_status(stream: &mut TcpStream, request: &str) -> io::Result<u16> {
    stream.write_all(request.as_bytes())?;
    read_status(stream)
}

#[test]
fn refused_connections_that_stay_open_do_not_use_up_the_pending_connections() {
    #[cfg(unix)]
    rlimit::increase_nofile_limit(4096).unwrap();
    let server = Server::start(Config::local()).unwrap();
    let mut lingering = Vec::new();
    for _ in 0..Config::default().handshakes.max_pending + 100 {
        let mut stream = connect_tcp(loopback(&server));
        assert_eq!(request_status(&mut stream, FORBIDDEN_REQUEST).unwrap(), 403);
        lingering.push(stream);
    }
    for _ in 0..10 {
        open_websocket(loopback(&server));
    }
}

#[test]
fn input_after_a_refusal_is_not_read_forever() {
    let server = Server::start(Config::local()).unwrap();
    let mut stream = connect_tcp(loopback(&server));
    assert_eq!(request_status(&mut stream, FORBIDDEN_REQUEST).unwrap(), 403);
    // The buffers of the sockets accept some of it. A server that keeps reading would accept gigabytes.
    let (mebibyte, mut written) = (vec![0; 1 << 20], 0);
    while written < 200 && stream.write_all(&mebibyte).is_ok() {
        written += 1;
    }
    assert!(written < 100, "{written} MiB were accepted");
}

#[test]
fn the_memory_of_partial_messages_is_bounded_in_total() {
    let mut config = Config::local();
    config.max_partial_bytes_total = 4 * 1024 * 1024;
    let server = Server::start(config).unwrap();
    let mut partial_message = masked_frame(Opcode::Binary, &vec![7; 1024 * 1024]);
    partial_message.pop();
    // More in total than the limit. The buffer of each connection grows to twice its size at most.
    let senders: Vec<TcpStream> = (0..5)
        .map(|_| {
            let mut stream = open_websocket(loopback(&server));
            // Fails if the server disconnects this client meanwhile.
            let _ = stream.write_all(&partial_message);
            stream
        })
        .collect();
    let (code, reason) = server.expect_matching(|event| match event {
        Event::ClientLeft { code, reason, .. } => Some((code, reason)),
        _ => None,
    });
    assert_eq!(code.number(), 1013);
    assert!(matches!(reason, LeaveReason::Violation(rule) if rule.contains("partial messages")));
    assert!(server.status().connected_clients >= 1, "no more clients are disconnected than necessary");
    drop(senders);
}

#[test]
fn clients_are_not_disconnected_for_silence_while_the_server_was_blocked() {
    let heartbeat = Duration::from_millis(200);
    let mut config = Config::local();
    config.heartbeat = heartbeat;
    let (sender, events) = mpsc::channel();
    let handler = move |event: Event<'_>, _: &mut Hub<'_>| {
        if let Event::MessageReceived { .. } = event {
            // Twice as long as a silent client has, as if the process were suspended or the handler slow.
            let start = Instant::now();
            while start.elapsed() < heartbeat * 6 {
                std::thread::yield_now();
            }
        }
        let _ = sender.send(event.into_owned());
    };
    let server = Server::start_with(config, handler).unwrap();
    let (mut talker, mut idle) = (open_websocket(loopback(&server)), open_websocket(loopback(&server)));
    talker.write_all(&masked_frame(Opcode::Text, b"wait")).unwrap();
    // From now on the talker does not answer pings, and the idle client answers each of them.
    for _ in 0..5 {
        idle.read_exact(&mut [0; 2]).expect("a ping instead of the end of the connection");
        idle.write_all(&masked_frame(Opcode::Pong, b"")).unwrap();
    }
    let left: Vec<_> = events.try_iter().filter(|event| matches!(event, Event::ClientLeft { .. })).collect();
    assert!(matches!(left[..], [Event::ClientLeft { client: ClientId(1), .. }]), "{left:?}");
}

#[test]
fn a_large_broadcast_is_stored_once_even_for_clients_with_other_messages_before_it() {
    const SIZE: usize = 8 << 20;
    let server = Server::start_with(Config::local(), |event, hub| {
        if let Event::MessageReceived { .. } = event {
            for id in 1..=20 {
                hub.send(ClientId(id), "hi").ok();
            }
            hub.send_to_all(vec![0; SIZE]).ok();
        }
    })
    .unwrap();
    let mut clients: Vec<TcpStream> = (0..20).map(|_| open_websocket(loopback(&server))).collect();
    clients[0].write_all(EMPTY_MESSAGE).unwrap();
    wait_until(|| server.status().extras.messages_sent >= 40);
    let status = server.status();
    assert!(status.extras.outbox_bytes < 2 * SIZE, "{} bytes", status.extras.outbox_bytes);
    assert_eq!(status.connected_clients, 20, "no client had to be disconnected");
}

#[test]
fn a_handshake_after_the_stop_is_not_answered() {
    let server = Server::start(Config::local()).unwrap();
    let mut late = connect_tcp(loopback(&server));
    // The server has accepted `late` when it answers a later connection.
    while server.status().extras.clients_total == 0
        && !matches!(request_status(&mut connect_tcp(loopback(&server)), UPGRADE_REQUEST), Ok(101))
    {}
    server.stop();
    // Answered after the stop.
    drop(server.status());
    assert!(request_status(&mut late, UPGRADE_REQUEST).is_err());
    let joined = server.remaining_events().into_iter().filter(|event| matches!(event, Event::ClientJoined { .. }));
    assert_eq!(joined.count(), 1);
}

#[test]
fn a_client_that_leaves_while_the_event_queue_is_full_does_not_stall_the_server() {
    // One client alone does not fill the queue.
    const SENDERS: usize = 8;
    const COUNT: usize = SENDERS * 2500;
    let mut config = Config::local();
    config.event_queue.max_events = 4096;
    let server = Server::start(config).unwrap();
    let mut senders = vec![open_websocket(loopback(&server))];
    let other = open_websocket(loopback(&server));
    senders.extend((1..SENDERS).map(|_| open_websocket(loopback(&server))));
    let sending = std::thread::spawn(move || {
        for _ in 0..COUNT / SENDERS {
            senders.iter_mut().for_each(|sender| sender.write_all(EMPTY_MESSAGE).unwrap());
        }
        senders
    });
    wait_until(|| server.waiting_events() >= 4096);
    // The server has noticed the full queue when it answers.
    drop(server.status());
    let is_message = |event: &Event<'_>| matches!(event, Event::MessageReceived { .. });
    let mut received = (0..600).filter_map(|_| server.try_event()).filter(is_message).count();
    // The other client leaves while the server does not read.
    server.disconnect(ClientId(2), 4000, "out").unwrap();
    drop((server.status(), other));
    while received < COUNT {
        server.expect_matching(|event| is_message(&event).then_some(()));
        received += 1;
    }
    drop(sending.join().unwrap());
}
