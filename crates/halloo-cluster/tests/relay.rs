//! Messages between servers over a broker.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

mod common;

use std::collections::BTreeSet;

use common::{Node, text};
use halloo::{ClientEvent, ClientId, Config, Delivery, Event, LeaveReason, OutboxLimits};
use halloo_cluster::ClusterConfig;
use halloo_test_support::{ExpectEvent, NatsBroker, wait_until};

#[test]
fn message_to_all_reaches_the_clients_of_both_nodes() {
    let Some(broker) = NatsBroker::start("") else { return };
    let nodes = Node::start_several(&broker, 2);
    let (here, _) = nodes[0].connect(None);
    let (there, _) = nodes[1].connect(None);
    nodes[0].server.send_to_all("one").unwrap();
    assert_eq!((text(&here), text(&there)), ("one".into(), "one".into()));
    nodes[1].server.send_to_all("two").unwrap();
    assert_eq!((text(&here), text(&there)), ("two".into(), "two".into()), "once each, and no echo");
}

#[test]
fn message_to_a_room_reaches_its_members_on_every_node_only() {
    let Some(broker) = NatsBroker::start("") else { return };
    let nodes = Node::start_several(&broker, 2);
    let (red, _) = nodes[1].connect(Some("rot .*>ü"));
    let (blue, _) = nodes[1].connect(Some("blue"));
    nodes[1].wait_for_relay(&nodes[0], &red, "rot .*>ü");
    nodes[1].wait_for_relay(&nodes[0], &blue, "blue");
    nodes[0].server.send_to_room("rot .*>ü", "to red").unwrap();
    nodes[0].server.send_to_room("green", "to none").unwrap();
    nodes[0].server.send_to_all("to all").unwrap();
    assert_eq!((text(&red), text(&red)), ("to red".into(), "to all".into()));
    assert_eq!(text(&blue), "to all");
}

#[test]
fn room_is_received_no_more_a_second_after_its_last_member_left() {
    let Some(broker) = NatsBroker::start("") else { return };
    let nodes = Node::start_several(&broker, 2);
    let (red, _) = nodes[1].connect(Some("red"));
    nodes[1].wait_for_relay(&nodes[0], &red, "red");
    drop(red);
    // Without members, what still comes is received and goes to no client.
    wait_until(|| {
        let before = nodes[1].status().received;
        nodes[0].server.send_to_room("red", "x").unwrap();
        nodes[0].server.send_to_all("y").unwrap();
        wait_until(|| nodes[1].status().received > before);
        nodes[1].server.rooms().is_empty() && {
            let (sent, received) = (nodes[0].status().sent, nodes[1].status().received);
            for _ in 0..10 {
                nodes[0].server.send_to_room("red", "z").unwrap();
            }
            nodes[0].server.send_to_all("end").unwrap();
            wait_until(|| nodes[0].status().sent >= sent + 11 && nodes[1].status().received > received);
            nodes[1].status().received == received + 1
        }
    });
    assert_eq!((nodes[1].status().lost, nodes[1].status().dropped_in), (0, 0));
}

#[test]
fn one_client_is_reached_and_disconnected_from_another_node() {
    let Some(broker) = NatsBroker::start("") else { return };
    let nodes = Node::start_several(&broker, 2);
    let (there, id) = nodes[1].connect(None);
    assert!(id.0 > 1 << 33 && id.0 < 1 << 53, "{id}");
    assert_eq!(nodes[0].server.send(id, "hello"), Ok(Delivery::Queued));
    assert_eq!(text(&there), "hello");
    let node = u64::from(nodes[1].status().node);
    assert_eq!(nodes[0].server.send(ClientId((node << 33) + 99), "no such client"), Ok(Delivery::Queued));
    assert_eq!(nodes[0].server.send(ClientId((node + 1) << 33), "no such node"), Ok(Delivery::NotConnected));
    assert_eq!(nodes[0].server.disconnect(id, 3001, "moved"), Ok(Delivery::Queued));
    let left = nodes[1].server.expect_matching(|event| match event {
        Event::ClientLeft { client, code, reason, .. } => Some((client, code.number(), reason)),
        _ => None,
    });
    assert_eq!(left, (id, 3001, LeaveReason::Disconnected("moved".into())));
    assert!(matches!(there.expect_event(), ClientEvent::Disconnected { code, .. } if code.number() == 3001));
}

