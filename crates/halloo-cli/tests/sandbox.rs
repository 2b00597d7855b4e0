//! The program in a sandbox that forbids AF_NETLINK, so that it cannot list the interfaces of its machine.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

mod common;

use std::fs::File;
use std::net::UdpSocket;
use std::process::Command;

use common::JsonServer;
use halloo_proto::announcement::probe;
use halloo_test_support::{TEST_TIMEOUT, TempDir, in_namespace, python};
use serde_json::{Value, json};

const NETWORKS: &str = "ip link add near type veth peer name far; ip link set near up; ip link set far up
                        ip addr add 192.168.77.1/24 dev near
                        ip link add second type veth peer name other; ip link set second up; ip link set other up
                        ip addr add 10.77.0.1/16 dev second; ip route add default via 10.77.0.2";

/// Returns a command that runs the program in the sandbox, or `None` with a note if there is no Python.
fn sandboxed(arguments: &[&str]) -> Option<Command> {
    let mut command = python("../netlab/no_netlink.py")?;
    command.args(["--all", env!("CARGO_BIN_EXE_halloo")]).args(arguments);
    Some(command)
}

#[test]
fn networks_are_found_by_their_routes_and_the_cause_is_named_once() {
    let name = "networks_are_found_by_their_routes_and_the_cause_is_named_once";
    let arguments = ["serve", "--json", "--no-mdns", "--discovery-interval", "100ms"];
    let Some(mut command) = sandboxed(&arguments) else { return };
    if !in_namespace(name, NETWORKS) {
        return;
    }
    let directory = TempDir::new(env!("CARGO_TARGET_TMPDIR"));
    let log = directory.path().join("log");
    let mut server = JsonServer::start(command.stderr(File::create(&log).unwrap()));
    let urls = ["ws://127.0.0.1:8765", "ws://10.77.0.1:8765", "ws://192.168.77.1:8765"];
    assert_eq!((&server.ready["urls"], &server.ready["page_url"]), (&json!(urls), &json!("http://10.77.0.1:8765/")));

    let socket = UdpSocket::bind("192.168.77.1:0").unwrap();
    socket.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
    let mut buffer = [0; 600];
    // Beacons list the interfaces again, and so do probes.
    for _ in 0..4 {
        socket.send_to(&probe("n"), "192.168.77.1:8766").unwrap();
        let (length, _) = socket.recv_from(&mut buffer).unwrap();
        let reply: Value = serde_json::from_slice(&buffer[..length]).unwrap();
        assert_eq!(
            (&reply["ip"], &reply["addresses"]),
            (&json!("192.168.77.1"), &json!(["10.77.0.1", "192.168.77.1"]))
        );
    }
    let output = sandboxed(&["doctor", "--json"]).unwrap().output().unwrap();
    let diagnosis: Value = serde_json::from_slice(&output.stdout).unwrap();
    let warnings = diagnosis["findings"].as_array().unwrap().iter().filter(|finding| finding["severity"] == "warn");
    let warnings: Vec<&Value> = warnings.collect();
    assert!(matches!(warnings[..], [one] if one["advice"].as_str().unwrap().contains("AF_NETLINK")), "{diagnosis}");
    assert!(output.status.success());

    // What was logged is written by its end.
    server.process.stop();
    let log = std::fs::read_to_string(log).unwrap();
    let warnings: Vec<&str> = log.lines().filter(|line| line.contains("warning")).collect();
    assert!(
        matches!(warnings[..], [one] if one.contains("AF_NETLINK") && one.contains("RestrictAddressFamilies")),
        "{log}"
    );
}
