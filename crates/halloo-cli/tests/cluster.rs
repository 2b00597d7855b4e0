//! `halloo serve --cluster`: servers that act as one over a broker.

#![cfg(feature = "cluster")]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

mod common;

use std::process::Stdio;

use common::{JsonProcess, JsonServer, LOCAL_SERVER, halloo, stderr};
use halloo_test_support::{NatsBroker, TempDir, in_namespace, unused_tcp_address};

/// Connects a client that prints events.
fn connect(server: &JsonServer) -> JsonProcess {
    let mut client = JsonProcess::start(&mut halloo(&["connect", &server.url(), "--json", "--stay"]));
    client.next_of("connected");
    client
}

fn wait_for_nodes(server: &mut JsonServer, nodes: u64) {
    server.process.next_matching(|event| event["event"] == "cluster_changed" && event["nodes"] == nodes);
}

#[test]
fn two_servers_reach_the_clients_of_each_other() {
    let Some(broker) = NatsBroker::start("") else { return };
    let url = broker.url();
    let options = ["--cluster", &url, "--cluster-name", "show", "--cluster-size", "2", "--cluster-required"];
    let mut servers = [JsonServer::start_local(&options), JsonServer::start_local(&options)];
    servers.iter_mut().for_each(|server| wait_for_nodes(server, 2));
    let mut clients = [connect(&servers[0]), connect(&servers[1])];
    servers[0].process.write_line(r#"{"cmd":"send_to_all","text":"to both"}"#);
    for client in &mut clients {
        assert_eq!(client.next_of("message")["text"], "to both");
    }
    let there = servers[1].process.next_of("client_joined")["client"].clone();
    servers[0].process.write_line(&format!(r#"{{"cmd":"send","client":{there},"text":"to one"}}"#));
    assert_eq!(clients[1].next_of("message")["text"], "to one");

    let cluster = loop {
        servers[0].process.write_line(r#"{"cmd":"status"}"#);
        let cluster = servers[0].process.next_of("status")["halloo"]["cluster"].clone();
        // The counters are up to 0.1 s old.
        if cluster["sent"].as_u64().unwrap() >= 2 {
            break cluster;
        }
    };
    assert_eq!((&cluster["state"], &cluster["name"]), (&"joined".into(), &"show".into()), "{cluster}");
    assert_eq!((&cluster["nodes"], &cluster["complete"]), (&2.into(), &true.into()), "{cluster}");
    assert!(cluster["node"].as_u64().unwrap() > 0, "{cluster}");

    servers[1].process.stop();
    let node = servers[0].process.next_of("node_left")["node"].clone();
    assert!(node.is_u64());
}

#[test]
fn required_broker_that_is_missing_ends_the_program_and_the_advice_helps() {
    let address = unused_tcp_address().to_string();
    let url = format!("nats://halloo:change-me@{address}");
    let start = |arguments: &[&str]| {
        let mut command = halloo(&LOCAL_SERVER);
        command.args(["--cluster", &url]).args(arguments).stdin(Stdio::piped()).stderr(Stdio::piped());
        command
    };
    let output = start(&["--cluster-required"]).output().unwrap();
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    let advice = "without `--cluster-required`, the server starts and joins when it can";
    assert!(text.contains(&format!("the broker {address} cannot be reached: ")) && text.contains(advice), "{text}");
    assert!(!text.contains("change-me"), "{text}");

    // Without the option it starts, and joins a broker with the configuration that is shipped.
    let mut server = JsonServer::start(&mut start(&[]));
    server.process.next_matching(|event| event["event"] == "cluster_changed" && event["state"] == "degraded");
    let shipped = std::fs::read_to_string("../../contrib/nats-halloo.conf").unwrap();
    let shipped: String = shipped.lines().filter(|line| !line.starts_with("listen:")).collect::<Vec<_>>().join("\n");
    let port = address.rsplit(':').next().unwrap().parse().unwrap();
    let Some(_broker) = NatsBroker::start_on(&shipped, port) else { return };
    server.process.next_matching(|event| event["event"] == "cluster_changed" && event["state"] == "joined");
}

#[test]
fn wrong_settings_are_told_without_their_secrets() {
    let directory = TempDir::new(&std::env::temp_dir().to_string_lossy());
    let missing = directory.path().join("missing.creds");
    let cases = [
        (vec!["--cluster", "http://ann:secret@10.0.0.1"], "does not begin with nats:// or tls://"),
        (
            vec!["--cluster", "nats://127.0.0.1", "--cluster-creds", missing.to_str().unwrap()],
            "cannot read the credentials file",
        ),
        (vec!["--cluster", ","], "no address of a broker is given"),
    ];
    for (arguments, expected) in cases {
        let output = halloo(&LOCAL_SERVER).args(arguments).stdin(Stdio::null()).output().unwrap();
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains(expected) && !text.contains("secret"), "{text}");
    }
}

#[test]
fn empty_variable_is_no_cluster() {
    let mut command = halloo(&LOCAL_SERVER);
    let mut server = JsonServer::start(command.env("HALLOO_CLUSTER", "").stderr(Stdio::piped()));
    server.process.write_line(r#"{"cmd":"status"}"#);
    assert!(server.process.next_of("status")["halloo"].get("cluster").is_none());
}

#[test]
fn server_that_is_killed_is_gone_from_the_counts() {
    let Some(broker) = NatsBroker::start("") else { return };
    let url = broker.url();
    let options = ["--cluster", &url, "--cluster-required"];
    let mut servers: Vec<JsonServer> = (0..3).map(|_| JsonServer::start_local(&options)).collect();
    servers.iter_mut().for_each(|server| wait_for_nodes(server, 3));
    let _client = connect(&servers[2]);
    servers[2].process.kill();
    for server in &mut servers[..2] {
        server.process.next_of("node_left");
        wait_for_nodes(server, 2);
    }
}

#[test]
fn doctor_names_what_is_wrong_with_a_broker_and_what_is_right() {
    let name = "doctor_names_what_is_wrong_with_a_broker_and_what_is_right";
    if !in_namespace(name, "") {
        return;
    }
    let doctor = |url: &str| {
        let output = halloo(&["doctor", "--json", "--cluster", url]).stdin(Stdio::null()).output().unwrap();
        let diagnosis: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let findings = diagnosis["findings"].as_array().unwrap().clone();
        findings.into_iter().filter(|finding| finding["about"] == "cluster").collect::<Vec<_>>()
    };
    let address = unused_tcp_address();
    let found = doctor(&format!("nats://ann:secret@{address}"));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["severity"], "fail");
    assert!(found[0]["text"].as_str().unwrap().starts_with(&format!("the broker {address} cannot be reached")));
    assert_eq!(found[0]["advice"], "start it, or correct its address");

    let Some(broker) = NatsBroker::start_on("", address.port()) else { return };
    let _server = JsonServer::start_local(&["--cluster", &broker.url(), "--cluster-required"]);
    let found = doctor(&broker.url());
    assert_eq!(found[0]["severity"], "ok", "{found:?}");
    let text = found[0]["text"].as_str().unwrap();
    assert!(text.contains("accepts 1048576 bytes") && text.ends_with("servers in \"halloo\": 1"), "{text}");
}
