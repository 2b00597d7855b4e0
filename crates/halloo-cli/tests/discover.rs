//! `halloo discover` and `halloo status` on loopback.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

mod common;

use std::process::Stdio;

use common::{JsonProcess, JsonServer, halloo, run, stderr, stdout};
use halloo_test_support::unused_discovery_port;
use serde_json::{Value, json};

#[test]
fn discover_and_status_find_a_server() {
    let discovery_port = unused_discovery_port();
    let port = discovery_port.to_string();
    let local = ["--local", "--discovery-port", &port];
    let none = run(&[&["discover", "--timeout", "50ms"], &local[..]].concat());
    assert_eq!((none.status.code(), none.stdout.len()), (Some(4), 0));
    let den = JsonServer::start_announced(discovery_port, &["--name", "den"]);
    let found = run(&[&["discover", "--first", "--json", "--timeout", "20s"], &local[..]].concat());
    let server: Value = serde_json::from_slice(&found.stdout).unwrap();
    let address = format!("127.0.0.1:{}", den.port);
    let url = den.url();
    assert_eq!(
        (&server["event"], &server["name"], &server["url"], &server["addresses"], &server["via"]),
        (&json!("found"), &json!("den"), &json!(url), &json!([address]), &json!("udp"))
    );
    let text = stdout(&run(&[&["discover", "--first", "--timeout", "20s"], &local[..]].concat()));
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines.len() == 2 && lines[0].starts_with("NAME ") && lines[1].starts_with("den "), "{text}");
    assert_eq!(lines[0].find("ADDRESS"), lines[1].find("ws://"), "{text}");

    let id = server["id"].as_str().unwrap();
    for target in [vec![], vec!["DEN"], vec![id], vec![&*url], vec![&*address]] {
        let status = run(&[&["status", "--timeout", "20s"], &target[..], &local[..]].concat());
        let status: Value = serde_json::from_slice(&status.stdout).unwrap();
        assert_eq!(status["server_port"], den.port, "{target:?}");
    }
    let none = run(&[&["status", "--timeout", "50ms", "attic"], &local[..]].concat());
    assert_eq!(none.status.code(), Some(4));
    assert!(stderr(&none).contains("attic"));

    let namesake = JsonServer::start_announced(discovery_port, &["--name", "Den"]);
    let ambiguous = run(&[&["status", "--timeout", "20s", "den"], &local[..]].concat());
    assert_eq!(ambiguous.status.code(), Some(1));
    for server in [den, namesake] {
        assert!(stderr(&ambiguous).contains(&server.url()), "{ambiguous:?}");
    }
}

#[test]
fn watch_reports_killed_and_restarted_servers() {
    let discovery_port = unused_discovery_port();
    let port = discovery_port.to_string();
    let mut command = halloo(&["discover", "--watch", "--json", "--local", "--discovery-port", &port]);
    let mut watch = JsonProcess::start(command.stderr(Stdio::piped()));
    let mut expect = |kind: &str, name: &str| {
        let event = watch.next_matching(|event| event["event"] != "updated");
        assert_eq!((event["event"].as_str(), event["name"].as_str()), (Some(kind), Some(name)));
    };

    let mut one = JsonServer::start_announced(discovery_port, &["--name", "one"]);
    expect("found", "one");
    // There is no goodbye, and no other server with its address: it is probed before it is lost.
    one.process.kill();
    expect("lost", "one");

    let mut two = JsonServer::start_announced(discovery_port, &["--name", "two"]);
    expect("found", "two");
    two.process.kill();
    let mut three = JsonServer::start_announced(discovery_port, &["--name", "three", "--port", &two.port.to_string()]);
    expect("lost", "two");
    expect("found", "three");

    three.process.write_line(r#"{"cmd":"stop"}"#);
    expect("lost", "three");
    #[cfg(unix)]
    {
        common::send_signal("-INT", watch.id());
        assert_eq!(watch.wait().code(), Some(0));
    }
}
