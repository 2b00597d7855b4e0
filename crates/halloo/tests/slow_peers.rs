//! Peers that are slow but alive: what is sent to them arrives, and so does the close frame.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use halloo::{Client, ClientConfig, ClientEvent, ClientId, Config, Delivery, Event, LeaveReason, Server};
use halloo_test_support::{
    ExpectEvent, MockServer, TEST_TIMEOUT, answer_handshake, connect_peer, expect_connected, expect_gave_up, loopback,
    open_websocket, single_attempt_client, switching_protocols, wait_until,
};
use tungstenite::Message;

const MIB: usize = 1024 * 1024;
/// More than a socket accepts from a server whose client does not read, and less than the largest message.
const LARGE: usize = 900 * 1024;

/// Returns a server and a client that does not read yet.
fn server_and_peer(change: impl FnOnce(&mut Config)) -> (Server, TcpStream) {
    let mut config = Config::local();
    // Without pings between the messages.
    config.heartbeat = Duration::ZERO;
    change(&mut config);
    let server = Server::start(config).unwrap();
    let peer = open_websocket(loopback(&server));
    assert!(matches!(server.expect_event(), Event::ClientJoined { .. }));
    (server, peer)
}

/// Reads frames from a server up to its close frame. Returns the lengths of the messages, and the close code.
fn read_to_close(peer: &mut TcpStream) -> (Vec<usize>, u16) {
    let mut lengths = Vec::new();
    loop {
        let mut header = [0; 2];
        peer.read_exact(&mut header).expect("a frame instead of the end of the connection");
        let length = match header[1] {
            126 => u64::from(u16::from_be_bytes(read_array(peer))),
            127 => u64::from_be_bytes(read_array(peer)),
            short => u64::from(short),
        };
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        peer.read_exact(&mut payload).expect("a whole frame");
        match header[0] {
            0x88 => return (lengths, u16::from_be_bytes([payload[0], payload[1]])),
            _ => lengths.push(payload.len()),
        }
    }
}

fn read_array<const N: usize>(peer: &mut TcpStream) -> [u8; N] {
    let mut bytes = [0; N];
    peer.read_exact(&mut bytes).unwrap();
    bytes
}

#[test]
fn several_of_the_largest_messages_wait_for_a_slow_client_by_default() {
    const COUNT: usize = 7;
    let server = Server::start(Config::local()).unwrap();
    let mut peer = connect_peer(&server);
    assert!(matches!(server.expect_event(), Event::ClientJoined { .. }));
    for _ in 0..COUNT {
        server.send_to_all(vec![7; MIB]).unwrap();
    }
    wait_until(|| server.status().extras.messages_sent == COUNT as u64);
    assert_eq!(server.status().extras.messages_dropped, 0);
    let mut received = 0;
    while received < COUNT {
        if let Message::Binary(bytes) = peer.read().unwrap() {
            assert_eq!(bytes.len(), MIB);
            received += 1;
        }
    }
}

#[test]
#[cfg(any(target_os = "linux", target_os = "android"))]
fn little_of_a_message_waits_where_its_progress_cannot_be_seen() {
    let (server, peer) = server_and_peer(|_| {});
    socket2::SockRef::from(&peer).set_recv_buffer_size(4096).unwrap();
    server.send_to_all(vec![7; LARGE]).unwrap();
    wait_until(|| server.status().extras.messages_sent == 1);
    // The rest is in the sockets, and in transit on loopback.
    let waiting = server.status().extras.outbox_bytes;
    assert!(waiting > LARGE / 2, "only {waiting} bytes wait");
}

#[test]
fn sender_waits_until_a_slow_client_has_accepted_everything() {
    const COUNT: usize = 20;
    let (server, mut peer) = server_and_peer(|config| config.outbox.max_bytes = LARGE);
    let client = ClientId(1);
    // More in total than the outbox holds, and each waits for the one before it.
    let reader = std::thread::spawn(move || {
        let mut bytes = 0;
        while bytes < COUNT * LARGE {
            bytes += peer.read(&mut [0; 16 * 1024]).unwrap();
        }
        peer
    });
    for _ in 0..COUNT {
        assert_eq!(server.send(client, vec![7; LARGE]), Ok(Delivery::Queued));
        assert!(server.wait_drained(client, TEST_TIMEOUT));
    }
    assert_eq!(server.status().extras.messages_dropped, 0);
    drop(reader.join().unwrap());
    wait_until(|| server.status().connected_clients == 0);
    assert!(!server.wait_drained(client, TEST_TIMEOUT), "it has left");
}

