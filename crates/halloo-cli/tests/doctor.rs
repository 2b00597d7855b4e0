//! What the doctor says on machines made for it.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the answer")]

use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::process::{Child, ChildStdout, Command, Stdio};

use halloo_test_support::{in_namespace as inside, shell};
use serde_json::{Value, json};

const CABLE: &str = "ip link add near type veth peer name far; ip link set near up; ip link set far up; \
                     ip addr add 192.168.77.1/24 dev near";

/// A running server, whose output is kept open.
struct Server(Child, BufReader<ChildStdout>);

impl Server {
    fn start(arguments: &[&str]) -> Server {
        let mut command = Command::new(env!("CARGO_BIN_EXE_halloo"));
        command.args(["serve", "--json", "--no-mdns"]).args(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let output = child.stdout.take().unwrap();
        let mut server = Server(child, BufReader::new(output));
        let mut ready = String::new();
        server.1.read_line(&mut ready).unwrap();
        assert!(ready.contains("ready"), "{ready}");
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What it says, and how it ends.
fn doctor() -> (Value, Option<i32>) {
    let output = Command::new(env!("CARGO_BIN_EXE_halloo")).args(["doctor", "--json"]).output().unwrap();
    let diagnosis: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(diagnosis["healthy"], output.status.success());
    (diagnosis, output.status.code())
}

/// Findings of one severity, as text.
fn told(diagnosis: &Value, severity: &str) -> Vec<String> {
    let findings = diagnosis["findings"].as_array().unwrap().iter();
    let of_verdict = findings.filter(|finding| finding["severity"] == severity);
    of_verdict.map(|finding| finding["text"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_server_that_is_found_everywhere_then_one_for_this_machine_only_then_no_link() {
    if !inside("a_server_that_is_found_everywhere_then_one_for_this_machine_only_then_no_link", CABLE) {
        return;
    }
    let server = Server::start(&[]);
    let (diagnosis, code) = doctor();
    assert_eq!((told(&diagnosis, "warn"), code), (Vec::new(), Some(0)), "{diagnosis}");
    let facts = &diagnosis["facts"];
    assert_eq!(
        (&facts["interfaces"][0]["broadcast"], &facts["interfaces"][0]["multicast"]),
        (&json!("received"), &json!("received"))
    );
    assert_eq!(facts["servers"][0]["replied_via"], json!(["192.168.77.1", "127.0.0.1"]));
    assert_eq!(facts["ports"][0]["owners"], json!([{"pid": server.0.id(), "program": "halloo"}]));

    drop(server);
    let _local = Server::start(&["--bind", "127.0.0.1"]);
    let (diagnosis, code) = doctor();
    let warned = told(&diagnosis, "warn");
    assert!(code == Some(0) && warned.iter().any(|text| text.contains("no connections on 192.168.77.1")), "{warned:?}");

    shell("ip link set near down");
    let (diagnosis, code) = doctor();
    assert_eq!((told(&diagnosis, "fail"), code), (vec!["no network is connected".to_owned()], Some(1)));
}

#[test]
fn a_program_that_keeps_the_discovery_port_for_itself() {
    if !inside("a_program_that_keeps_the_discovery_port_for_itself", CABLE) {
        return;
    }
    let _held = UdpSocket::bind("0.0.0.0:8766").unwrap();
    let (diagnosis, code) = doctor();
    let failed = told(&diagnosis, "fail");
    let holder = format!("(pid {})", std::process::id());
    assert!(code == Some(1) && failed.len() == 1 && failed[0].contains(&holder), "{failed:?}");
}
