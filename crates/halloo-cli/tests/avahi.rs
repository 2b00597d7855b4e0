//! Multicast DNS together with Avahi, the responder of most Linux systems, on another host.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

mod common;

use std::process::Stdio;

use common::{JsonProcess, JsonServer, halloo, stderr};
use halloo_test_support::{ChildProcess, RemoteHost, avahi, has_avahi, in_namespace};
use serde_json::json;

fn remote_host() -> RemoteHost {
    RemoteHost::new("cable", "192.168.77.1/24", "192.168.77.2/24")
}

fn serve(name: &str) -> JsonServer {
    JsonServer::start(&mut halloo(&["serve", "--json", "--port", "0", "--name", name]))
}

/// Browses with Avahi, and prints what it finds and loses.
fn browse(remote: &RemoteHost, reflects: bool) -> ChildProcess {
    avahi(remote, reflects, &["avahi-browse", "--parsable", "--resolve", "_halloo._tcp"]).unwrap()
}

/// Returns the next line of Avahi that begins with `kind`: `=` for resolved, `-` for lost.
fn next_of(browse: &mut ChildProcess, kind: &str) -> Vec<String> {
    loop {
        let line = browse.next_line();
        if line.starts_with(kind) {
            return line.split(';').map(str::to_owned).collect();
        }
    }
}

#[test]
fn avahi_finds_the_service_and_loses_it_on_its_goodbye() {
    if !has_avahi() || !in_namespace("avahi_finds_the_service_and_loses_it_on_its_goodbye", "") {
        return;
    }
    let remote = remote_host();
    let mut browse = browse(&remote, false);
    let mut server = serve("den");
    let found = next_of(&mut browse, "=");
    assert_eq!(
        found[1..9],
        ["eth0", "IPv4", "den", "_halloo._tcp", "local", "den.local", "192.168.77.1", &server.port.to_string()]
    );
    assert!(found[9].contains("\"v=2\"") && found[9].contains("\"path=/\""), "{found:?}");
    server.process.stop();
    assert_eq!(next_of(&mut browse, "-")[3], "den");
}

#[test]
fn service_and_host_of_avahi_are_found() {
    if !has_avahi() || !in_namespace("service_and_host_of_avahi_are_found", "") {
        return;
    }
    let remote = remote_host();
    let mut command = remote.command(env!("CARGO_BIN_EXE_halloo"));
    command.args(["serve", "--json", "--port", "0", "--name", "den", "--no-mdns", "--discovery-port", "9000"]);
    // Avahi calls the host otherwise than its system.
    command.args(["--allowed-hosts", "friend.local"]);
    let server = JsonServer::start(&mut command);
    let port = server.port.to_string();
    let _publish = avahi(&remote, false, &["avahi-publish-service", "den", "_halloo._tcp", &port]).unwrap();
    let mut watch = JsonProcess::start(&mut halloo(&["discover", "--watch", "--json"]));
    let found = watch.next_of("found");
    assert_eq!((&found["name"], &found["via"]), (&json!("den"), &json!("mdns")));
    assert_eq!(found["url"], format!("ws://192.168.77.2:{port}"));
    let output = halloo(&["status", &format!("http://friend.local:{port}")]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn host_name_that_avahi_has_is_not_taken() {
    if !has_avahi() || !in_namespace("host_name_that_avahi_has_is_not_taken", "") {
        return;
    }
    let remote = remote_host();
    let mut browse = browse(&remote, false);
    // The host of Avahi has this name.
    let mut command = halloo(&["serve", "--json", "--port", "0", "--name", "friend"]);
    let mut server = JsonServer::start(command.stderr(Stdio::piped()));
    let found = next_of(&mut browse, "=");
    assert_eq!((&*found[3], &*found[6], &*found[7]), ("friend", "friend-2.local", "192.168.77.1"));
    server.process.stop();
    let log = server.process.read_stderr();
    assert!(log.contains(&format!("published as http://friend-2.local:{}", server.port)), "{log}");
}

#[test]
fn server_on_two_networks_with_a_reflector_between_them_keeps_its_name() {
    if !has_avahi() || !in_namespace("server_on_two_networks_with_a_reflector_between_them_keeps_its_name", "") {
        return;
    }
    let remote = remote_host();
    remote.add_cable("cable2", "192.168.78.1/24", "eth1", "192.168.78.2/24");
    let mut browse = browse(&remote, true);
    let mut server = serve("den");
    let mut networks = [next_of(&mut browse, "="), next_of(&mut browse, "=")].map(|found| found[1].clone());
    networks.sort_unstable();
    assert_eq!(networks, ["eth0", "eth1"]);
    // What is asked for is repeated on the other network as well.
    let mut again = JsonProcess::start(remote.command(env!("CARGO_BIN_EXE_halloo")).args([
        "discover",
        "--json",
        "--timeout",
        "3s",
    ]));
    assert_eq!(again.next_event()["name"], "den");
    again.remaining_events();
    server.process.stop();
    let lost = [next_of(&mut browse, "-"), next_of(&mut browse, "-")].map(|lost| lost[3].clone());
    assert_eq!(lost, ["den", "den"], "it was never renamed");
}
