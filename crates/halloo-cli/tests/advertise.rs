//! `halloo serve --advertise`, on loopback.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

mod common;

use common::{JsonServer, run, stderr, stdout};
use halloo_test_support::unused_discovery_port;
use serde_json::{Value, json};

#[test]
fn links_and_searches_contain_the_advertised_address() {
    let discovery_port = unused_discovery_port();
    let server = JsonServer::start_announced(discovery_port, &["--advertise", "203.0.113.5:9000"]);
    assert_eq!(server.ready["urls"], json!([server.url(), "ws://203.0.113.5:9000"]));
    assert_eq!(server.ready["invitation"], "http://203.0.113.5:9000/");
    let port = discovery_port.to_string();
    let local = ["--local", "--discovery-port", &port, "--timeout", "1s"];
    let found = stdout(&run(&[&["discover", "--watch", "--json"], &local[..]].concat()));
    let own = format!("127.0.0.1:{}", server.port);
    // A search asks ten ports, one of which may be that of a server of another test.
    let last = found.lines().rfind(|line| line.contains(&format!("\"{own}\""))).unwrap();
    let last: Value = serde_json::from_str(last).unwrap();
    let addresses = json!(["203.0.113.5:9000", own]);
    assert_eq!((&last["url"], &last["addresses"]), (&json!("ws://203.0.113.5:9000"), &addresses));
}

#[test]
fn other_addresses_are_refused_with_advice() {
    for address in ["game.example.org", "[2001:db8::1]:9000", "127.0.0.1"] {
        let refused = run(&["serve", "--advertise", address]);
        assert_eq!(refused.status.code(), Some(2));
        assert!(stderr(&refused).contains("give an IPv4 address that other machines reach"), "{}", stderr(&refused));
    }
}
