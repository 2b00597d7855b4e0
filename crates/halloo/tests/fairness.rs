//! One client does not keep the application from the others.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use halloo::{Config, Event, Server};
use halloo_proto::defaults::INFLATED_MESSAGES_PER_SECOND;
use halloo_proto::deflate::Deflater;
use halloo_proto::frame::{self, Opcode};
use halloo_test_support::{
    ExpectEvent, TEST_TIMEOUT, UPGRADE_REQUEST, connect_tcp, loopback, masked_frame, open_websocket, read_head,
    wait_until,
};

const LARGE: usize = 100_000;
/// More turns than the server needs to read the whole flood.
const TURNS: usize = 3000;

/// Sends messages with ascending numbers until the connection ends.
fn flood(mut stream: TcpStream, count: u32) {
    for number in 0..count {
        let message = [&number.to_be_bytes()[..], &[0; LARGE]].concat();
        if stream.write_all(&masked_frame(Opcode::Binary, &message)).is_err() {
            return;
        }
    }
}

/// Waits until the server has answered a ping.
fn ping(stream: &mut TcpStream) {
    stream.write_all(&masked_frame(Opcode::Ping, b"")).unwrap();
    let mut pong = [0; 2];
    stream.read_exact(&mut pong).unwrap();
    assert_eq!(pong, [0x8a, 0]);
}

#[test]
fn a_client_that_floods_the_application_does_not_delay_the_messages_of_another() {
    const COUNT: u32 = 600;
    let mut config = Config::local();
    config.messages.max_control_frames_per_second = 1 << 20;
    let server = Server::start(config).unwrap();
    let flooder = open_websocket(loopback(&server));
    let mut other = open_websocket(loopback(&server));
    let sender = std::thread::spawn(move || flood(flooder, COUNT));
    // The application takes nothing, and the flood waits in the sockets although the queue has room for all of it.
    wait_until(|| server.status().extras.messages_received >= 10);
    (0..TURNS).for_each(|_| ping(&mut other));
    let waiting = server.status().extras.messages_received;
    assert!(waiting <= 40, "{waiting} messages of {LARGE} bytes wait");
    let mut received = 0;
    for text in ["one", "two", "three"] {
        other.write_all(&masked_frame(Opcode::Text, text.as_bytes())).unwrap();
        // The server has read it by then.
        ping(&mut other);
        let mut before = 0;
        loop {
            match server.expect_event() {
                Event::MessageReceived { message, .. } if message.text().is_none() => {
                    assert_eq!(message.bytes()[..4], u32::to_be_bytes(received), "in order");
                    (received, before) = (received + 1, before + LARGE);
                }
                Event::MessageReceived { message, .. } => {
                    assert_eq!(message.text(), Some(text));
                    break;
                }
                Event::ClientLeft { reason, .. } => panic!("{reason:?}"),
                _ => {}
            }
        }
        assert!(before <= 2 << 20, "{before} bytes of the flood came first");
    }
    // Nothing of it is lost.
    while received < COUNT {
        if let Event::MessageReceived { message, .. } = server.expect_event() {
            assert_eq!(message.bytes()[..4], u32::to_be_bytes(received));
            received += 1;
        }
    }
    sender.join().unwrap();
}

/// Opens a WebSocket whose messages may be compressed.
fn open_compressed(server: &Server) -> TcpStream {
    let mut stream = connect_tcp(loopback(server));
    let offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
    let request = format!("{}{offer}", UPGRADE_REQUEST.strip_suffix("\r\n").unwrap());
    stream.write_all(request.as_bytes()).unwrap();
    assert!(read_head(&mut stream).contains("permessage-deflate"));
    stream
}

/// Returns a compressed message of a client.
fn compressed_frame(payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    Deflater::default().encode(&mut bytes, Opcode::Binary, payload);
    let header = match bytes[1] {
        126 => 4,
        127 => 10,
        _ => 2,
    };
    let mut masked = Vec::new();
    frame::encode(&mut masked, Opcode::Binary, &bytes[header..], Some([0; 4]));
    assert!(bytes[0] == 0xc2 && bytes.len() < payload.len() / 16, "it is compressed");
    masked[0] = bytes[0];
    masked
}

#[test]
fn a_client_may_inflate_so_much_in_a_second_and_loses_nothing() {
    const BOMBS: usize = 3 * INFLATED_MESSAGES_PER_SECOND;
    let mut config = Config::local();
    config.compression = true;
    config.messages.max_control_frames_per_second = 1 << 20;
    let size = config.messages.max_message_bytes;
    let server = Server::start(config).unwrap();
    let (mut attacker, mut other) = (open_compressed(&server), open_compressed(&server));
    let start = Instant::now();
    attacker.write_all(&compressed_frame(&vec![0; size]).repeat(BOMBS)).unwrap();
    let mut received = 0;
    while received < BOMBS {
        // The other client is served meanwhile.
        ping(&mut other);
        while let Some(event) = server.try_event() {
            if let Event::MessageReceived { message, .. } = event {
                assert_eq!(message.bytes().len(), size);
                received += 1;
                let seconds = start.elapsed().as_secs_f64();
                // A burst, and one message that exceeds it.
                let most = (seconds + 1.0) * INFLATED_MESSAGES_PER_SECOND as f64 * 1.02 + 1.0;
                assert!(received as f64 <= most, "{received} messages in {seconds:.2} s");
            }
        }
    }
}

#[test]
fn a_client_that_is_not_read_and_resets_its_connection_leaves_at_once() {
    const BOMBS: usize = 100 * INFLATED_MESSAGES_PER_SECOND;
    let mut config = Config::local();
    config.compression = true;
    // No pong finds it out.
    config.heartbeat = Duration::ZERO;
    let size = config.messages.max_message_bytes;
    let server = Server::start(config).unwrap();
    let mut attacker = open_compressed(&server);
    let mut bombs = compressed_frame(&vec![0; size]).repeat(BOMBS);
    bombs.truncate(48 * 1024);
    attacker.write_all(&bombs).unwrap();
    // The application takes nothing, and the share of the client is exceeded.
    wait_until(|| server.status().extras.messages_received >= 1);
    socket2::SockRef::from(&attacker).set_linger(Some(Duration::ZERO)).unwrap();
    drop(attacker);
    wait_until(|| server.status().connected_clients == 0);
    let received = server.status().extras.messages_received;
    let sent = bombs.len() / compressed_frame(&vec![0; size]).len();
    assert!((received as usize) < sent, "{received} of {sent} messages");
}

#[test]
fn a_client_that_is_not_read_completes_the_close_handshake() {
    // More than the sockets hold.
    const COUNT: u32 = 200;
    let mut config = Config::local();
    config.close_timeout = TEST_TIMEOUT;
    let server = Server::start(config).unwrap();
    let mut stream = open_websocket(loopback(&server));
    let writer = stream.try_clone().unwrap();
    let sender = std::thread::spawn(move || flood(writer, COUNT));
    let Event::ClientJoined { client, .. } = server.expect_event() else { panic!("no client") };
    wait_until(|| server.status().extras.messages_received >= 10);
    server.disconnect(client, 4000, "").unwrap();
    // All of it is read, although the application takes nothing.
    sender.join().unwrap();
    stream.write_all(&masked_frame(Opcode::Close, &4000_u16.to_be_bytes())).unwrap();
    let mut received = Vec::new();
    stream.read_to_end(&mut received).expect("the end of the stream instead of a reset");
    assert_eq!(received, [0x88, 2, 0x0f, 0xa0]);
}
