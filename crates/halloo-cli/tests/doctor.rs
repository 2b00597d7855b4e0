//! `halloo doctor` in network namespaces.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

mod common;

use std::net::UdpSocket;

use common::{JsonServer, halloo, run};
use halloo_test_support::{in_namespace, shell, wait_until};
use serde_json::{Value, json};

const CABLE: &str = "ip link add near type veth peer name far; ip link set near up; ip link set far up; \
                     ip addr add 192.168.77.1/24 dev near";

fn start_server(arguments: &[&str]) -> JsonServer {
    JsonServer::start(halloo(&["serve", "--json", "--no-mdns"]).args(arguments))
}

/// Runs the doctor. Returns its output and its exit code.
fn diagnose() -> (Value, Option<i32>) {
    let output = run(&["doctor", "--json"]);
    let diagnosis: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(diagnosis["healthy"], output.status.success());
    (diagnosis, output.status.code())
}

/// Returns the texts of all findings of one severity.
fn texts(diagnosis: &Value, severity: &str) -> Vec<String> {
    let findings = diagnosis["findings"].as_array().unwrap().iter();
    let findings = findings.filter(|finding| finding["severity"] == severity);
    findings.map(|finding| finding["text"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn reachable_server_passes_local_server_warns_and_missing_network_fails() {
    if !in_namespace("reachable_server_passes_local_server_warns_and_missing_network_fails", CABLE) {
        return;
    }
    let server = start_server(&[]);
    let (diagnosis, code) = diagnose();
    assert_eq!((texts(&diagnosis, "warn"), code), (Vec::new(), Some(0)), "{diagnosis}");
    let facts = &diagnosis["facts"];
    assert_eq!(
        (&facts["interfaces"][0]["broadcast"], &facts["interfaces"][0]["multicast"]),
        (&json!("received"), &json!("received"))
    );
    assert_eq!(facts["servers"][0]["replied_via"], json!(["192.168.77.1", "127.0.0.1"]));
    assert_eq!(facts["ports"][0]["owners"], json!([{"pid": server.process.id(), "program": "halloo"}]));

    drop(server);
    let _local = start_server(&["--bind", "127.0.0.1"]);
    let (diagnosis, code) = diagnose();
    let warnings = texts(&diagnosis, "warn");
    assert!(
        code == Some(0) && warnings.iter().any(|text| text.contains("no connections on 192.168.77.1")),
        "{warnings:?}"
    );

    shell("ip link set near down");
    let (diagnosis, code) = diagnose();
    let failures = vec!["no network is connected".to_owned()];
    assert_eq!((texts(&diagnosis, "fail"), code), (failures, Some(1)), "{diagnosis}");
}

#[test]
fn every_one_of_25_networks_is_covered() {
    let setup = "for i in $(seq 1 25); do
                     ip link add near$i type veth peer name far$i; ip link set near$i up; ip link set far$i up
                     ip addr add 10.1.$i.1/24 dev near$i
                 done";
    if !in_namespace("every_one_of_25_networks_is_covered", setup) {
        return;
    }
    let _server = start_server(&[]);
    let (mut diagnosis, mut code) = diagnose();
    let all_came_back = |diagnosis: &Value| {
        let interfaces = diagnosis["facts"]["interfaces"].as_array().unwrap().iter();
        let mut echoes = interfaces.flat_map(|interface| [&interface["broadcast"], &interface["multicast"]]);
        echoes.all(|echo| echo == "received")
    };
    // On a loaded machine, one of the fifty echoes may come too late.
    wait_until(|| {
        all_came_back(&diagnosis) || {
            (diagnosis, code) = diagnose();
            false
        }
    });
    assert_eq!(code, Some(0), "{diagnosis}");
    let replied = diagnosis["facts"]["servers"][0]["replied_via"].as_array().unwrap().iter();
    // Addresses of IPv6 are ready a second after the others.
    let replied: Vec<_> = replied.filter(|address| !address.as_str().unwrap().contains(':')).collect();
    assert_eq!(replied.len(), 26, "every network, and loopback: {replied:?}");
}

#[test]
fn program_that_holds_the_discovery_port_is_named() {
    if !in_namespace("program_that_holds_the_discovery_port_is_named", CABLE) {
        return;
    }
    let _socket = UdpSocket::bind("0.0.0.0:8766").unwrap();
    let (diagnosis, code) = diagnose();
    let failures = texts(&diagnosis, "fail");
    let holder = format!("(pid {})", std::process::id());
    assert!(code == Some(1) && failures.len() == 1 && failures[0].contains(&holder), "{failures:?}");
}
