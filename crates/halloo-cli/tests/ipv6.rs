//! Hosts without IPv4: they have unique local addresses, or link-local ones alone.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

mod common;

use std::process::Command;

use common::{JsonProcess, JsonServer, halloo, run, stdout};
use halloo_test_support::{
    ChildProcess, RemoteHost, TempDir, csharp_program, in_namespace, js_client_tests, js_client_tests_on_bun,
    js_client_tests_on_deno, python_client_tests, wait_until,
};
use serde_json::{Value, json};

/// Link-local addresses can be used at once.
const NO_DAD: &str = "echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad";
const UNIQUE_LOCAL: [&str; 2] = ["fd00::1/64 nodad", "fd00::2/64 nodad"];
/// An interface has a link-local address anyway.
const LINK_LOCAL: [&str; 2] = ["fe80::1/64 nodad", "fe80::2/64 nodad"];
const IPV4: [&str; 2] = ["10.77.0.1/24", "10.77.0.2/24"];

/// Starts a server called `den` on another host. The addresses are ours and that of the other host.
fn start_server([ours, theirs]: [&str; 2], more: [&str; 2]) -> (RemoteHost, JsonServer) {
    let host = RemoteHost::new("cable", ours, theirs);
    for (address, add) in more.iter().zip([&halloo_test_support::shell as &dyn Fn(&str), &|text| host.shell(text)]) {
        let interface = if *address == more[0] { "cable" } else { "eth0" };
        if !address.is_empty() {
            add(&format!("ip addr add {address} dev {interface}"));
        }
    }
    let mut command = host.command(env!("CARGO_BIN_EXE_halloo"));
    let server = JsonServer::start(command.args(["serve", "--json", "--no-mdns", "--name", "den"]));
    (host, server)
}

