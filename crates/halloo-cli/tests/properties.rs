//! Application ids and properties, from the command line to `discover`, on loopback.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

mod common;

use std::process::Stdio;

use common::{JsonProcess, JsonServer, halloo, run, stderr, stdout};
use halloo_test_support::unused_discovery_port;
use serde_json::{Value, json};

#[test]
fn discover_connect_and_status_filter_by_application() {
    let discovery_port = unused_discovery_port();
    let port = discovery_port.to_string();
    let _other = JsonServer::start_announced(discovery_port, &["--name", "den"]);
    let tanks = JsonServer::start_announced(discovery_port, &["--name", "den", "--app", "Tanks"]);
    assert_eq!(tanks.ready["app"], "Tanks");
    let with_app = |command: &[&str], app: &str, timeout: &str| {
        let local = ["--local", "--discovery-port", &port, "--app", app, "--timeout", timeout];
        run(&[command, &local[..]].concat())
    };
    let found = stdout(&with_app(&["discover", "--json"], "tanks", "1s"));
    let found: Vec<Value> = found.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        (&found[0]["url"], &found[0]["app"], &found[0]["meta"]),
        (&json!(tanks.url()), &json!("Tanks"), &json!({}))
    );
    for target in [vec![], vec!["den"]] {
        let status = with_app(&[&["status"], &target[..]].concat(), "TANKS", "20s");
        let status: Value = serde_json::from_slice(&status.stdout).unwrap();
        assert_eq!((&status["server_port"], &status["halloo"]["app"]), (&json!(tanks.port), &json!("Tanks")));
        let connected = with_app(&[&["connect", "--json", "--once"], &target[..]].concat(), "Tanks", "20s");
        let event: Value = serde_json::from_str(stdout(&connected).lines().next().unwrap()).unwrap();
        assert_eq!((&event["event"], &event["url"]), (&json!("connected"), &json!(tanks.url())));
    }
    let none = with_app(&["discover"], "chess", "300ms");
    assert_eq!(none.status.code(), Some(4));
    assert!(stderr(&none).contains("application id \"chess\"") && stderr(&none).contains("leave out `--app`"));
}

#[test]
fn properties_are_listed_and_can_be_changed() {
    let discovery_port = unused_discovery_port();
    let port = discovery_port.to_string();
    let long = format!("motd={}", "x".repeat(100));
    let meta = ["--app", "Tanks", "--meta", "map=desert", "--meta", &long];
    let mut server = JsonServer::start_announced(discovery_port, &meta);
    let local = ["--local", "--discovery-port", &port, "--timeout", "20s"];
    let text = stdout(&run(&[&["discover", "--first"], &local[..]].concat()));
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[2].starts_with("  app Tanks, map=desert, motd=xxx") && lines[2].ends_with('…'), "{text}");
    assert!(lines.iter().all(|line| line.chars().count() < 80), "{text}");

    let mut watch =
        JsonProcess::start(halloo(&["discover", "--watch", "--json"]).args(&local[..3]).stderr(Stdio::piped()));
    watch.next_matching(|event| event["meta"]["map"] == "desert");
    server.process.write_line(r#"{"cmd":"set_meta","meta":{"map":"forest","players":"3"}}"#);
    let updated = watch.next_matching(|event| event["meta"]["map"] == "forest");
    assert_eq!((&updated["event"], &updated["meta"]), (&json!("updated"), &json!({"map": "forest", "players": "3"})));
    for (meta, advice) in [(r#"{"a b":"1"}"#, "A-Z a-z 0-9 _ . -"), (r#"{"players":3}"#, "put it in quotes")] {
        server.process.write_line(&format!(r#"{{"cmd":"set_meta","meta":{meta}}}"#));
        let error = server.process.next_of("error");
        assert!(error["message"].as_str().unwrap().contains(advice), "{error}");
    }
}

#[test]
fn properties_in_the_environment_are_separated_by_commas() {
    let discovery_port = unused_discovery_port();
    let port = discovery_port.to_string();
    let mut command = halloo(&["serve", "--json", "--bind", "127.0.0.1", "--port", "0", "--discovery-port", &port]);
    let _server = JsonServer::start(command.env("HALLOO_META", "map=desert,players=3").env("HALLOO_APP", "Tanks"));
    let local = ["--local", "--discovery-port", &port, "--timeout", "20s"];
    let found: Value =
        serde_json::from_slice(&run(&[&["discover", "--first", "--json"], &local[..]].concat()).stdout).unwrap();
    assert_eq!((&found["app"], &found["meta"]), (&json!("Tanks"), &json!({"map": "desert", "players": "3"})));
    for (options, advice) in [(["--meta", "map"], "KEY=VALUE"), (["--app", " "], "not empty or blank")] {
        let refused = run(&[&["serve", "--bind", "127.0.0.1"], &options[..]].concat());
        assert_eq!(refused.status.code(), Some(2));
        assert!(stderr(&refused).contains(advice), "{}", stderr(&refused));
    }
}
