//! What a person or a program may give the command line by mistake: each gets an answer, and the server goes on.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the answer")]

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

fn halloo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_halloo"));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Ten ports in a row, all of them taken.
fn taken_range() -> (u16, Vec<TcpListener>) {
    // Below those that the system hands out, of which a busy machine has no ten in a row left.
    let bind = |port| TcpListener::bind(("127.0.0.1", port));
    let own = u16::try_from(std::process::id() % 1000).unwrap();
    let mut starts = (0..1000).map(|step| 10_000 + (own + step) % 1000 * 20);
    let taken = starts.find_map(|first| {
        let range: Result<Vec<_>, _> = (first..first + 10).map(bind).collect();
        range.ok().map(|listeners| (first, listeners))
    });
    taken.expect("ten free ports in a row")
}

#[test]
fn a_taken_range_is_named_with_the_way_out() {
    let (first, _listeners) = taken_range();
    let output = halloo(&["--bind", "127.0.0.1", "--no-discovery", "--port", &first.to_string()]).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let error = String::from_utf8(output.stderr).unwrap();
    for part in ["127.0.0.1", &format!("{first}-{}", first + 9), "stop the program", "`--port`", "`--port 0`"] {
        assert!(error.contains(part), "{part} is not in: {error}");
    }
    assert!(output.stdout.is_empty());
}

/// Whatever happens, the program does not outlive its test.
struct Stopped(Child);

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_log_that_nobody_reads_stops_nothing() {
    let command = ["serve", "--json", "--bind", "127.0.0.1", "--port", "0", "--no-discovery"];
    let mut server = Stopped(halloo(&command).spawn().unwrap());
    drop(server.0.stderr.take());
    let mut input = server.0.stdin.take().unwrap();
    let lines = BufReader::new(server.0.stdout.take().unwrap()).lines();
    let mut events = lines.map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    let port = events.next().unwrap()["port"].as_u64().unwrap();
    for client in 1..=3 {
        drop(tungstenite::connect(format!("ws://127.0.0.1:{port}")).unwrap());
        assert_eq!(events.next().unwrap()["event"], "client_joined", "client {client}");
        assert_eq!(events.next().unwrap()["event"], "client_left", "client {client}");
    }
    writeln!(input, r#"{{"cmd":"stop"}}"#).unwrap();
    assert_eq!(events.next().unwrap()["event"], "stopped");
    assert!(server.0.wait().unwrap().success());
}

#[test]
fn each_malformed_command_is_an_error_event() {
    let malformed = [
        ("{", "not a command"),
        ("nonsense", "not a command"),
        ("[]", "not a command"),
        ("null", "not a command"),
        ("7", "not a command"),
        ("{}", "cmd"),
        (r#"{"cmd":7}"#, "not a command"),
        (r#"{"cmd":"dance"}"#, "unknown variant `dance`"),
        (r#"{"cmd":"status"} and more"#, "trailing"),
        (r#"{"cmd":"send_to_all"}"#, "either `text` or `binary`"),
        (r#"{"cmd":"send_to_all","text":"x","binary":"AA=="}"#, "either `text` or `binary`"),
        (r#"{"cmd":"send_to_all","text":7}"#, "not a command"),
        (r#"{"cmd":"send_to_all","text":"x","colour":"red"}"#, "colour"),
        (r#"{"cmd":"send_to_all","text":"\ud800"}"#, "not a command"),
        (r#"{"cmd":"send_to_all","binary":"%"}"#, "not base64"),
        (r#"{"cmd":"send","text":"x"}"#, "client"),
        (r#"{"cmd":"send","client":-1,"text":"x"}"#, "not a command"),
        (r#"{"cmd":"send","client":"1","text":"x"}"#, "not a command"),
        (r#"{"cmd":"send","client":7,"text":"x"}"#, "the client is not connected"),
        (r#"{"cmd":"disconnect"}"#, "client"),
        (r#"{"cmd":"disconnect","client":1,"code":1005}"#, "1005 may not be sent"),
        (r#"{"cmd":"disconnect","client":1,"code":70000}"#, "not a command"),
    ];
    let command = ["serve", "--json", "--bind", "127.0.0.1", "--port", "0", "--no-discovery"];
    let mut server = Stopped(halloo(&command).spawn().unwrap());
    let mut input = server.0.stdin.take().unwrap();
    let lines = BufReader::new(server.0.stdout.take().unwrap()).lines();
    let mut events = lines.map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    assert_eq!(events.next().unwrap()["event"], "ready");
    for (line, part) in malformed {
        writeln!(input, "{line}").unwrap();
        let event = events.next().unwrap();
        assert_eq!(event["event"], "error", "{line}: {event}");
        let message = event["message"].as_str().unwrap();
        assert!(message.contains(part), "{line}: {part} is not in: {message}");
    }
    input.write_all(b"\xff\xfe\n\n").unwrap();
    assert!(events.next().unwrap()["message"].as_str().unwrap().contains("not UTF-8"));
    writeln!(input, r#"{{"cmd":"status"}}"#).unwrap();
    let status = events.next().unwrap();
    assert_eq!((&status["event"], &status["server_running"]), (&json!("status"), &json!(true)));
    writeln!(input, r#"{{"cmd":"stop"}}"#).unwrap();
    assert_eq!(events.next().unwrap()["event"], "stopped");
    assert!(server.0.wait().unwrap().success());
}