/// Returns the first server that is found.
fn discover() -> Value {
    let output = run(&["discover", "--json", "--first", "--no-mdns"]);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

#[test]
fn a_server_with_a_unique_local_address_is_found_and_used() {
    if !in_namespace("a_server_with_a_unique_local_address_is_found_and_used", NO_DAD) {
        return;
    }
    let (_host, mut server) = start_server(UNIQUE_LOCAL, ["", ""]);
    assert_eq!(server.ready["urls"], json!(["ws://127.0.0.1:8765", "ws://[fd00::2]:8765"]));
    assert_eq!(server.ready["invitation"], "http://[fd00::2]:8765/");
    let mut watch = JsonProcess::start(&mut halloo(&["discover", "--watch", "--json", "--no-mdns"]));
    let found = watch.next_of("found");
    assert_eq!((&found["url"], &found["name"]), (&json!("ws://[fd00::2]:8765"), &json!("den")));
    assert!(found["addresses"].as_array().unwrap().contains(&json!("[fd00::2]:8765")), "{found}");

    let mut client = ChildProcess::start(&mut halloo(&["connect", "den", "--no-mdns"]));
    client.write_line("hello");
    assert_eq!(server.process.next_of("message")["text"], "hello");
    let status: Value = serde_json::from_str(&stdout(&run(&["status", "den", "--no-mdns"]))).unwrap();
    assert_eq!((&status["local_ip"], &status["connected_clients"]), (&json!("fd00::2"), &json!(1)));
    assert_eq!(discover()["clients"], 1, "a server with clients replies to probes");
    // Its goodbye arrives over IPv6, too.
    server.process.write_line(r#"{"cmd":"stop"}"#);
    assert_eq!(watch.next_of("lost")["name"], "den");
}

#[test]
fn link_local_addresses_are_found_with_their_zone_and_are_in_no_link() {
    if !in_namespace("link_local_addresses_are_found_with_their_zone_and_are_in_no_link", NO_DAD) {
        return;
    }
    let (_host, mut server) = start_server(LINK_LOCAL, ["", ""]);
    assert_eq!(server.ready["invitation"], "http://127.0.0.1:8765/", "web browsers accept no zone");
    let url = discover()["url"].as_str().unwrap().to_owned();
    assert!(url.starts_with("ws://[fe80::") && url.contains('%'), "{url}");
    for target in ["den", &url] {
        let mut client = ChildProcess::start(&mut halloo(&["connect", target, "--no-mdns"]));
        client.write_line("hello");
        assert_eq!(server.process.next_of("message")["text"], "hello", "{target}");
    }
}

#[test]
fn a_server_without_ipv4_is_found_from_a_host_with_both() {
    if !in_namespace("a_server_without_ipv4_is_found_from_a_host_with_both", NO_DAD) {
        return;
    }
    let (_host, _server) = start_server(UNIQUE_LOCAL, [IPV4[0], ""]);
    assert_eq!(discover()["url"], "ws://[fd00::2]:8765");
}

#[test]
fn hosts_with_both_use_ipv4_and_reply_once() {
    if !in_namespace("hosts_with_both_use_ipv4_and_reply_once", NO_DAD) {
        return;
    }
    let (_host, server) = start_server(UNIQUE_LOCAL, IPV4);
    assert_eq!(server.ready["urls"], json!(["ws://127.0.0.1:8765", "ws://10.77.0.2:8765"]));
    let output = run(&["discover", "--json", "--no-mdns", "--timeout", "1s"]);
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["addresses"], json!(["10.77.0.2:8765"]));
}

#[test]
fn python_client_uses_a_server_with_a_unique_local_address() {
    if in_namespace("python_client_uses_a_server_with_a_unique_local_address", NO_DAD) {
        let Some(client) = python_client_tests("test_networks") else { return };
        use_server(client, start_server(UNIQUE_LOCAL, [IPV4[0], ""]), "ws://[fd00::2]:8765");
    }
}

#[test]
fn python_client_uses_a_server_with_a_link_local_address() {
    if in_namespace("python_client_uses_a_server_with_a_link_local_address", NO_DAD) {
        let Some(client) = python_client_tests("test_networks") else { return };
        use_server(client, start_server(LINK_LOCAL, ["", ""]), "ws://[fe80::");
    }
}

#[test]
fn python_client_uses_ipv4_where_both_hosts_have_it() {
    if in_namespace("python_client_uses_ipv4_where_both_hosts_have_it", NO_DAD) {
        let Some(client) = python_client_tests("test_networks") else { return };
        use_server(client, start_server(UNIQUE_LOCAL, IPV4), "ws://10.77.0.2:8765");
    }
}

#[test]
fn js_client_uses_a_server_with_a_unique_local_address() {
    if in_namespace("js_client_uses_a_server_with_a_unique_local_address", NO_DAD) {
        let Some(client) = js_client_tests(&["networks"]) else { return };
        use_server(client, start_server(UNIQUE_LOCAL, [IPV4[0], ""]), "ws://[fd00::2]:8765");
    }
}

#[test]
fn js_client_uses_a_server_with_a_link_local_address() {
    if in_namespace("js_client_uses_a_server_with_a_link_local_address", NO_DAD) {
        let Some(client) = js_client_tests(&["networks"]) else { return };
        use_server(client, start_server(LINK_LOCAL, ["", ""]), "ws://[fe80::");
    }
}

#[test]
fn js_client_uses_ipv4_where_both_hosts_have_it() {
    if in_namespace("js_client_uses_ipv4_where_both_hosts_have_it", NO_DAD) {
        let Some(client) = js_client_tests(&["networks"]) else { return };
        use_server(client, start_server(UNIQUE_LOCAL, IPV4), "ws://10.77.0.2:8765");
    }
}

#[test]
fn js_client_on_bun_uses_a_server_with_a_link_local_address() {
    if in_namespace("js_client_on_bun_uses_a_server_with_a_link_local_address", NO_DAD) {
        let Some(client) = js_client_tests_on_bun(&["networks"]) else { return };
        use_server(client, start_server(LINK_LOCAL, ["", ""]), "ws://[fe80::");
    }
}

#[test]
fn js_client_on_deno_uses_a_server_with_a_unique_local_address() {
    if in_namespace("js_client_on_deno_uses_a_server_with_a_unique_local_address", NO_DAD) {
        let cache = TempDir::new(env!("CARGO_TARGET_TMPDIR"));
        let Some(client) = js_client_tests_on_deno(&["networks"], cache.path()) else { return };
        use_server(client, start_server(UNIQUE_LOCAL, ["", ""]), "ws://[fd00::2]:8765");
    }
}

#[test]
fn csharp_client_uses_a_server_with_a_unique_local_address() {
    if in_namespace("csharp_client_uses_a_server_with_a_unique_local_address", NO_DAD) {
        use_from_csharp(start_server(UNIQUE_LOCAL, [IPV4[0], ""]), "ws://[fd00::2]:8765");
    }
}

#[test]
fn csharp_client_uses_a_server_with_a_link_local_address() {
    if in_namespace("csharp_client_uses_a_server_with_a_link_local_address", NO_DAD) {
        use_from_csharp(start_server(LINK_LOCAL, ["", ""]), "ws://[fe80::");
    }
}

fn use_from_csharp((_host, mut server): (RemoteHost, JsonServer), url: &str) {
    let directory = TempDir::new(env!("CARGO_TARGET_TMPDIR"));
    let program = directory.path().join("link.exe");
    let Some(command) = csharp_program("LinkProgram.cs", &[], &program) else { return };
    let start = |setting: &str| {
        let mut again = Command::new(command.get_program());
        ChildProcess::start(again.arg(&program).args(["port=8766", "wide=", setting]))
    };
    // A search may take longer on a loaded machine.
    let mut found = Vec::new();
    wait_until(|| {
        found = start("discover=").remaining_lines();
        !found.is_empty()
    });
    assert!(found.len() == 1 && found[0].starts_with(&format!("den {url}")), "{found:?}");
    let mut link = start("target=den");
    assert!(link.next_line_after("open ").starts_with(url.split('%').next().unwrap()));
    link.write_line("hello");
    assert_eq!(server.process.next_of("message")["text"], "hello");
}

/// Runs the test of a client with a server that stops when the client tells it to.
fn use_server(mut client: Command, (host, mut server): (RemoteHost, JsonServer), url: &str) {
    let stopper = std::thread::spawn(move || {
        assert_eq!(server.process.next_of("message")["text"], "stop");
        server.process.stop();
    });
    let output = client.env("HALLOO_EXPECTED_URL", url).output().unwrap();
    let report = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    // unittest, and the runners of Node.js, Bun and Deno.
    let has_passed = ["... ok", "ok 1 - ", "(pass) "].iter().any(|text| report.contains(text));
    let is_skipped = ["... skipped", "# SKIP", "(skip) "].iter().any(|text| report.contains(text));
    assert!(output.status.success() && has_passed && !is_skipped, "{report}");
    stopper.join().unwrap();
    drop(host);
}
