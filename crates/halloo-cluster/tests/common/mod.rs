//! What the tests of the cluster share.

#![allow(dead_code, reason = "no test program uses all of it")]

use halloo::{Client, ClientConfig, ClientEvent, ClientId, ClusterState, ClusterStatus, Config, Event, Server};
use halloo_cluster::{Cluster, ClusterConfig};
use halloo_test_support::{ExpectEvent, NatsBroker, expect_message, wait_until};

/// A server in a cluster.
pub(crate) struct Node {
    pub(crate) server: Server,
    pub(crate) cluster: Cluster,
}

impl Node {
    /// Starts a node and waits until it relays.
    pub(crate) fn start(broker: &NatsBroker) -> Node {
        Node::start_with(Config::local(), ClusterConfig::new("show", [broker.url()]).required(true))
    }

    pub(crate) fn start_with(config: Config, cluster: ClusterConfig) -> Node {
        let server = Server::start(config).unwrap();
        let cluster = Cluster::start(&server, cluster).unwrap();
        Node { server, cluster }
    }

    /// Starts this many nodes and waits until each knows the others.
    pub(crate) fn start_several(broker: &NatsBroker, count: usize) -> Vec<Node> {
        let nodes: Vec<Node> = (0..count).map(|_| Node::start(broker)).collect();
        nodes.iter().for_each(|node| node.wait_for_nodes(count));
        nodes
    }

    pub(crate) fn status(&self) -> ClusterStatus {
        self.server.summary().extras.cluster.expect("it is in a cluster")
    }

    pub(crate) fn wait_for_nodes(&self, nodes: usize) {
        wait_until(|| self.status().nodes == nodes && self.status().state == ClusterState::Joined);
    }

    pub(crate) fn wait_for_state(&self, state: ClusterState) {
        wait_until(|| self.status().state == state);
    }

    /// Connects a client; to a room, if one is given.
    pub(crate) fn connect(&self, room: Option<&str>) -> (Client, ClientId) {
        let mut config = ClientConfig::new(self.server.url());
        config.room = room.map(str::to_owned);
        let client = Client::start(config).unwrap();
        let id = self.server.expect_matching(|event| match event {
            Event::ClientJoined { client, .. } => Some(client),
            _ => None,
        });
        assert!(matches!(client.expect_event(), ClientEvent::Connected { .. }));
        (client, id)
    }

    /// Waits until messages to the clients of this node come from `other`, and `client` has got all that were sent to find
    /// out. `room` is that of the client.
    pub(crate) fn wait_for_relay(&self, other: &Node, client: &Client, room: &str) {
        let received = self.status().received;
        wait_until(|| {
            other.server.send_to_room(room, "probe").unwrap();
            self.status().received > received
        });
        other.server.send_to_room(room, "probed").unwrap();
        while text(client) != "probed" {}
    }
}

/// Returns the next message of a client.
pub(crate) fn text(client: &Client) -> String {
    expect_message(client).text().unwrap().to_owned()
}
