//! The server as a DNS-SD service, observed by a Python library on another host.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

mod common;

use std::process::Stdio;

use common::{JsonProcess, JsonServer, halloo, stderr};
use halloo_test_support::{RemoteHost, TempDir, exchange, in_namespace, python, shell, wait_until};
use serde_json::{Value, json};

/// Starts a server on this host.
fn serve(name: &str, arguments: &[&str]) -> JsonServer {
    JsonServer::start(halloo(&["serve", "--json", "--port", "0", "--name", name]).args(arguments))
}

/// Connects another host. Both route multicast to the cable.
fn remote_host() -> RemoteHost {
    let remote = RemoteHost::new("cable", "192.168.77.1/24", "192.168.77.2/24");
    shell("ip route add 224.0.0.0/4 dev cable");
    remote.shell("ip route add 224.0.0.0/4 dev eth0");
    remote
}

/// Starts a search on the remote host.
fn search(remote: &RemoteHost) -> JsonProcess {
    let script = python("services.py").unwrap();
    let mut command = remote.command(script.get_program().to_str().unwrap());
    let mut search = JsonProcess::start(command.args(script.get_args()).args(["192.168.77.2", "20"]));
    assert_eq!(search.next_event(), json!({"event": "searching"}));
    search
}

fn status(server: &mut JsonServer) -> Value {
    server.process.write_line(r#"{"cmd":"status"}"#);
    server.process.next_of("status")
}

#[test]
fn service_is_published_with_its_host_and_withdrawn_with_a_goodbye() {
    if python("services.py").is_none()
        || !in_namespace("service_is_published_with_its_host_and_withdrawn_with_a_goodbye", "")
    {
        return;
    }
    let remote = remote_host();
    for command in ["stop_discovery", "stop"] {
        let mut server = serve("Living Room", &[]);
        let status = status(&mut server);
        // While a client is connected, a server sends no beacons, but remains published.
        let _client = tungstenite::connect(format!("ws://192.168.77.1:{}", status["server_port"])).unwrap();
        let mut search = search(&remote);
        let found = search.next_event();
        assert_eq!((&found["event"], &found["name"]), (&json!("found"), &json!("Living Room")));
        assert_eq!((&found["host"], &found["addresses"]), (&json!("living-room.local."), &json!(["192.168.77.1"])));
        assert_eq!(found["port"], status["server_port"]);
        let txt = found["txt"].as_object().unwrap();
        assert_eq!((&txt["v"], &txt["path"], txt.len()), (&json!("2"), &json!("/"), 3));
        assert_eq!(txt["id"].as_str().unwrap().len(), 16);
        server.process.write_line(&format!(r#"{{"cmd":"{command}"}}"#));
        assert_eq!(search.next_event(), json!({"event": "gone", "name": "Living Room"}), "{command}");
    }
}

#[test]
fn application_and_properties_are_published() {
    if python("services.py").is_none() || !in_namespace("application_and_properties_are_published", "") {
        return;
    }
    let remote = remote_host();
    let mut server = serve("den", &["--app", "Tanks", "--meta", "map=desert", "--interface", "cable"]);
    let txt = search(&remote).next_event()["txt"].clone();
    assert_eq!((&txt["app"], &txt["meta.map"]), (&json!("Tanks"), &json!("desert")), "{txt}");
    server.process.write_line(r#"{"cmd":"set_meta","meta":{"players":"3"}}"#);
    // The command before it has been executed when the status is written.
    status(&mut server);
    let txt = search(&remote).next_event()["txt"].clone();
    assert_eq!((&txt["meta.players"], &txt["meta.map"]), (&json!("3"), &Value::Null), "{txt}");
}

#[test]
fn published_address_of_a_server_with_tls_begins_with_https() {
    if python("services.py").is_none() || !in_namespace("published_address_of_a_server_with_tls_begins_with_https", "")
    {
        return;
    }
    let remote = remote_host();
    let home = TempDir::new(env!("CARGO_TARGET_TMPDIR"));
    let mut command = halloo(&["serve", "--json", "--port", "0", "--name", "den", "--tls"]);
    command.env("HOME", home.path()).env_remove("XDG_DATA_HOME").stderr(Stdio::piped());
    let mut server = JsonServer::start(&mut command);
    assert_eq!(search(&remote).next_event()["name"], "den");
    server.process.stop();
    let log = server.process.read_stderr();
    assert!(log.contains(&format!("published as https://den.local:{}", server.port)), "{log}");
}

#[test]
fn second_server_with_the_same_name_is_renamed() {
    if python("services.py").is_none() || !in_namespace("second_server_with_the_same_name_is_renamed", "") {
        return;
    }
    let remote = remote_host();
    let mut search = search(&remote);
    let _first = serve("Living Room", &[]);
    assert_eq!(search.next_event()["host"], "living-room.local.");
    let mut command = remote.command(env!("CARGO_BIN_EXE_halloo"));
    let second = JsonServer::start(command.args(["serve", "--json", "--port", "0", "--name", "Living Room"]));
    let found = search.next_event();
    assert_eq!((&found["name"], &found["host"]), (&json!("Living Room (2)"), &json!("living-room-2.local.")));
    assert_eq!(found["addresses"], json!(["192.168.77.2"]));
    // It answers to its new name, and not to that of the first.
    let answers_to = |host: &str| {
        let request = format!("GET /status HTTP/1.1\r\nHost: {host}\r\n\r\n");
        exchange(("192.168.77.2", second.port), request).starts_with("HTTP/1.1 200")
    };
    wait_until(|| answers_to("living-room-2.local"));
    assert!(!answers_to("living-room.local") && !answers_to("evil.local"));
}

#[test]
fn server_without_mdns_is_not_published() {
    if python("services.py").is_none() || !in_namespace("server_without_mdns_is_not_published", "") {
        return;
    }
    let remote = remote_host();
    let mut search = search(&remote);
    let _no_mdns = serve("no mdns", &["--no-mdns"]);
    let _local = serve("local", &["--bind", "127.0.0.1"]);
    let _no_discovery = serve("no discovery", &["--no-discovery"]);
    let _other_network = serve("other network", &["--no-interface", "cable"]);
    let _published = serve("published", &[]);
    assert_eq!(search.next_event()["name"], "published", "the others started earlier");
}

#[test]
fn server_is_found_by_mdns_without_broadcast() {
    if !in_namespace("server_is_found_by_mdns_without_broadcast", "") {
        return;
    }
    let remote = remote_host();
    // Beacons and probes on different ports do not meet, as behind a firewall.
    let mut server = serve("den", &["--discovery-port", "9000"]);
    let status = status(&mut server);
    let mut command = remote.command(env!("CARGO_BIN_EXE_halloo"));
    let mut watch = JsonProcess::start(command.args(["discover", "--watch", "--json"]));
    let found = watch.next_event();
    assert_eq!((&found["event"], &found["name"], &found["via"]), (&json!("found"), &json!("den"), &json!("mdns")));
    assert_eq!(found["url"], format!("ws://192.168.77.1:{}", status["server_port"]));
    server.process.write_line(r#"{"cmd":"stop"}"#);
    assert_eq!(watch.next_of("lost")["id"], found["id"]);
}

#[test]
fn host_is_resolved_without_the_mdns_of_the_system() {
    if !in_namespace("host_is_resolved_without_the_mdns_of_the_system", "") {
        return;
    }
    let remote = remote_host();
    let server = serve("Living Room", &[]);
    for host in [format!("http://living-room.local:{}", server.port), format!("Living-Room.local:{}", server.port)] {
        let mut command = remote.command(env!("CARGO_BIN_EXE_halloo"));
        let output = command.args(["status", &host]).output().unwrap();
        let status: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", stderr(&output)));
        assert_eq!(status["server_port"], server.port);
    }
    let mut command = remote.command(env!("CARGO_BIN_EXE_halloo"));
    let without = command.args(["status", "http://living-room.local", "--no-mdns"]).output().unwrap();
    assert!(stderr(&without).contains("cannot resolve host name living-room.local"), "{}", stderr(&without));
}
