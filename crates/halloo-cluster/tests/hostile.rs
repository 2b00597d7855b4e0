//! A program on the bus that is no node, and sends what it likes.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use common::{Node, text};
use halloo_test_support::{NatsBroker, wait_until};

/// A client of NATS that only publishes.
struct Publisher {
    socket: TcpStream,
    answers: BufReader<TcpStream>,
}

impl Publisher {
    fn connect(broker: &NatsBroker) -> Publisher {
        let socket = TcpStream::connect(("127.0.0.1", broker.port())).unwrap();
        let answers = BufReader::new(socket.try_clone().unwrap());
        let mut publisher = Publisher { socket, answers };
        publisher.socket.write_all(b"CONNECT {\"verbose\":false}\r\n").unwrap();
        publisher.flush();
        publisher
    }

    fn publish(&mut self, subject: &str, payload: &[u8]) {
        let mut message = format!("PUB {subject} {}\r\n", payload.len()).into_bytes();
        message.extend_from_slice(payload);
        message.extend_from_slice(b"\r\n");
        self.socket.write_all(&message).unwrap();
    }

    /// Waits until the broker has everything.
    fn flush(&mut self) {
        self.socket.write_all(b"PING\r\n").unwrap();
        let mut line = String::new();
        while line != "PONG\r\n" {
            line.clear();
            assert!(self.answers.read_line(&mut line).unwrap() > 0, "the broker hangs up");
        }
    }
}

/// Returns a header and what follows it.
fn message(kind: u8, count: u16, node: u32, instance: u64, numbers: [u32; 2], rest: &[u8]) -> Vec<u8> {
    let mut bytes = vec![1, kind];
    bytes.extend_from_slice(&count.to_be_bytes());
    bytes.extend_from_slice(&node.to_be_bytes());
    bytes.extend_from_slice(&instance.to_be_bytes());
    numbers.iter().for_each(|number| bytes.extend_from_slice(&number.to_be_bytes()));
    bytes.extend_from_slice(rest);
    bytes
}

#[test]
fn garbage_breaks_no_client_and_is_counted() {
    let Some(broker) = NatsBroker::start("") else { return };
    let nodes = Node::start_several(&broker, 2);
    let (there, id) = nodes[1].connect(Some("red"));
    nodes[1].wait_for_relay(&nodes[0], &there, "red");
    let mut publisher = Publisher::connect(&broker);
    let node = nodes[1].status().node;
    let subjects = ["all".into(), "room.red".into(), format!("node.{node}"), "beat".into()];
    // It says that it is a node, or its messages are those of a stranger.
    publisher.publish("halloo.show.beat", &message(6, 0, 77, 9, [0, 0], &[0, 0, 0, 1, 0, 0, 0, 0]));
    publisher.flush();
    nodes.iter().for_each(|node| node.wait_for_nodes(3));
    let before = nodes[1].status();
    let mut state = 1_u64;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let frames: [&[u8]; 9] = [
        b"\x88\x02\x03\xe8",
        b"\x89\x00",
        b"\x01\x02hi",
        b"\x81\x82abcdhi",
        b"\x81\x02\xff\xff",
        b"\xc1\x02hi",
        b"\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x81\x7eab",
        b"",
    ];
    for round in 0..3000_u32 {
        for subject in &subjects {
            let mut payload = match round % 3 {
                0 => (0..random() % 100).map(|_| random() as u8).collect(),
                _ => {
                    let frame = frames[random() as usize % frames.len()];
                    let count = [0, 1, 2, u16::MAX][random() as usize % 4];
                    // Text that has one frame fewer than it says, or none at all, is never delivered.
                    let count = if frame.is_empty() { count.max(1) } else { count };
                    message((1 + random() % 9) as u8, count, 77, 9, [round, u32::MAX / 4 * (round % 4)], frame)
                }
            };
            if payload.get(1).is_some_and(|kind| kind & 0x7f == 8) {
                // That would be the end of this node.
                payload[1] = 1;
            }
            publisher.publish(&format!("halloo.show.{subject}"), &payload);
        }
    }
    // One that is addressed to a client, but of another instance.
    let mut address = 5_u64.to_be_bytes().to_vec();
    address.extend_from_slice(&id.0.to_be_bytes());
    address.extend_from_slice(b"\x81\x05wrong");
    publisher.publish(&format!("halloo.show.node.{node}"), &message(4, 1, 77, 9, [9999, 0], &address));
    publisher.flush();
    wait_until(|| nodes[1].status().dropped_in > before.dropped_in + 1000);
    nodes[0].server.send_to_all("still here").unwrap();
    assert_eq!(text(&there), "still here", "nothing else reached the client");
    assert!(nodes.iter().all(|node| node.status().nodes <= 3));
}

#[test]
fn inventing_nodes_neither_grows_nor_stops_the_cluster() {
    let Some(broker) = NatsBroker::start("") else { return };
    let nodes = Node::start_several(&broker, 2);
    let (there, _) = nodes[1].connect(None);
    let mut publisher = Publisher::connect(&broker);
    for instance in 0..20_000_u64 {
        let beat = message(6, 0, 1 + (instance as u32 % 1000), instance, [0, 0], &[0xff; 8]);
        publisher.publish("halloo.show.beat", &beat);
    }
    publisher.flush();
    wait_until(|| nodes[1].status().nodes > 500);
    assert!(nodes[1].status().nodes <= 1001);
    nodes[0].server.send_to_all("still here").unwrap();
    assert_eq!(text(&there), "still here");
    // They are silent, so they are gone.
    nodes.iter().for_each(|node| node.wait_for_nodes(2));
}

#[test]
fn node_with_another_version_is_told_and_ignored() {
    let Some(broker) = NatsBroker::start("") else { return };
    let node = Node::start(&broker);
    let (client, _) = node.connect(None);
    let mut publisher = Publisher::connect(&broker);
    let mut payload = message(1, 1, 77, 9, [0, 0], b"\x81\x02hi");
    payload[0] = 2;
    publisher.publish("halloo.show.all", &payload);
    publisher.flush();
    wait_until(|| node.status().dropped_in == 1);
    node.server.send_to_all("mine").unwrap();
    assert_eq!(text(&client), "mine");
}
