//! A client that searches for a name which several servers of one cluster have.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use halloo::{Client, ClientConfig, ClientEvent, Config, Server};
use halloo_test_support::{ExpectEvent, TEST_TIMEOUT, announced_config, local_search, unused_udp_port, wait_until};

fn config(cluster: Option<&str>, discovery_port: u16) -> Config {
    let mut config = announced_config("Show", discovery_port);
    config.cluster_name = cluster.map(str::to_owned);
    config
}

fn node(cluster: Option<&str>, discovery_port: u16) -> Server {
    Server::start(config(cluster, discovery_port)).unwrap()
}

fn start_client(discovery_port: u16) -> Client {
    let mut config = ClientConfig::new("show");
    config.search = local_search(discovery_port, TEST_TIMEOUT);
    Client::start(config).unwrap()
}

fn connected_url(client: &Client) -> String {
    client.expect_matching(|event| match event {
        ClientEvent::Connected { url, .. } => Some(url),
        _ => None,
    })
}

#[test]
fn each_client_goes_to_the_server_with_the_fewest_and_moves_when_it_is_gone() {
    let discovery_port = unused_udp_port();
    let mut nodes: Vec<Server> = (0..3).map(|_| node(Some("stage"), discovery_port)).collect();
    let clients: Vec<Client> = (0..6)
        .map(|number| {
            let client = start_client(discovery_port);
            connected_url(&client);
            wait_until(|| nodes.iter().map(|node| node.status().connected_clients).sum::<usize>() == number + 1);
            client
        })
        .collect();
    // On a loaded machine, a server may be found too late to be chosen, but not each time.
    let clients_of: Vec<usize> = nodes.iter().map(|node| node.status().connected_clients).collect();
    assert!(!clients_of.contains(&0), "each of three servers has clients: {clients_of:?}");

    drop(nodes.remove(0));
    wait_until(|| nodes.iter().map(|node| node.status().connected_clients).sum::<usize>() == clients.len());
    let connections = |client: &Client| {
        std::iter::from_fn(|| client.try_event()).filter(|event| matches!(event, ClientEvent::Connected { .. })).count()
    };
    let mut moved = 0;
    wait_until(|| {
        moved += clients.iter().map(connections).sum::<usize>();
        moved >= clients_of[0]
    });
    assert_eq!(moved, clients_of[0], "only the clients of the lost server moved");
}

#[test]
fn servers_of_two_clusters_are_different_servers() {
    for other in [Some("rehearsal"), None] {
        let discovery_port = unused_udp_port();
        let _nodes = [node(Some("stage"), discovery_port), node(other, discovery_port)];
        let client = start_client(discovery_port);
        let reason = client.expect_matching(|event| match event {
            ClientEvent::AttemptFailed { reason, .. } => Some(reason),
            _ => None,
        });
        assert!(reason.contains("2 servers are named `show`"), "{reason}");
    }
}
