//! docs/json.md lists every event and command of JSON mode, and its examples run.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

mod common;

use std::path::Path;
use std::process::Command;

use common::{JsonProcess, JsonServer, halloo, run, stdout};
use halloo_test_support::{ChildProcess, TempDir, connect_tcp, node, python};
use tungstenite::Message;

const DOCUMENT: &str = include_str!("../../../docs/json.md");

/// Returns the part of the document under a heading of the second level.
fn section(heading: &str) -> &'static str {
    let (_, rest) = DOCUMENT.split_once(&format!("\n## {heading}\n")).unwrap();
    rest.split("\n## ").next().unwrap()
}

/// Returns the events that a source file constructs.
fn events(source: &str) -> impl Iterator<Item = &str> {
    source.split("\"event\": \"").skip(1).map(|rest| rest.split('"').next().unwrap())
}

/// Expects a row of a table for each of the commands that `process` knows.
fn expect_commands(process: &mut JsonProcess, section: &str) {
    process.write_line(r#"{"cmd":"dance"}"#);
    let error = process.next_of("error")["message"].as_str().unwrap().to_owned();
    let (_, known) = error.split_once("expected").unwrap();
    let known: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
    assert!(known.len() >= 2, "{error}");
    // `kick` is a former name.
    for command in known.into_iter().filter(|known| *known != "kick") {
        assert!(section.contains(&format!("`{command}`")), "{command}");
    }
}

#[test]
fn every_event_and_command_is_listed() {
    for event in events(include_str!("../src/json.rs")) {
        assert!(section("serve").contains(&format!("| `{event}` |")), "{event}");
    }
    for event in events(include_str!("../src/connect/format.rs")).chain(["error"]) {
        assert!(section("connect").contains(&format!("| `{event}` |")), "{event}");
    }
    let mut server = JsonServer::start_local(&[]);
    expect_commands(&mut server.process, section("serve"));
    let mut client = JsonProcess::start(&mut halloo(&["connect", "--json", &server.url()]));
    client.next_of("connected");
    expect_commands(&mut client, section("connect"));
    assert!(stdout(&run(&["serve", "--help"])).contains("docs/json.md"));
}

/// Runs the example in `language`, and expects that it echoes and that its server ends with it.
fn run_example(language: &str, file: &str, command: impl FnOnce(&str) -> Option<Command>) {
    let (_, rest) = DOCUMENT.split_once(&format!("```{language}\n")).unwrap();
    let directory = TempDir::new(env!("CARGO_TARGET_TMPDIR"));
    let path = directory.path().join(file);
    std::fs::write(&path, rest.split("```").next().unwrap()).unwrap();
    let Some(mut command) = command(path.to_str().unwrap()) else { return };
    let program = Path::new(env!("CARGO_BIN_EXE_halloo")).parent().unwrap();
    let search_path = std::env::var_os("PATH").unwrap_or_default();
    let search_path = std::env::join_paths([program.into()].into_iter().chain(std::env::split_paths(&search_path)));
    command.env("PATH", search_path.unwrap()).env("HALLOO_PORT", "0").env("HALLOO_BIND", "127.0.0.1");
    let mut example = ChildProcess::start(command.env("HALLOO_NO_DISCOVERY", "1"));
    let address = example.next_line_after("open http://").trim_end_matches('/').to_owned();
    let (mut peer, _) = tungstenite::client(format!("ws://{address}"), connect_tcp(&address)).unwrap();
    for message in [Message::text("h\u{e4}llo\n\u{2028}\u{1f44b}"), Message::binary(vec![0, 255])] {
        peer.send(message.clone()).unwrap();
        assert_eq!(peer.read().unwrap(), message);
    }
    example.kill();
    assert!(peer.read().unwrap().is_close());
}

#[test]
fn example_in_python_runs() {
    run_example("python", "example.py", python);
}

#[test]
fn example_for_node_runs() {
    run_example("js", "example.mjs", node);
}
