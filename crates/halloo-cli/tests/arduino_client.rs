//! The library for Arduino in `clients/arduino`, compiled for this machine, against the program and the test vectors.
//!
//! Stubs stand for the libraries of the board. Everything happens on loopback.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

mod common;

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use common::JsonServer;
use halloo_test_support::{
    ChildProcess, TempDir, arduino_program, unused_discovery_port, unused_tcp_address, wait_until,
};

const TOKEN: &str = "the-otters-meet-at-nine";

fn client(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../clients/arduino").join(file);
    std::fs::read_to_string(path).unwrap()
}

/// Compiles a program of `clients/arduino/tests` and runs it with the directory of the test vectors.
fn run_with_vectors(source: &str) -> Option<String> {
    let directory = TempDir::new(env!("CARGO_TARGET_TMPDIR"));
    let mut command = arduino_program(source, &[], &directory.path().join("program"))?;
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors");
    let output = command.arg(vectors).output().unwrap();
    let (report, errors) = (common::stdout(&output), common::stderr(&output));
    assert!(output.status.success(), "{report}{errors}");
    Some(report)
}

/// Starts a sketch of the examples.
fn start_sketch(name: &str, directory: &TempDir, discovery_port: u16) -> Option<ChildProcess> {
    let sketch = format!("-DSKETCH=\"../examples/{name}/{name}.ino\"");
    let mut command = arduino_program("sketch.cpp", &[&sketch], &directory.path().join(name))?;
    Some(ChildProcess::start(command.env("HALLOO_DISCOVERY_PORT", discovery_port.to_string())))
}

/// Starts `tests/link.cpp`, which is compiled once for all tests.
fn start_link(discovery_port: u16, settings: &[(&str, &str)]) -> Option<ChildProcess> {
    static PROGRAM: OnceLock<Option<TempDir>> = OnceLock::new();
    let directory = PROGRAM.get_or_init(|| {
        let directory = TempDir::new(env!("CARGO_TARGET_TMPDIR"));
        arduino_program("link.cpp", &[], &directory.path().join("link")).map(|_| directory)
    });
    let mut command = Command::new(directory.as_ref()?.path().join("link"));
    command.env("HALLOO_DISCOVERY_PORT", discovery_port.to_string()).envs(settings.iter().copied());
    Some(ChildProcess::start(&mut command))
}

fn den(discovery_port: u16, arguments: &[&str]) -> JsonServer {
    JsonServer::start_announced(discovery_port, &[&["--name", "den"], arguments].concat())
}

#[test]
fn arduino_library_does_what_the_vectors_expect() {
    let Some(report) = run_with_vectors("vectors.cpp") else { return };
    assert_eq!(report.lines().count(), 11, "{report}");
}

#[test]
fn arduino_library_survives_hostile_input() {
    run_with_vectors("hostile.cpp");
}

