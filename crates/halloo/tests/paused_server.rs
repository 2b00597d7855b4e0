//! A server whose application takes no events for a while: its clients stay, and nothing is lost.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use halloo::{Client, ClientConfig, Config, Delivery, Event, Server};
use halloo_proto::frame::Opcode;
use halloo_test_support::{
    ExpectEvent, TEST_TIMEOUT, expect_connected, loopback, masked_frame, open_websocket, wait_until,
};

const HEARTBEAT: Duration = Duration::from_millis(100);

/// Returns a server that stops reading after a few events.
fn start_server() -> Server {
    let mut config = Config::local();
    config.heartbeat = HEARTBEAT;
    config.event_queue.max_events = 4;
    Server::start(config).unwrap()
}

/// Pauses the server, and waits until it has sent so many pongs to a peer that sends nothing more.
fn pause(server: &Server, pongs: usize) -> TcpStream {
    let mut peer = open_websocket(loopback(server));
    for _ in 0..8 {
        peer.write_all(&masked_frame(Opcode::Text, b"fill")).unwrap();
    }
    for _ in 0..pongs {
        let mut frame = [0; 2];
        peer.read_exact(&mut frame).expect("a pong instead of the end of the connection");
        while frame == [0x89, 0] {
            // A ping from before the pause.
            peer.read_exact(&mut frame).unwrap();
        }
        assert_eq!(frame, [0x8a, 0]);
    }
    peer
}

#[test]
fn client_of_a_paused_server_stays_and_loses_nothing() {
    const MESSAGES: u32 = 300;
    let server = start_server();
    let mut config = ClientConfig::new(server.url());
    config.heartbeat = HEARTBEAT;
    config.outbox.max_bytes = 64 << 20;
    let client = Client::start(config).unwrap();
    expect_connected(&client);
    // Three times as long as silence is tolerated. Meanwhile the client sends more than the sockets hold.
    let sender = std::thread::spawn(move || {
        for number in 0..MESSAGES {
            let message = [&number.to_be_bytes()[..], &[0; 64 * 1024]].concat();
            assert_eq!(client.send(message), Ok(Delivery::Queued));
        }
        client
    });
    let peer = pause(&server, 9);
    let client = sender.join().unwrap();
    let (mut expected, mut joined) = (0, 0);
    while expected < MESSAGES {
        match server.expect_event() {
            Event::MessageReceived { message, .. } if message.text().is_none() => {
                assert_eq!(message.bytes()[..4], expected.to_be_bytes());
                expected += 1;
            }
            Event::ClientJoined { .. } => joined += 1,
            Event::ClientLeft { reason, .. } => panic!("{reason:?}"),
            _ => {}
        }
    }
    assert_eq!((joined, server.status().connected_clients), (2, 2));
    assert!(client.wait_connected(TEST_TIMEOUT));
    drop(peer);
    wait_until(|| server.status().connected_clients == 1);
}
