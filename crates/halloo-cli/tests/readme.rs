//! The examples of the README that are not doctests run.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

mod common;

use common::{JsonProcess, JsonServer, halloo};
use halloo_test_support::{ChildProcess, LOOPBACK_BROADCAST, TempDir, python, unused_discovery_port};

const README: &str = include_str!("../../../README.md");

#[test]
fn python_example_finds_a_server_that_has_clients() {
    let discovery_port = unused_discovery_port();
    let port = discovery_port.to_string();
    let options = ["serve", "--json", "--bind", "127.0.0.1", "--port", "0", "--discovery-port", &port];
    let mut server = JsonServer::start(&mut halloo(&options));
    // From now on, the server sends no beacons.
    let mut other = JsonProcess::start(&mut halloo(&["connect", "--json", &server.url()]));
    other.next_of("connected");
    let (_, rest) = README.split_once("```python\n").unwrap();
    // On this machine only, and not on the port that other servers of this machine may use.
    let example = rest.split("```").next().unwrap().replace("8766", &port);
    let example = example.replace("\"255.255.255.255\"", &format!("\"{LOOPBACK_BROADCAST}\""));
    let directory = TempDir::new(env!("CARGO_TARGET_TMPDIR"));
    let path = directory.path().join("example.py");
    std::fs::write(&path, example).unwrap();
    let Some(mut command) = python(path.to_str().unwrap()) else { return };
    let mut example = ChildProcess::start(command.env("PYTHONUNBUFFERED", "1"));
    let message = server.process.next_of("message");
    assert_eq!(message["text"], "hello");
    server.process.write_line(r#"{"cmd":"send_to_all","text":"welcome"}"#);
    assert_eq!(example.next_line(), "welcome");
}
