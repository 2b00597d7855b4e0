//! Programs of others, written from the documented protocol alone: servers that `discover` and `connect` find, and a
//! client on Node.js.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the answer")]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use serde_json::{Value, json};

/// A running program of whichever kind, and what it tells.
struct Program {
    child: Child,
    input: Option<ChildStdin>,
    output: Box<dyn Iterator<Item = String>>,
}

impl Program {
    fn start(mut command: Command) -> Program {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Program { input: child.stdin.take(), child, output: Box::new(lines.map(Result::unwrap)) }
    }

    fn halloo(arguments: &[&str]) -> Program {
        let mut command = Command::new(env!("CARGO_BIN_EXE_halloo"));
        command.args(arguments);
        Program::start(command)
    }

    /// The next event of one of these kinds; others before it are passed over.
    fn event(&mut self, kinds: &[&str]) -> Value {
        let mut events = self.output.by_ref().map(|line| serde_json::from_str::<Value>(&line).unwrap());
        events.find(|event| kinds.iter().any(|kind| event["event"] == *kind)).expect("an event")
    }

    fn say(&mut self, line: &str) {
        writeln!(self.input.as_mut().unwrap(), "{line}").unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests")
}

/// What the test command has made ready, under this name.
fn prepared(variable: &str) -> Option<std::ffi::OsString> {
    let value = std::env::var_os(variable);
    if value.is_none() {
        eprintln!("SKIPPED: {variable} is not set; `cargo xtask test` sets it");
    }
    value
}

/// A server in Python that is called to `discovery_port`, and its address.
fn server(discovery_port: &str, arguments: &[&str]) -> Option<(Program, String)> {
    let mut command = Command::new(prepared("HALLOO_TEST_PYTHON")?);
    command.arg(tests().join("python/announced.py")).arg(discovery_port).args(arguments);
    let mut server = Program::start(command);
    let port = server.output.next().expect("its port");
    Some((server, format!("ws://127.0.0.1:{port}")))
}

/// A discovery port for one test, with the nine after it, below those that the system hands out.
fn free_port(offset: u16) -> String {
    (10_000 + (std::process::id() % 90) as u16 * 200 + 100 + offset).to_string()
}

/// Connects to what is found, and gets back what it sent.
fn talk(place: &[&str]) -> Program {
    let mut client = Program::halloo(&[&["connect", "--json", "--timeout", "20s"], place].concat());
    client.event(&["connected"]);
    client.say(&json!({"cmd": "send", "text": "hällo"}).to_string());
    assert_eq!(client.event(&["message"])["text"], "hällo");
    client
}

#[test]
fn a_server_that_knows_only_the_contract_is_found_stays_while_it_is_silent_and_is_lost() {
    let port = free_port(0);
    let place = ["--local", "--no-mdns", "--discovery-port", &port];
    let mut watch = Program::halloo(&[&["discover", "--watch", "--json", "--timeout", "60s"], &place[..]].concat());
    let Some((server, url)) = server(&port, &[]) else { return };
    assert_eq!(watch.event(&["found", "lost"])["url"], url.as_str());
    let client = talk(&place);
    drop(client);
    // It never answered a probe, and is there all the same until it takes no connection.
    drop(server);
    assert_eq!(watch.event(&["found", "lost"])["event"], "lost");
}

#[test]
fn a_server_that_answers_is_found_while_it_is_busy_and_its_goodbye_is_believed() {
    let port = free_port(10);
    let place = ["--local", "--no-mdns", "--discovery-port", &port];
    let Some((mut server, url)) = server(&port, &["--answers"]) else { return };
    let _client = talk(&[&["FOREIGN"], &place[..]].concat());
    let mut watch = Program::halloo(&[&["discover", "--watch", "--json", "--timeout", "60s"], &place[..]].concat());
    let found = watch.event(&["found"]);
    assert_eq!((&found["name"], &found["url"], &found["clients"]), (&json!("foreign"), &json!(url), &json!(1)));
    assert_eq!(found["id"], "00112233aabbccdd");
    drop(server.input.take());
    assert_eq!(watch.event(&["found", "lost"])["event"], "lost");
}

#[test]
fn node_talks_to_an_echo() {
    let Some(modules) = prepared("HALLOO_TEST_NODE_MODULES") else { return };
    let mut server = Program::halloo(&["serve", "--json", "--bind", "127.0.0.1", "--port", "0", "--no-discovery"]);
    let url = server.event(&["ready"])["urls"][0].as_str().unwrap().to_owned();
    let mut node = Command::new("node");
    node.arg(tests().join("node/peer.mjs")).arg(url).env("NODE_MODULES", modules);
    let mut peer = Program::start(node);
    loop {
        let mut event = server.event(&["message", "client_left"]);
        if event["event"] == "client_left" {
            assert_eq!((&event["code"], &event["reason"]), (&json!(3000), &json!("auf Wiederhören")));
            break;
        }
        let object = event.as_object_mut().unwrap();
        object.remove("event");
        object.insert("cmd".into(), "send".into());
        server.say(&event.to_string());
    }
    assert_eq!(peer.output.next().as_deref(), Some("OK"));
    assert!(peer.child.wait().unwrap().success());
}