#[test]
fn order_of_a_node_is_kept_across_all_rooms_and_one_client() {
    const MESSAGES: usize = 3000;
    let Some(broker) = NatsBroker::start("") else { return };
    let nodes: Vec<Node> = (0..3)
        .map(|_| {
            let outbox = OutboxLimits::default().max_messages(100_000);
            let cluster = ClusterConfig::new("show", [broker.url()]).required(true);
            Node::start_with(Config::local().outbox(outbox), cluster)
        })
        .collect();
    nodes.iter().for_each(|node| node.wait_for_nodes(3));
    let (there, id) = nodes[2].connect(Some("red"));
    nodes[2].wait_for_relay(&nodes[0], &there, "red");
    nodes[2].wait_for_relay(&nodes[1], &there, "red");
    // Both nodes at the same time, each by three ways in turn.
    std::thread::scope(|scope| {
        for (node, Node { server, .. }) in nodes.iter().take(2).enumerate() {
            scope.spawn(move || {
                for number in 0..MESSAGES {
                    let message = format!("{node} {number}");
                    match number % 3 {
                        0 => drop(server.send_to_all(&message)),
                        1 => drop(server.send_to_room("red", &message)),
                        _ => drop(server.send(id, &message)),
                    }
                }
            });
        }
    });
    let mut next = [0; 2];
    while next != [MESSAGES; 2] {
        let message = text(&there);
        let (node, number) = message.split_once(' ').unwrap();
        let node: usize = node.parse().unwrap();
        assert_eq!(number.parse::<usize>().unwrap(), next[node], "in order, without gaps or duplicates");
        next[node] += 1;
    }
    assert_eq!((nodes[2].status().lost, nodes[2].status().dropped_in), (0, 0));
}

#[test]
fn relayed_message_of_a_client_in_several_rooms_comes_once() {
    let Some(broker) = NatsBroker::start("") else { return };
    let nodes: Vec<Node> = (0..2)
        .map(|_| {
            Node::start_with(Config::local().relay(true), ClusterConfig::new("show", [broker.url()]).required(true))
        })
        .collect();
    nodes.iter().for_each(|node| node.wait_for_nodes(2));
    let (sender, sender_id) = nodes[0].connect(Some("red"));
    nodes[0].server.join(sender_id, "blue").unwrap();
    let (both, both_id) = nodes[1].connect(Some("red"));
    nodes[1].server.join(both_id, "blue").unwrap();
    let (other, _) = nodes[1].connect(Some("green"));
    sender.send("from red and blue").unwrap();
    assert_eq!(text(&both), "from red and blue");
    nodes[0].server.send_to_all("end").unwrap();
    assert_eq!((text(&both), text(&other), text(&sender)), ("end".into(), "end".into(), "end".into()));
}

#[test]
fn large_messages_reach_other_nodes_up_to_the_limit_of_the_broker() {
    let Some(broker) = NatsBroker::start("max_payload: 200KB") else { return };
    let nodes = Node::start_several(&broker, 2);
    let (here, _) = nodes[0].connect(None);
    let (there, _) = nodes[1].connect(None);
    for bytes in [0, 125, 126, 60_000, 65_536, 190_000, 300_000, 1] {
        nodes[0].server.send_to_all(vec![7; bytes]).unwrap();
    }
    let lengths = |client, count: usize| -> Vec<usize> {
        (0..count).map(|_| halloo_test_support::expect_message(client).bytes().len()).collect()
    };
    assert_eq!(lengths(&here, 8), [0, 125, 126, 60_000, 65_536, 190_000, 300_000, 1]);
    assert_eq!(lengths(&there, 7), [0, 125, 126, 60_000, 65_536, 190_000, 1]);
    wait_until(|| nodes[0].status().too_large == 1);
    let counted = nodes[0].server.expect_matching(|event| match event {
        Event::ClusterDropped { too_large, .. } => Some(too_large),
        _ => None,
    });
    assert_eq!(counted, 1);
}

#[test]
fn nodes_and_clients_are_counted() {
    let Some(broker) = NatsBroker::start("") else { return };
    let mut nodes: Vec<Node> = (0..3)
        .map(|_| Node::start_with(Config::local(), ClusterConfig::new("show", [broker.url()]).size(3).required(true)))
        .collect();
    nodes.iter().for_each(|node| node.wait_for_nodes(3));
    let numbers: BTreeSet<u32> = nodes.iter().map(|node| node.status().node).collect();
    assert_eq!(numbers.len(), 3);
    let _clients: Vec<_> = nodes.iter().flat_map(|node| [node.connect(None), node.connect(None)]).collect();
    nodes.iter().for_each(|node| wait_until(|| node.status().clients == 6 && node.status().complete));
    let left = nodes.pop().unwrap();
    let number = left.status().node;
    drop(left.cluster);
    nodes.iter().for_each(|node| wait_until(|| node.status().clients == 4 && !node.status().complete));
    let gone = nodes[0].server.expect_matching(|event| match event {
        Event::NodeLeft { node } => Some(node),
        _ => None,
    });
    assert_eq!(gone, number);
    assert!(left.server.summary().extras.cluster.is_none(), "it goes on alone");
    left.server.send_to_all("alone").unwrap();
}

#[test]
fn clusters_with_other_names_are_apart() {
    let Some(broker) = NatsBroker::start("") else { return };
    let node = |name| Node::start_with(Config::local(), ClusterConfig::new(name, [broker.url()]).required(true));
    let (one, two) = (node("one"), node("one.two"));
    let (client, _) = two.connect(None);
    one.server.send_to_all("to one").unwrap();
    wait_until(|| one.status().sent == 1);
    two.server.send_to_all("to two").unwrap();
    assert_eq!(text(&client), "to two");
    assert_eq!((two.status().nodes, two.status().received), (1, 0));
}
