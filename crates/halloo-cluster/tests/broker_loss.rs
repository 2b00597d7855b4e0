//! What happens when the broker, or another node, goes away and comes back.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

mod common;

use std::collections::BTreeMap;

use common::{Node, text};
use halloo::{Client, ClusterState, Event};
use halloo_test_support::{NatsBroker, wait_until};

/// Sends numbered messages from a node until `until` holds, and counts them in `sent`.
fn send_until(node: &Node, sent: &mut usize, mut until: impl FnMut() -> bool) {
    while !until() {
        node.server.send_to_all(format!("n {sent}")).unwrap();
        *sent += 1;
        // So that the queues of this machine are not what is tested.
        std::thread::yield_now();
    }
}

/// Takes the numbered messages of a client until "end". Returns how many came; they must be in order and without
/// duplicates.
fn numbered(client: &Client) -> usize {
    let (mut count, mut last) = (0, None);
    loop {
        let message = text(client);
        if message == "end" {
            return count;
        }
        if let Some(number) = message.strip_prefix("n ") {
            let number: usize = number.parse().unwrap();
            assert!(last < Some(number), "{number} after {last:?}");
            (last, count) = (Some(number), count + 1);
        }
    }
}

#[test]
fn local_service_goes_on_without_the_broker_and_relaying_when_it_is_back() {
    let Some(mut broker) = NatsBroker::start("") else { return };
    let nodes = Node::start_several(&broker, 2);
    let (here, _) = nodes[0].connect(None);
    let (there, _) = nodes[1].connect(None);
    nodes[0].server.send_to_all("before").unwrap();
    assert_eq!((text(&here), text(&there)), ("before".into(), "before".into()));

    broker.kill();
    nodes.iter().for_each(|node| node.wait_for_state(ClusterState::Degraded));
    let reason = nodes[0].status().reason.unwrap();
    assert!(reason.contains("cannot be reached") || reason.contains("was lost"), "{reason}");
    nodes[0].server.send_to_all("alone").unwrap();
    assert_eq!(text(&here), "alone");
    wait_until(|| nodes[0].status().dropped_out >= 1);

    broker.restart("");
    nodes.iter().for_each(|node| node.wait_for_nodes(2));
    nodes[0].server.send_to_all("after").unwrap();
    assert_eq!((text(&here), text(&there)), ("after".into(), "after".into()), "nothing was kept");
    assert!(nodes.iter().all(|node| node.status().reconnects == 1));
    let states: Vec<ClusterState> = std::iter::from_fn(|| nodes[0].server.try_event())
        .filter_map(|event| match event {
            Event::ClusterChanged { state, .. } => Some(state),
            _ => None,
        })
        .collect();
    let degraded = states.iter().position(|state| *state == ClusterState::Degraded).unwrap();
    assert!(states[degraded..].contains(&ClusterState::Joined), "{states:?}");
}

#[test]
fn every_message_is_delivered_in_order_or_counted_while_the_broker_is_killed() {
    let Some(mut broker) = NatsBroker::start("") else { return };
    let nodes = Node::start_several(&broker, 3);
    let clients: Vec<Client> = nodes.iter().map(|node| node.connect(None).0).collect();
    let receivers: Vec<_> = clients.into_iter().map(|client| std::thread::spawn(move || numbered(&client))).collect();
    let mut sent = 0;
    send_until(&nodes[0], &mut sent, || nodes[1].status().received > 200);
    broker.kill();
    send_until(&nodes[0], &mut sent, || nodes[0].status().state == ClusterState::Degraded);
    broker.restart("");
    nodes.iter().for_each(|node| node.wait_for_nodes(3));
    let received = nodes[1].status().received;
    send_until(&nodes[0], &mut sent, || nodes[1].status().received > received + 200);
    // The sender's loss, and what each of the others misses, are known within the next beats.
    let expected = |node: &Node| {
        let (sender, status) = (nodes[0].status(), node.status());
        status.received + status.lost + status.dropped_in + sender.dropped_out + sender.too_large
    };
    nodes[1..].iter().for_each(|node| wait_until(|| expected(node) == sent as u64));
    nodes[0].server.send_to_all("end").unwrap();
    let delivered: Vec<usize> = receivers.into_iter().map(|receiver| receiver.join().unwrap()).collect();
    assert_eq!(delivered[0], sent, "its own clients get everything");
    for (node, delivered) in nodes.iter().zip(delivered).skip(1) {
        // "end" is received, too.
        wait_until(|| node.status().received == delivered as u64 + 1);
    }
}