#[test]
fn example_in_the_readme_finds_a_server_and_talks_to_it() {
    let sketch = client("examples/Hello/Hello.ino");
    assert!(sketch.lines().count() <= 15 && client("README.md").contains(&sketch));
    let (port, directory) = (unused_discovery_port(), TempDir::new(env!("CARGO_TARGET_TMPDIR")));
    let Some(mut sketch) = start_sketch("Hello", &directory, port) else { return };
    let mut server = JsonServer::start_announced(port, &["--name", "Living Room"]);
    let message = server.process.next_of("message");
    assert_eq!(message["text"], "hello");
    server.process.write_line(r#"{"cmd":"send_to_all","text":"välkommen\n"}"#);
    assert_eq!(sketch.next_line(), "välkommen");
    assert!(sketch.close().success());
}

#[test]
fn example_proves_the_token_and_joins_a_room() {
    let (port, directory) = (unused_discovery_port(), TempDir::new(env!("CARGO_TARGET_TMPDIR")));
    let arguments = ["--name", "living-room", "--token", TOKEN, "--token-proof-only"];
    let mut server = JsonServer::start_announced(port, &arguments);
    let Some(mut sketch) = start_sketch("Token", &directory, port) else { return };
    assert_eq!(server.process.next_of("client_joined")["rooms"][0], "lab");
    sketch.next_line_after("connected");
    server.process.write_line(r#"{"cmd":"send_to_room","room":"lab","text":"hi"}"#);
    assert_eq!(server.process.next_of("message")["binary"], "aGk=");
    server.process.stop();
    assert_eq!(sketch.next_line(), "not connected");
    assert_eq!(sketch.next_line(), "the connection ended; no action is needed");
}

#[test]
fn messages_go_both_ways_and_the_link_closes_cleanly() {
    let port = unused_discovery_port();
    let mut server = den(port, &[]);
    let Some(mut link) = start_link(port, &[]) else { return };
    assert_eq!(link.next_line_after("open "), format!("127.0.0.1:{}", server.port));
    let long = "x".repeat(10_000);
    for text in ["hëllo", &long] {
        link.write_line(text);
        assert_eq!(server.process.next_of("message")["text"], text);
        server.process.write_line(&format!(r#"{{"cmd":"send_to_all","text":"{text}"}}"#));
        assert_eq!(link.next_line(), format!("text {text}"));
    }
    assert!(link.close().success());
    assert_eq!(server.process.next_of("client_left")["code"], 1000);
}

#[test]
fn server_that_moved_is_found_again_and_another_one_is_left_alone() {
    let (port, address) = (unused_discovery_port(), unused_tcp_address().port().to_string());
    let mut server = den(port, &["--port", &address]);
    let Some(mut link) = start_link(port, &[("NAME", "den")]) else { return };
    assert_eq!(link.next_line_after("open "), format!("127.0.0.1:{address}"));
    server.process.kill();
    assert_eq!(link.next_line(), "close");
    assert_eq!(link.next_line(), "retry the connection ended; no action is needed");
    let mut attic = JsonServer::start_announced(port, &["--name", "attic", "--port", &address]);
    let mut moved = den(port, &[]);
    moved.process.next_of("client_joined");
    assert_eq!(link.next_line_after("open "), format!("127.0.0.1:{}", moved.port));
    attic.process.write_line(r#"{"cmd":"status"}"#);
    assert_eq!(attic.process.next_of("status")["halloo"]["clients_total"], 0);
}

#[test]
fn server_that_restarts_is_reached_again() {
    let (port, address) = (unused_discovery_port(), unused_tcp_address().port().to_string());
    let mut server = den(port, &["--port", &address]);
    let Some(mut link) = start_link(port, &[]) else { return };
    for _ in 0..3 {
        assert_eq!(link.next_line_after("open "), format!("127.0.0.1:{address}"));
        server.process.kill();
        link.next_line_after("close");
        server = den(port, &["--port", &address]);
    }
}

#[test]
fn what_is_wrong_is_said() {
    let port = unused_discovery_port();
    let servers = [den(port, &[]), JsonServer::start_announced(port, &["--name", "Den"])];
    let Some(mut link) = start_link(port, &[("NAME", "attic")]) else { return };
    link.next_line_after("retry there are only servers with other names than `attic`: `");
    // On a loaded machine, one server may be found too late.
    let mut problem = String::new();
    wait_until(|| {
        problem = start_link(port, &[("NAME", "den")]).unwrap().next_line();
        problem.starts_with("retry there are several servers: ")
    });
    assert!(problem.ends_with("use an id instead of the name"), "{problem}");
    for server in &servers {
        assert!(problem.contains(&format!("` at 127.0.0.1:{} with the id ", server.port)), "{problem}");
    }
    // The advice works.
    let id = problem.split("with the id ").nth(1).unwrap().split([',', ';']).next().unwrap();
    start_link(port, &[("NAME", id)]).unwrap().next_line_after("open ");
}

#[test]
fn absent_server_is_searched_for_again() {
    let port = unused_discovery_port();
    let Some(mut link) = start_link(port, &[("NAME", "den"), ("APP", "Tanks")]) else { return };
    assert!(link.next_line().starts_with("retry no server answered on UDP 8766; start one with `halloo serve`"));
    let other = den(port, &["--app", "Tetris"]);
    let server = den(port, &["--app", "tanks"]);
    assert_eq!(link.next_line_after("open "), format!("127.0.0.1:{}", server.port));
    drop(other);
}

#[test]
fn token_that_is_wrong_or_missing_ends_the_link() {
    let port = unused_discovery_port();
    let _server = den(port, &["--token", TOKEN]);
    let Some(mut link) = start_link(port, &[("TOKEN", "a-wrong-token-of-mine")]) else { return };
    let expected = "the server refused with the status 401: the token is wrong; copy that of the invitation link";
    assert_eq!(link.next_line_after("closed "), expected);
    let mut link = start_link(port, &[]).unwrap();
    link.next_line_after("closed the server requires a token; call setToken");
}

#[test]
fn server_that_does_not_know_the_token_gets_nothing() {
    let port = unused_discovery_port();
    let mut server = den(port, &[]);
    let Some(mut link) = start_link(port, &[("TOKEN", TOKEN)]) else { return };
    link.next_line_after("retry the server does not prove that it knows the token");
    server.process.write_line(r#"{"cmd":"status"}"#);
    assert_eq!(server.process.next_of("status")["halloo"]["clients_total"], 0);
}

#[test]
fn room_is_joined() {
    let port = unused_discovery_port();
    let mut server = den(port, &[]);
    let Some(_link) = start_link(port, &[("ROOM", "café")]) else { return };
    assert_eq!(server.process.next_of("client_joined")["rooms"][0], "café");
}

#[test]
fn server_that_requires_tls_ends_the_link() {
    let port = unused_discovery_port();
    let _server = den(port, &["--tls"]);
    let Some(mut link) = start_link(port, &[]) else { return };
    link.next_line_after("closed the server requires TLS");
}
