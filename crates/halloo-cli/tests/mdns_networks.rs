//! Multicast DNS on networks that are many, or that change.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

mod common;

use common::{JsonProcess, JsonServer, halloo, stderr};
use halloo_test_support::{ChildProcess, RemoteHost, in_namespace, python, shell};
use serde_json::{Value, json};

fn serve(name: &str) -> JsonServer {
    JsonServer::start(&mut halloo(&["serve", "--json", "--port", "0", "--name", name]))
}

/// Starts a search by multicast DNS alone on the remote host.
fn search(remote: &RemoteHost) -> JsonProcess {
    let options = ["discover", "--watch", "--json", "--discovery-port", "9000"];
    JsonProcess::start(remote.command(env!("CARGO_BIN_EXE_halloo")).args(options))
}

/// Connects this host to 24 networks.
fn add_24_networks() {
    for network in 1..25 {
        shell(&format!(
            "ip link add cable{network} type veth peer name end{network}; ip link set end{network} up
             ip addr add 10.9.{network}.1/24 dev cable{network}; ip link set cable{network} up"
        ));
    }
}

#[test]
fn doctor_checks_multicast_on_25_networks() {
    if !in_namespace("doctor_checks_multicast_on_25_networks", "") {
        return;
    }
    add_24_networks();
    let _remote = RemoteHost::new("zcable", "10.9.250.1/24", "10.9.250.2/24");
    let output = halloo(&["doctor", "--json"]).output().unwrap();
    let diagnosis: Value = serde_json::from_slice(&output.stdout).unwrap();
    let multicast = diagnosis["findings"].as_array().unwrap().iter().find(|finding| finding["about"] == "multicast");
    assert_eq!(multicast.unwrap()["severity"], "ok", "{multicast:?}");
    assert_eq!(multicast.unwrap()["text"].as_str().unwrap().matches("cable").count(), 25, "{multicast:?}");
}

#[test]
fn server_is_found_on_the_last_of_25_networks() {
    if !in_namespace("server_is_found_on_the_last_of_25_networks", "") {
        return;
    }
    add_24_networks();
    // The last in order.
    let remote = RemoteHost::new("zcable", "10.9.250.1/24", "10.9.250.2/24");
    let server = serve("den");
    let found = search(&remote).next_of("found");
    assert_eq!((&found["name"], &found["via"]), (&json!("den"), &json!("mdns")));
    assert_eq!(found["url"], format!("ws://10.9.250.1:{}", server.port));
    // A search on many networks finds the one that the server is on.
    let mut command = remote.command(env!("CARGO_BIN_EXE_halloo"));
    let _far = JsonServer::start(command.args([
        "serve",
        "--json",
        "--port",
        "0",
        "--name",
        "far",
        "--discovery-port",
        "9100",
    ]));
    let options = ["discover", "--watch", "--json", "--discovery-port", "9000"];
    let mut watch = JsonProcess::start(&mut halloo(&options));
    let found = watch.next_matching(|event| event["name"] == "far");
    assert_eq!(found["via"], "mdns");
}

#[test]
fn server_is_found_after_its_interface_was_renamed_or_created_again() {
    if !in_namespace("server_is_found_after_its_interface_was_renamed_or_created_again", "") {
        return;
    }
    let remote = RemoteHost::new("cable", "192.168.77.1/24", "192.168.77.2/24");
    let server = serve("den");
    let found = |remote: &RemoteHost| search(remote).next_of("found")["url"].clone();
    let url = Value::from(format!("ws://192.168.77.1:{}", server.port));
    assert_eq!(found(&remote), url);
    shell("ip link set cable down; ip link set cable name wire; ip link set wire up");
    assert_eq!(found(&remote), url);
    shell("ip link del wire");
    remote.add_cable("wire", "192.168.77.1/24", "eth0", "192.168.77.2/24");
    assert_eq!(found(&remote), url);
}

#[test]
fn service_of_a_python_library_is_found_and_its_name_is_respected() {
    if python("announce.py").is_none()
        || !in_namespace("service_of_a_python_library_is_found_and_its_name_is_respected", "")
    {
        return;
    }
    let remote = RemoteHost::new("cable", "192.168.77.1/24", "192.168.77.2/24");
    shell("ip route add 224.0.0.0/4 dev cable");
    remote.shell("ip route add 224.0.0.0/4 dev eth0");
    let mut command = remote.command(env!("CARGO_BIN_EXE_halloo"));
    command.args(["serve", "--json", "--port", "0", "--name", "den", "--no-mdns", "--discovery-port", "9000"]);
    // The library publishes a name of its own choice.
    command.args(["--allowed-hosts", "den.local"]);
    let server = JsonServer::start(&mut command);
    let announce = |port: &str| {
        let script = python("announce.py").unwrap();
        let mut command = remote.command(script.get_program().to_str().unwrap());
        let mut announce = ChildProcess::start(command.args(script.get_args()).args(["192.168.77.2", "den", port]));
        (announce.next_line(), announce)
    };
    let (name, announced) = announce(&server.port.to_string());
    assert_eq!(name, "den");
    let mut watch = JsonProcess::start(&mut halloo(&["discover", "--watch", "--json"]));
    let found = watch.next_of("found");
    assert_eq!((&found["name"], &found["via"]), (&json!("den"), &json!("mdns")));
    let output = halloo(&["status", &format!("http://den.local:{}", server.port)]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let mut ours = halloo(&["serve", "--json", "--port", "0", "--name", "den"]);
    let mut ours = JsonServer::start(ours.stderr(std::process::Stdio::piped()));
    assert_eq!(
        search(&remote).next_matching(|event| event["url"] == format!("ws://192.168.77.1:{}", ours.port))["via"],
        "mdns"
    );
    drop(announced);
    ours.process.stop();
    let log = ours.process.read_stderr();
    assert!(log.contains(&format!("published as http://den-2.local:{}", ours.port)), "{log}");
}

#[test]
fn name_that_a_server_has_is_not_given_to_a_python_library() {
    if python("announce.py").is_none() || !in_namespace("name_that_a_server_has_is_not_given_to_a_python_library", "") {
        return;
    }
    let remote = RemoteHost::new("cable", "192.168.77.1/24", "192.168.77.2/24");
    remote.shell("ip route add 224.0.0.0/4 dev eth0");
    let _server = serve("den");
    search(&remote).next_of("found");
    let script = python("announce.py").unwrap();
    let mut command = remote.command(script.get_program().to_str().unwrap());
    let mut announce = ChildProcess::start(command.args(script.get_args()).args(["192.168.77.2", "den", "9"]));
    assert_eq!(announce.next_line(), "den-2");
}