#[test]
fn broker_that_hangs_is_noticed_and_left() {
    let Some(broker) = NatsBroker::start("") else { return };
    let nodes = Node::start_several(&broker, 2);
    let (here, _) = nodes[0].connect(None);
    broker.suspend();
    nodes.iter().for_each(|node| node.wait_for_state(ClusterState::Degraded));
    nodes[0].server.send_to_all("alone").unwrap();
    assert_eq!(text(&here), "alone");
    broker.resume();
    nodes.iter().for_each(|node| node.wait_for_nodes(2));
    let (there, _) = nodes[1].connect(None);
    nodes[0].server.send_to_all("after").unwrap();
    assert_eq!((text(&here), text(&there)), ("after".into(), "after".into()));
}

#[test]
fn memory_is_bounded_while_the_broker_hangs() {
    let Some(broker) = NatsBroker::start("") else { return };
    let nodes = Node::start_several(&broker, 2);
    broker.suspend();
    // 200 MB, of which 16 wait in the link and some in the client of NATS.
    let mut sent = 0;
    while nodes[0].status().state == ClusterState::Joined && sent < 4000 {
        sent += u64::from(nodes[0].server.send_to_all(vec![0; 50_000]) == Ok(halloo::Delivery::Queued));
    }
    wait_until(|| nodes[0].status().dropped_out > 0);
    // What was handed to the client of NATS is lost with the connection.
    nodes[0].wait_for_state(ClusterState::Degraded);
    broker.resume();
    nodes.iter().for_each(|node| node.wait_for_nodes(2));
    // The gap before the next message is what was lost.
    nodes[0].server.send_to_all("next").unwrap();
    sent += 1;
    let counted = || {
        let (sender, receiver) = (nodes[0].status(), nodes[1].status());
        sender.dropped_out + receiver.received + receiver.lost + receiver.dropped_in
    };
    wait_until(|| counted() == sent);
}

#[test]
fn another_broker_of_the_list_takes_over() {
    let (Some(mut first), Some(second)) = (NatsBroker::start(""), NatsBroker::start("")) else { return };
    let brokers = [first.url(), second.url()];
    let node = || {
        let config = halloo_cluster::ClusterConfig::new("show", brokers.clone()).required(true);
        Node::start_with(halloo::Config::local(), config)
    };
    let nodes = [node(), node()];
    nodes.iter().for_each(|node| node.wait_for_nodes(2));
    assert!(nodes.iter().all(|node| node.status().broker.ends_with(&first.port().to_string())));
    first.kill();
    let is_second = |node: &Node| node.status().broker.ends_with(&second.port().to_string());
    nodes.iter().for_each(|node| wait_until(|| is_second(node) && node.status().state == ClusterState::Joined));
    nodes.iter().for_each(|node| node.wait_for_nodes(2));
    let (there, _) = nodes[1].connect(None);
    nodes[0].server.send_to_all("over").unwrap();
    assert_eq!(text(&there), "over");
}

#[test]
fn server_that_stops_leaves_its_cluster() {
    let Some(broker) = NatsBroker::start("") else { return };
    let mut nodes = Node::start_several(&broker, 2);
    let Node { server, cluster } = nodes.pop().unwrap();
    drop(server);
    nodes[0].wait_for_nodes(1);
    drop(cluster);
    let counted: BTreeMap<&str, u64> =
        BTreeMap::from([("clients", nodes[0].status().clients), ("lost", nodes[0].status().lost)]);
    assert_eq!(counted, BTreeMap::from([("clients", 0), ("lost", 0)]));
}