#[test]
fn wait_for_a_client_that_accepts_nothing_ends() {
    let (server, _peer) = server_and_peer(|_| {});
    let client = ClientId(1);
    assert!(server.wait_drained(client, TEST_TIMEOUT), "nothing was sent");
    for _ in 0..7 {
        server.send(client, vec![7; LARGE]).unwrap();
    }
    assert!(!server.wait_drained(client, Duration::from_millis(1)), "after its timeout");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| server.wait_drained(client, TEST_TIMEOUT));
        server.disconnect(client, 4000, "").unwrap();
        assert!(!waiting.join().unwrap(), "when the client leaves");
    });
    server.stop();
    assert_eq!(server.remaining_events().len(), 1);
    assert!(!server.wait_drained(client, TEST_TIMEOUT), "when the server has stopped");
}

#[test]
fn client_that_is_cut_off_receives_the_message_being_written_and_the_close_frame() {
    let (server, mut peer) = server_and_peer(|config| config.outbox.max_bytes = 2 * LARGE);
    let reason = loop {
        server.send_to_all(vec![7; LARGE]).unwrap();
        if let Some(Event::ClientLeft { reason, .. }) = server.try_event() {
            break reason;
        }
    };
    assert_eq!(reason, LeaveReason::TooSlow);
    // It still sends, which must not reset the connection.
    peer.write_all(&[0x81, 0x80, 0, 0, 0, 0].repeat(1000)).unwrap();
    let (lengths, code) = read_to_close(&mut peer);
    assert!(!lengths.is_empty() && lengths.iter().all(|&length| length == LARGE), "{lengths:?}");
    assert_eq!(code, 1013);
}

#[test]
fn close_frame_after_a_violation_does_not_wait_behind_queued_messages() {
    const COUNT: u64 = 8;
    let (server, mut peer) = server_and_peer(|_| {});
    for _ in 0..COUNT {
        server.send_to_all(vec![7; LARGE]).unwrap();
    }
    wait_until(|| server.status().extras.messages_sent == COUNT);
    // A frame without a mask.
    peer.write_all(&[0x81, 0]).unwrap();
    let reason = server.expect_matching(|event| match event {
        Event::ClientLeft { reason, .. } => Some(reason),
        _ => None,
    });
    assert!(matches!(reason, LeaveReason::Violation(_)), "{reason:?}");
    let (lengths, code) = read_to_close(&mut peer);
    assert!(lengths.len() < COUNT as usize && lengths.iter().all(|&length| length == LARGE), "{lengths:?}");
    assert_eq!(code, 1002);
    assert_eq!(server.status().extras.messages_dropped, COUNT - lengths.len() as u64);
}

#[test]
fn client_reconnects_after_a_message_that_stalled() {
    let server = MockServer::raw(|mut stream| {
        answer_handshake(&stream, switching_protocols);
        stream.write_all(&[0x82, 2, b'x']).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let mut config = ClientConfig::new(server.url.as_str());
    config.messages.stall_timeout = Duration::from_millis(200);
    let client = Client::start(config).unwrap();
    expect_connected(&client);
    let ClientEvent::Disconnected { code, retry_in, .. } = client.expect_event() else { panic!() };
    assert_eq!((code.number(), retry_in.is_some()), (1013, true));
    drop(client);
    server.join();
}

#[test]
fn reason_of_1009_names_the_side_whose_limit_it_is() {
    let server = MockServer::websocket(|mut peer| {
        peer.send(Message::binary(vec![7; 2 * MIB])).unwrap();
        loop {
            match peer.read() {
                Ok(Message::Close(close)) => return close.unwrap().reason.to_string(),
                Ok(_) => {}
                Err(error) => panic!("{error}"),
            }
        }
    });
    let client = Client::connect(&server.url).unwrap();
    expect_connected(&client);
    assert!(matches!(client.expect_event(), ClientEvent::Disconnected { retry_in: None, .. }));
    let reason = expect_gave_up(&client);
    assert!(reason.contains("1009") && reason.contains("the client's limit of 1048576 bytes"), "{reason}");
    assert!(reason.contains("increase `max_message_bytes`"), "{reason}");
    let sent = server.join();
    assert!(sent.contains("the client's limit") && !sent.contains("increase"), "{sent}");

    let server = Server::start(Config::local()).unwrap();
    let client = single_attempt_client(&format!("ws://{}", loopback(&server)), |_| {});
    expect_connected(&client);
    client.send(vec![7; 2 * MIB]).unwrap();
    // The message may be dropped before or after the connection ends.
    let reason = client.events().find_map(|event| match event {
        ClientEvent::GaveUp { reason, .. } => Some(reason),
        _ => None,
    });
    let reason = reason.expect("1009 is final");
    assert!(reason.contains("the server's limit of 1048576 bytes"), "{reason}");
}
