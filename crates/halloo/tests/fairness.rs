//! One client does not keep the application from the others.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use std::io::{Read, Write};
use std::net::TcpStream;

use halloo::{Config, Event, Server};
use halloo_proto::frame::Opcode;
use halloo_test_support::{ExpectEvent, loopback, masked_frame, open_websocket, wait_until};

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
