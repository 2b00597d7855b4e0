//! Programs in other languages, written from the documented protocol alone: a listener, servers and clients.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

mod common;

use common::{JsonProcess, JsonServer, halloo};
use halloo_test_support::{ChildProcess, node, python, unused_discovery_port, unused_udp_port};
use serde_json::json;

/// Starts a server in Python that is announced on `discovery_port`. Returns it with its URL.
fn python_server(discovery_port: &str, arguments: &[&str]) -> Option<(ChildProcess, String)> {
    let mut server = ChildProcess::start(python("announced.py")?.arg(discovery_port).args(arguments));
    let port = server.next_line();
    Some((server, format!("ws://127.0.0.1:{port}")))
}

/// Connects to the server that is found, and expects its echo.
fn connect_and_echo(search: &[&str]) -> JsonProcess {
    let mut client = JsonProcess::start(&mut halloo(&[&["connect", "--json", "--timeout", "20s"], search].concat()));
    client.next_of("connected");
    client.write_line(&json!({"cmd": "send", "text": "hällo"}).to_string());
    assert_eq!(client.next_of("message")["text"], "hällo");
    client
}

/// Starts `halloo discover --watch`.
fn watch(search: &[&str]) -> JsonProcess {
    let command = ["discover", "--watch", "--json", "--timeout", "60s"];
    JsonProcess::start(&mut halloo(&[&command, search].concat()))
}

/// Echoes the messages of the client, until it leaves. Returns the event of its leaving.
fn echo_until_client_leaves(server: &mut JsonProcess) -> serde_json::Value {
    loop {
        let mut event = server.next_matching(|event| event["event"] == "message" || event["event"] == "client_left");
        if event["event"] == "client_left" {
            return event;
        }
        let object = event.as_object_mut().unwrap();
        object.remove("event");
        object.insert("cmd".into(), "send".into());
        server.write_line(&event.to_string());
    }
}

#[test]
fn server_that_only_sends_beacons_is_found_and_lost_when_it_exits() {
    let port = unused_discovery_port().to_string();
    let search = ["--local", "--no-mdns", "--discovery-port", &port];
    let mut watch = watch(&search);
    let Some((server, url)) = python_server(&port, &[]) else { return };
    let mut next_change = || watch.next_matching(|event| event["event"] == "found" || event["event"] == "lost");
    assert_eq!(next_change()["url"], url.as_str());
    let client = connect_and_echo(&search);
    drop(client);
    // It does not answer probes, but is not lost until it refuses connections.
    drop(server);
    assert_eq!(next_change()["event"], "lost");
}

#[test]
fn server_that_answers_probes_is_found_while_connected_and_lost_on_its_goodbye() {
    let port = unused_discovery_port().to_string();
    let search = ["--local", "--no-mdns", "--discovery-port", &port];
    let Some((mut server, url)) = python_server(&port, &["--answers"]) else { return };
    let _client = connect_and_echo(&[&["FOREIGN"], &search[..]].concat());
    let mut watch = watch(&search);
    let found = watch.next_of("found");
    assert_eq!((&found["name"], &found["url"], &found["clients"]), (&json!("foreign"), &json!(url), &json!(1)));
    assert_eq!(found["id"], "00112233aabbccdd");
    server.close_stdin();
    let change = watch.next_matching(|event| event["event"] == "found" || event["event"] == "lost");
    assert_eq!(change["event"], "lost");
}

#[test]
fn python_listener_receives_the_beacon() {
    let Some(mut listener) = python("listener.py") else { return };
    let discovery_port = unused_udp_port();
    let server = JsonServer::start_announced(discovery_port, &[]);
    let arguments = [discovery_port.to_string(), "20".into(), "--server-port".into(), server.port.to_string()];
    let output = listener.args(arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(common::stdout(&output).contains("127.0.0.1"), "{output:?}");
}

#[test]
fn python_client_exchanges_messages() {
    let Some(mut peer) = python("peer.py") else { return };
    let mut server = JsonServer::start_local(&[]);
    let mut peer = ChildProcess::start(peer.arg(server.url()));
    assert_eq!(echo_until_client_leaves(&mut server.process)["code"], 1000);
    assert!(peer.wait().success());
}

#[test]
fn node_client_exchanges_messages() {
    let Some(mut peer) = node("peer.mjs") else { return };
    let mut server = JsonServer::start_local(&[]);
    let mut peer = ChildProcess::start(peer.arg(server.ready["urls"][0].as_str().unwrap()));
    let left = echo_until_client_leaves(&mut server.process);
    assert_eq!((&left["code"], &left["reason"]), (&json!(3000), &json!("auf Wiederhören")));
    assert_eq!(peer.next_line(), "OK");
    assert!(peer.wait().success());
}
