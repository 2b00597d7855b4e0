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
    // Host names and addresses without a server are not searched for by name.
    for address in [&*format!("localhost:{}", den.port), &*format!("http://localhost:{}/", den.port)] {
        let status = run(&[&["status", address], &local[..]].concat());
        let status: Value = serde_json::from_slice(&status.stdout).unwrap();
        assert_eq!(status["server_port"], den.port, "{address}");
    }

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

#[test]
fn servers_are_listed_when_no_server_has_the_name() {
    let discovery_port = unused_discovery_port();
    let port = discovery_port.to_string();
    let run = |command: &str, name: &str, timeout: &str| {
        let options = ["--timeout", timeout, "--local", "--discovery-port", &port];
        let output = run(&[&[command, name], &options[..]].concat());
        assert_eq!(output.status.code(), Some(4), "{output:?}");
        stderr(&output)
    };
    for command in ["connect", "status"] {
        let nothing = run(command, "attic", "50ms");
        assert!(nothing.contains("no server is called \"attic\"") && nothing.contains("halloo doctor"), "{nothing}");
        assert!(nothing.contains(&format!("no server answered on UDP port {port}")), "{nothing}");
    }
    let den = JsonServer::start_announced(discovery_port, &["--name", "Den"]);
    let room = JsonServer::start_announced(discovery_port, &["--name", "Living Room"]);
    for command in ["connect", "status"] {
        for (name, nearest) in [("dne", Some("Den")), ("living", Some("Living Room")), ("kitchen", None)] {
            let text = run(command, name, "1s");
            assert!(text.contains(&den.url()) && text.contains(&room.url()), "{text}");
            assert!(
                text.contains(&format!("no server is called \"{name}\"")) && text.contains("halloo doctor"),
                "{text}"
            );
            match nearest {
                Some(nearest) => assert!(text.contains(&format!("did you mean `{nearest}`?")), "{text}"),
                None => assert!(!text.contains("did you mean"), "{text}"),
            }
        }
    }
}

#[test]
fn what_discover_prints_can_be_given_to_status() {
    for name in
        ["Dr. Öz v2.0", "a/b:c@d[e]", "A name that is longer than the column of a table", "👨\u{200d}👩\u{200d}👧"]
    {
        let discovery_port = unused_discovery_port();
        let port = discovery_port.to_string();
        let server = JsonServer::start_announced(discovery_port, &["--name", name]);
        let options = ["--timeout", "20s", "--local", "--discovery-port", &port];
        let listed = stdout(&run(&[&["discover", "--first"], &options[..]].concat()));
        let row = listed.lines().nth(1).unwrap();
        let (printed, _) = row.split_once(" ws://").unwrap();
        for target in [name, printed.trim(), &server.url()] {
            let status = run(&[&["status", target], &options[..]].concat());
            let status: Value =
                serde_json::from_slice(&status.stdout).unwrap_or_else(|_| panic!("{}", stderr(&status)));
            assert_eq!(status["server_port"], server.port, "{target}");
        }
    }
}
