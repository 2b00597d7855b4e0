//! What the network says, told in a log: one line for each thing, and none that the network wrote.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the answer")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use halloo_proto::text::is_harmful;

/// Ends a line, writes a false one, turns the rest around, and colours the terminal; by each of the ways to do so.
const HARM: &str = "\r\n12:00:00 error: the disk is full\u{1b}[31m\u{1b}]0;title\u{7}\u{9b}2J\u{202e}\u{2066}\u{2028}\u{85}\u{200b}\u{feff}\0\u{8}";

/// The answer to bytes that need not be a request.
fn send(port: u64, bytes: impl AsRef<[u8]>) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", u16::try_from(port).unwrap())).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(bytes.as_ref()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn nobody_else_writes_the_log() {
    let mut server = Command::new(env!("CARGO_BIN_EXE_halloo"))
        .args(["serve", "--json", "-vv", "--bind", "127.0.0.1", "--port", "0", "--no-discovery"])
        .args(["--name", &format!("named{}", HARM.replace('\0', ""))])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut events = BufReader::new(server.stdout.take().unwrap()).lines().map(Result::unwrap);
    let ready: serde_json::Value = serde_json::from_str(&events.next().unwrap()).unwrap();
    let port = ready["port"].as_u64().unwrap();
    // What HTTP cannot have in a line is left out where the rest shall arrive.
    let inline: String = HARM.chars().filter(|&c| !c.is_ascii_control()).collect();
    for request in [
        format!("GET /path{HARM} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        format!("GET /path{inline} HTTP/1.1\r\nHost: localhost\r\nOrigin: http://in-path\r\n\r\n"),
        format!("GET /{inline}?query HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: http://in-origin{inline}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: in-host{inline}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: http://broken{HARM}\r\n\r\n"),
        format!("METHOD{HARM} / HTTP/1.1\r\n\r\n"),
    ] {
        assert!(!send(port, request).trim_end().contains(|c| is_harmful(c) && c != '\r' && c != '\n'));
    }
    let (mut peer, _) = tungstenite::connect(format!("ws://127.0.0.1:{port}/?in-query")).unwrap();
    peer.send(format!("in-payload{HARM}").into()).unwrap();
    let close = tungstenite::protocol::CloseFrame { code: 4000.into(), reason: format!("in-close{HARM}").into() };
    peer.close(Some(close)).unwrap();
    while peer.read().is_ok() {}
    writeln!(server.stdin.as_mut().unwrap(), r#"{{"cmd":"stop"}}"#).unwrap();
    let output: Vec<String> = events.collect();
    assert!(output.iter().all(|line| !line.contains(is_harmful)), "{output:?}");
    let mut log = String::new();
    server.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(server.wait().unwrap().success());
    assert!(!log.contains(|character| is_harmful(character) && character != '\n'), "{log:?}");
    for marker in ["in-origin", "in-host", "in-payload", "in-close"] {
        assert_eq!(log.lines().filter(|line| line.contains(marker)).count(), 1, "{marker}: {log}");
    }
    assert!(!log.contains("in-query"), "{log}");
    // The false line is there only as a part of a true one.
    assert!(!log.lines().any(|line| line.starts_with("12:00:00 error")), "{log}");
}
