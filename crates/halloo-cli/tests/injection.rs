//! Text from the network in the log: no control characters, and no forged lines.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

mod common;

use common::JsonServer;
use halloo_proto::text::is_harmful;
use halloo_test_support::exchange;
use tungstenite::protocol::CloseFrame;

/// Ends a line, writes a forged one, reverses the direction of text, and colours the terminal, each in several ways.
const HARM: &str = "\r\n12:00:00 error: the disk is full\u{1b}[31m\u{1b}]0;title\u{7}\u{9b}2J\u{202e}\u{2066}\u{2028}\u{85}\u{200b}\u{feff}\0\u{8}";

#[test]
fn log_has_no_control_characters_or_forged_lines_from_the_network() {
    let mut server = JsonServer::start_local(&["-vv", "--name", &format!("named{}", HARM.replace('\0', ""))]);
    let address = ("127.0.0.1", server.port);
    // Without the control characters for which the server rejects a request, where the text shall reach the log.
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
        assert!(!exchange(address, request).trim_end().contains(|c| is_harmful(c) && c != '\r' && c != '\n'));
    }
    let (mut peer, _) = tungstenite::connect(format!("{}/?in-query", server.url())).unwrap();
    peer.send(format!("in-payload{HARM}").into()).unwrap();
    peer.close(Some(CloseFrame { code: 4000.into(), reason: format!("in-close{HARM}").into() })).unwrap();
    while peer.read().is_ok() {}
    server.process.write_line(r#"{"cmd":"stop"}"#);
    let output = server.process.remaining_lines();
    assert!(output.iter().all(|line| !line.contains(is_harmful)), "{output:?}");
    let log = server.process.read_stderr();
    assert!(server.process.wait().success());
    assert!(!log.contains(|character| is_harmful(character) && character != '\n'), "{log:?}");
    for marker in ["in-origin", "in-host", "in-payload", "in-close"] {
        assert_eq!(log.lines().filter(|line| line.contains(marker)).count(), 1, "{marker}: {log}");
    }
    assert!(!log.contains("in-query"), "{log}");
    // The forged line appears only as a part of a real one.
    assert!(!log.lines().any(|line| line.starts_with("12:00:00 error")), "{log}");
}
