//! The server as a service of DNS-SD, as a library sees it that knows nothing of halloo, over a cable of its own.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the answer")]

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use halloo_test_support::{RemoteHost as Neighbour, in_namespace as inside, shell};
use serde_json::{Value, json};

/// A program, and the JSON it prints.
struct Program {
    child: Child,
    events: Box<dyn Iterator<Item = Value>>,
}

impl Program {
    fn start(command: &mut Command) -> Program {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Program { child, events: Box::new(lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap())) }
    }

    /// A server on this machine.
    fn serve(name: &str, arguments: &[&str]) -> Program {
        Program::serve_by(&mut Command::new(env!("CARGO_BIN_EXE_halloo")), name, arguments)
    }

    fn serve_by(command: &mut Command, name: &str, arguments: &[&str]) -> Program {
        let common = ["serve", "--json", "--port", "0", "--name", name];
        let mut server = Program::start(command.args(common).args(arguments));
        assert_eq!(server.next()["event"], "ready");
        server
    }

    fn say(&mut self, line: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    fn next(&mut self) -> Value {
        self.events.next().expect("another event")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The interpreter that `cargo xtask python` prepared.
fn python() -> Option<OsString> {
    let interpreter = std::env::var_os("HALLOO_TEST_PYTHON");
    if interpreter.is_none() {
        eprintln!("SKIPPED: HALLOO_TEST_PYTHON is not set; `cargo xtask test` sets it");
    }
    interpreter
}

/// Another machine, to which multicasts find the way.
fn neighbour() -> Neighbour {
    let neighbour = Neighbour::new("cable", "192.168.77.1/24", "192.168.77.2/24");
    shell("ip route add 224.0.0.0/4 dev cable");
    neighbour.shell("ip route add 224.0.0.0/4 dev eth0");
    neighbour
}

/// Searches on the other machine.
fn search(neighbour: &Neighbour) -> Program {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/python/services.py");
    let mut command = neighbour.command(python().unwrap().to_str().unwrap());
    let mut search = Program::start(command.args([script, "192.168.77.2", "20"]));
    assert_eq!(search.next(), json!({"event": "searching"}));
    search
}

#[test]
fn the_service_is_found_with_its_host_and_says_goodbye() {
    if python().is_none() || !inside("the_service_is_found_with_its_host_and_says_goodbye", "") {
        return;
    }
    let neighbour = neighbour();
    for command in ["stop_discovery", "stop"] {
        let mut server = Program::serve("Living Room", &[]);
        server.say(r#"{"cmd":"status"}"#);
        let status = server.events.find(|event| event["event"] == "status").unwrap();
        // A server that somebody is connected to sends no beacons, but is published.
        let _client = tungstenite::connect(format!("ws://192.168.77.1:{}", status["server_port"])).unwrap();
        let mut search = search(&neighbour);
        let found = search.next();
        assert_eq!((&found["event"], &found["name"]), (&json!("found"), &json!("Living Room")));
        assert_eq!((&found["host"], &found["addresses"]), (&json!("living-room.local."), &json!(["192.168.77.1"])));
        assert_eq!(found["port"], status["server_port"]);
        let txt = found["txt"].as_object().unwrap();
        assert_eq!((&txt["v"], &txt["path"], txt.len()), (&json!("2"), &json!("/"), 3));
        assert_eq!(txt["id"].as_str().unwrap().len(), 16);
        server.say(&format!(r#"{{"cmd":"{command}"}}"#));
        assert_eq!(search.next(), json!({"event": "gone", "name": "Living Room"}), "{command}");
    }
}

#[test]
fn namesakes_are_told_apart() {
    if python().is_none() || !inside("namesakes_are_told_apart", "") {
        return;
    }
    let neighbour = neighbour();
    let mut search = search(&neighbour);
    let _first = Program::serve("Living Room", &[]);
    assert_eq!(search.next()["host"], "living-room.local.");
    let mut there = neighbour.command(env!("CARGO_BIN_EXE_halloo"));
    let _second = Program::serve_by(&mut there, "Living Room", &[]);
    let found = search.next();
    assert_eq!((&found["name"], &found["host"]), (&json!("Living Room (2)"), &json!("living-room-2.local.")));
    assert_eq!(found["addresses"], json!(["192.168.77.2"]));
}

#[test]
fn a_server_that_does_not_want_it_is_not_published() {
    if python().is_none() || !inside("a_server_that_does_not_want_it_is_not_published", "") {
        return;
    }
    let neighbour = neighbour();
    let mut search = search(&neighbour);
    let _silent = Program::serve("silent", &["--no-mdns"]);
    let _local = Program::serve("local", &["--bind", "127.0.0.1"]);
    let _off = Program::serve("off", &["--no-discovery"]);
    let _heard = Program::serve("heard", &[]);
    assert_eq!(search.next()["name"], "heard", "the others started earlier");
}

#[test]
fn where_no_broadcast_gets_through_the_service_is_found() {
    if !inside("where_no_broadcast_gets_through_the_service_is_found", "") {
        return;
    }
    let neighbour = neighbour();
    // It calls and listens where nobody else does, which is as good as a firewall.
    let mut server = Program::serve("den", &["--discovery-port", "9000"]);
    server.say(r#"{"cmd":"status"}"#);
    let status = server.events.find(|event| event["event"] == "status").unwrap();
    let mut search = neighbour.command(env!("CARGO_BIN_EXE_halloo"));
    let mut search = Program::start(search.args(["discover", "--watch", "--json"]));
    let found = search.next();
    assert_eq!((&found["event"], &found["name"], &found["via"]), (&json!("found"), &json!("den"), &json!("mdns")));
    assert_eq!(found["url"], format!("ws://192.168.77.1:{}", status["server_port"]));
    server.say(r#"{"cmd":"stop"}"#);
    let lost = search.events.find(|event| event["event"] == "lost").unwrap();
    assert_eq!(lost["id"], found["id"]);
}
