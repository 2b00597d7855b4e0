//! Text from the network in the log: no control characters, and no forged lines.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

mod common;

use std::io::Write;
use std::process::{Output, Stdio};

use common::{JsonServer, KilledOnDrop, halloo, run};
use halloo_proto::text::is_harmful;
use halloo_test_support::{MockServer, broadcast, exchange, read_head, unused_discovery_port, wait_until};
use serde_json::json;
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

#[test]
fn log_of_a_flood_of_requests_is_short_and_says_what_is_missing() {
    const REQUESTS: usize = 1500;
    let start = std::time::Instant::now();
    let mut server = JsonServer::start_local(&[]);
    for _ in 0..REQUESTS {
        let refused = exchange(("127.0.0.1", server.port), "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n");
        assert!(refused.starts_with("HTTP/1.1 403"), "{refused}");
    }
    server.process.write_line(r#"{"cmd":"stop"}"#);
    let log = server.process.read_stderr();
    assert!(server.process.wait().success());
    let written = log.lines().filter(|line| line.contains("was refused")).count();
    // At once, and then per second.
    let most = 1000 + 20 * (start.elapsed().as_secs() as usize + 1);
    assert!(written <= most, "{written} lines, at most {most}");
    let left_out = missing_lines(&log, "left out");
    assert!(left_out > 0, "{written} lines in {:?}", start.elapsed());
    let others = log.lines().filter(|line| line.contains("server started") || line.contains("server stopped")).count();
    assert_eq!(
        written + left_out + missing_lines(&log, "dropped") + others,
        REQUESTS + 2,
        "{}",
        log.lines().last().unwrap_or_default()
    );

    let mut server = JsonServer::start_local(&["-v"]);
    for _ in 0..REQUESTS {
        exchange(("127.0.0.1", server.port), "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n");
    }
    server.process.write_line(r#"{"cmd":"stop"}"#);
    let log = server.process.read_stderr();
    assert!(server.process.wait().success());
    let written = log.lines().filter(|line| line.contains("was refused")).count();
    assert_eq!(missing_lines(&log, "left out"), 0, "-v writes all of them");
    // Other lines may be dropped, too.
    assert!(written + missing_lines(&log, "dropped") >= REQUESTS, "{written} lines");
}

/// Returns the number of lines that are missing for a reason, as the log says.
fn missing_lines(log: &str, reason: &str) -> usize {
    let reports = log.lines().filter_map(|line| line.strip_prefix("warning: ")?.split_once(" log lines were "));
    reports.filter(|(_, rest)| rest.starts_with(reason)).map(|(count, _)| count.parse::<usize>().unwrap()).sum()
}

#[track_caller]
fn expect_harmless(command: &[&str], output: &Output) {
    for bytes in [&output.stdout, &output.stderr] {
        let text = std::str::from_utf8(bytes).unwrap();
        assert!(!text.contains(|character| is_harmful(character) && character != '\n'), "{command:?}: {text:?}");
        assert!(!text.lines().any(|line| line.starts_with("12:00:00 error")), "{command:?}: {text}");
    }
}

/// A status with hostile strings, in which the control characters that JSON forbids are escaped.
fn hostile_status() -> String {
    let status = json!({
        "server_running": true, "server_port": 1, "connected_clients": 0, "discovery_enabled": true,
        "discovery_active": true, "local_ip": HARM, "halloo": {"name": HARM, "version": HARM},
    });
    status.to_string()
}

#[test]
fn hostile_server_cannot_write_to_the_terminal() {
    let inline: String = HARM.chars().filter(|&c| !c.is_ascii_control()).collect();
    let responses = [
        format!("HTTP/1.1 200 OK\r\n\r\n{}", hostile_status()),
        format!("HTTP/1.1 200 OK\r\n\r\n{{}}{HARM}"),
        format!("HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\n\r\nrefused{HARM}"),
        format!("HTTP/1.1 401 {inline}\r\nWWW-Authenticate: {inline}\r\n\r\n{HARM}"),
        format!("HTTP/1.1 302 {inline}\r\nLocation: http://a/{inline}\r\n\r\n"),
        format!("HTTP/1.1 503 {inline}\r\n\r\n"),
        format!("HTTP/1.1 101 {inline}\r\nUpgrade: {inline}\r\n{inline}: {inline}\r\n\r\n"),
        HARM.to_owned(),
    ];
    for response in responses {
        for arguments in [&["status"][..], &["connect", "--once"], &["connect", "--once", "--json"]] {
            let response = response.clone();
            let server = MockServer::raw(move |mut stream| {
                read_head(&mut stream);
                stream.write_all(response.as_bytes()).unwrap();
            });
            let command = [arguments, &[&server.url]].concat();
            expect_harmless(&command, &run(&command));
            server.join();
        }
    }
    for arguments in [&["connect", "--once", "--stay"][..], &["connect", "--once", "--stay", "--json"]] {
        let server = MockServer::websocket(|mut peer| {
            peer.close(Some(CloseFrame { code: 4000.into(), reason: format!("in-close{HARM}").into() })).unwrap();
            while peer.read().is_ok() {}
        });
        let command = [arguments, &[&server.url]].concat();
        let output = run(&command);
        expect_harmless(&command, &output);
        assert!(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).contains("in-close"), "{command:?}");
        server.join();
    }
}

#[test]
fn hostile_announcement_cannot_write_to_the_terminal() {
    let port = unused_discovery_port();
    let beacon = json!({
        "service": "websocket_server", "ip": HARM, "port": 1, "timestamp": 1, "v": 2, "id": "abababababababab",
        "name": format!("named{HARM}"), "ttl": 9,
    });
    let search = ["--local", "--discovery-port", &port.to_string()];
    for arguments in
        [&["discover", "--first"][..], &["discover", "--first", "--json"], &["status", "nam", "--timeout", "500ms"]]
    {
        let command = [arguments, &search].concat();
        let child = halloo(&command).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = KilledOnDrop(child.unwrap());
        wait_until(|| {
            broadcast(beacon.to_string().as_bytes(), port);
            child.0.try_wait().unwrap().is_some()
        });
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        std::io::Read::read_to_end(child.0.stdout.as_mut().unwrap(), &mut stdout).unwrap();
        std::io::Read::read_to_end(child.0.stderr.as_mut().unwrap(), &mut stderr).unwrap();
        let output = Output { status: child.0.wait().unwrap(), stdout, stderr };
        expect_harmless(&command, &output);
        let shown = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(shown.contains("named"), "{command:?}: {shown}");
    }
}
