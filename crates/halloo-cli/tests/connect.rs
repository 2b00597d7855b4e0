//! `halloo connect` driven through its pipes.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

mod common;

use std::io::{Read, Write};
use std::net::Shutdown;
use std::process::{Command, Output, Stdio};

use common::{JsonProcess, KilledOnDrop, halloo, stderr, stdout};
use halloo::{Config, Event, Message, Server};
use halloo_test_support::{
    ChildProcess, ExpectEvent, MockServer, announced_config, echo_server, unused_tcp_address, unused_udp_port,
    wait_until,
};
use serde_json::json;

fn connect(arguments: &[&str]) -> Command {
    let mut command = halloo(&["connect"]);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs until the program exits, with this input.
fn run(arguments: &[&str], input: &str) -> Output {
    let mut child = connect(arguments).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn lines_are_sent_and_replies_are_printed_until_the_end_of_input() {
    let server = echo_server(Config::local());
    let output = run(&[&server.url()], "hello\nwörld\n");
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stdout(&output), "hello\nwörld\n");
    assert!(stderr(&output).contains(&format!("connected to {}", server.url())), "{}", stderr(&output));
}

#[test]
fn hundred_thousand_lines_arrive_in_order() {
    let server = Server::start(Config::local()).unwrap();
    let mut client = KilledOnDrop(connect(&[&server.url()]).spawn().unwrap());
    let mut input = client.0.stdin.take().unwrap();
    let writer = std::thread::spawn(move || {
        for number in 0..100_000 {
            writeln!(input, "{number}").unwrap();
        }
    });
    assert!(matches!(server.expect_event(), Event::ClientJoined { .. }));
    for number in 0..100_000 {
        let Event::MessageReceived { message, .. } = server.expect_event() else { panic!("at {number}") };
        assert_eq!(message.text(), Some(number.to_string().as_str()));
    }
    let Event::ClientLeft { code, .. } = server.expect_event() else { panic!() };
    assert_eq!(code.number(), 1000);
    writer.join().unwrap();
    assert!(client.0.wait().unwrap().success());
}

#[test]
fn json_mode_executes_commands_and_reports_events_across_a_restart() {
    let mut server = Server::start(Config::local()).unwrap();
    let url = server.url();
    let mut client = JsonProcess::start(connect(&["--json", &url]).stderr(Stdio::inherit()));
    assert_eq!(client.next_of("connected"), json!({"event": "connected", "url": url, "name": null}));
    server.send_to_all("hi\n\"you\"").unwrap();
    server.send_to_all(vec![0, 255]).unwrap();
    assert_eq!(client.next_of("message"), json!({"event": "message", "text": "hi\n\"you\""}));
    assert_eq!(client.next_of("message"), json!({"event": "message", "binary": "AP8="}));
    for (invalid, reason) in [
        ("hello", "not a command"),
        (r#"{"cmd":"send"}"#, "either"),
        (r#"{"cmd":"close","code":1006}"#, "1006"),
        (r#"{"cmd":"leave"}"#, "leave"),
        (r#"{"cmd":"close","x":1}"#, "unknown field `x`"),
        (r#"{"cmd":"send","text":"x","client":1}"#, "unknown field `client`"),
        (r#"{"cmd":"send","tex":"x"}"#, "did you mean `text`?"),
    ] {
        client.write_line(invalid);
        let error = client.next_of("error");
        assert!(error["message"].as_str().unwrap().contains(reason), "{error}");
    }
    client.write_line(r#"{"cmd":"send","binary":"AP8="}"#);
    client.write_line(r#"{"cmd":"send","text":"x"}"#);
    assert!(matches!(server.expect_event(), Event::ClientJoined { .. }));
    let messages: Vec<_> = (0..2).map(|_| server.expect_event()).collect();
    assert!(matches!(
        &messages[..],
        [
            Event::MessageReceived { message: Message::Binary(_), .. },
            Event::MessageReceived { message: Message::Text(_), .. }
        ]
    ));

    let mut config = Config::local();
    (config.port, config.strict_port) = (server.port(), true);
    // A process that another test starts at this moment may hold the old socket until it runs its own program.
    wait_until(|| server.restart(config.clone()).is_ok());
    assert_eq!(client.next_of("disconnected")["code"], 1001);
    assert!(client.next_of("reconnecting")["seconds"].as_f64().unwrap() <= 0.1);
    client.next_of("connected");
    client.write_line(r#"{"cmd":"close","code":4000,"reason":"enough"}"#);
    let disconnected = client.next_of("disconnected");
    assert_eq!(disconnected, json!({"event": "disconnected", "code": 4000, "reason": "enough"}));
    assert!(client.wait().success());
}

#[test]
fn server_is_found_by_name_or_as_the_first_one() {
    let discovery_port = unused_udp_port();
    let port = discovery_port.to_string();
    let search = ["--local", "--discovery-port", &port];
    let with = |more: &[&'static str]| [&search[..], more].concat();
    let none = run(&with(&["--timeout", "50ms"]), "");
    assert_eq!(none.status.code(), Some(4));
    assert!(stderr(&none).contains(&port), "{}", stderr(&none));
    let _den = echo_server(announced_config("den", discovery_port));
    for arguments in [with(&[]), with(&["DEN"])] {
        let found = run(&[&arguments[..], &["--timeout", "20s"]].concat(), "hello\n");
        assert_eq!(stdout(&found), "hello\n");
        assert!(found.status.success() && stderr(&found).contains("connected to `den`"), "{}", stderr(&found));
    }
    let missing = run(&with(&["attic", "--timeout", "400ms"]), "");
    assert_eq!(missing.status.code(), Some(4));
    assert!(stderr(&missing).contains("no server is called \"attic\""), "{}", stderr(&missing));
    let _attic = echo_server(announced_config("attic", discovery_port));
    let first = run(&with(&["--timeout", "20s"]), "hello\n");
    assert!(first.status.success() && first.stdout == b"hello\n", "{}", stderr(&first));
}

#[test]
fn namesakes_are_refused_and_an_id_means_one_of_them() {
    let discovery_port = unused_udp_port();
    let port = discovery_port.to_string();
    let with = |target: &str| ["--local", "--discovery-port", &port, "--timeout", "20s", target].map(str::to_owned);
    let run = |target: &str| run(&with(target).each_ref().map(String::as_str), "hello\n");
    let servers = ["Den", "den"].map(|name| echo_server(announced_config(name, discovery_port)));
    let ambiguous = run("den");
    assert_eq!((ambiguous.status.code(), ambiguous.stdout.len()), (Some(1), 0));
    let text = stderr(&ambiguous);
    assert!(text.contains("2 servers have this name; use an id"), "{text}");
    for server in &servers {
        assert!(text.contains(&server.url()) && text.contains(server.id()), "{text}");
        let chosen = run(server.id());
        assert!(stderr(&chosen).contains(&format!("at {}", server.url())), "{}", stderr(&chosen));
        assert_eq!(stdout(&chosen), "hello\n");
    }
    // The other server has the same name, but not the id.
    let [stopped, _namesake] = servers;
    let arguments = ["--json", "--local", "--discovery-port", &port, "--timeout", "500ms", stopped.id()];
    let mut client = JsonProcess::start(&mut connect(&arguments));
    assert_eq!(client.next_of("connected")["url"], stopped.url());
    stopped.stop();
    client.next_of("disconnected");
    let event = client.next_matching(|event| {
        event["event"] == "connected"
            || event["reason"].as_str().is_some_and(|reason| reason.contains("no server named"))
    });
    assert_ne!(event["event"], "connected", "{event}");
    client.kill();
}

#[test]
fn refusal_exits_with_1_and_the_reason_of_the_server() {
    let server = MockServer::raw(|mut stream| {
        let response = "HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\n\r\nnot \u{1b}you\n";
        stream.write_all(response.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let refused = run(&[&server.url], "");
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("refused (403): not \\u{1b}you"), "{}", stderr(&refused));
    server.join();
}

#[test]
fn once_exits_with_1_if_the_server_is_unreachable() {
    let unreachable = run(&["--once", &unused_tcp_address().to_string()], "hello\n");
    assert_eq!(unreachable.status.code(), Some(1));
    assert!(stderr(&unreachable).contains("cannot reach"), "{}", stderr(&unreachable));
}

#[test]
fn unsupported_scheme_exits_with_1() {
    let invalid = run(&["ftp://den.local"], "");
    assert_eq!(invalid.status.code(), Some(1));
    assert!(stderr(&invalid).contains("ftp"), "{}", stderr(&invalid));
}

#[test]
fn stay_keeps_receiving_after_the_end_of_input() {
    let server = Server::start(Config::local()).unwrap();
    let mut client = ChildProcess::start(&mut connect(&["--stay", &server.url()]));
    client.close_stdin();
    assert!(matches!(server.expect_event(), Event::ClientJoined { .. }));
    server.send_to_all("one").unwrap();
    assert_eq!(client.next_line(), "one");
    server.send_to_all(vec![0xc3, 0xbc]).unwrap();
    assert_eq!(client.next_line(), "ü");
}

#[cfg(unix)]
#[test]
fn signal_closes_the_connection_with_1001() {
    let server = Server::start(Config::local()).unwrap();
    let mut client = ChildProcess::start(&mut connect(&[&server.url()]));
    assert!(matches!(server.expect_event(), Event::ClientJoined { .. }));
    common::send_signal("-INT", client.id());
    let Event::ClientLeft { code, .. } = server.expect_event() else { panic!() };
    assert_eq!(code.number(), 1001);
    assert!(client.wait().success());
}

#[cfg(unix)]
#[test]
fn closed_standard_output_ends_with_success() {
    let server = Server::start(Config::local()).unwrap();
    let mut client = KilledOnDrop(connect(&[&server.url()]).spawn().unwrap());
    assert!(matches!(server.expect_event(), Event::ClientJoined { .. }));
    // Kept open, so that the program does not exit because its input ends.
    let _stdin = client.0.stdin.take();
    drop(client.0.stdout.take());
    // Not only once: a process that another test starts at this moment has the other end of the pipe until it executes its
    // program.
    wait_until(|| server.send_to_all("discarded").is_err() || client.0.try_wait().unwrap().is_some());
    assert!(client.0.wait().unwrap().success());
}

#[test]
fn doctor_is_advised_once_while_attempts_fail_and_when_giving_up() {
    let url = format!("ws://{}", unused_tcp_address());
    let mut client = JsonProcess::start(connect(&["--json", "--stay", &url]).stderr(Stdio::piped()));
    for _ in 0..5 {
        client.next_of("reconnecting");
    }
    client.kill();
    let log = client.read_stderr();
    assert_eq!(log.matches("halloo doctor").count(), 1, "{log}");
    for command in [&["connect", "--once", &url][..], &["status", &url]] {
        let output = halloo(command).stdin(Stdio::null()).output().unwrap();
        assert!(output.status.code() == Some(1) && stderr(&output).contains("halloo doctor"), "{output:?}");
    }
}

#[test]
fn reader_of_json_learns_that_no_server_was_found() {
    let port = unused_udp_port().to_string();
    let options = ["--json", "--local", "--timeout", "50ms", "--discovery-port", &port];
    for name in [&[][..], &["den"]] {
        let output = run(&[&options[..], name].concat(), "");
        assert_eq!(output.status.code(), Some(4), "{output:?}");
        let event: serde_json::Value = serde_json::from_str(stdout(&output).trim()).unwrap();
        assert_eq!(event["event"], "error");
        assert!(event["message"].as_str().unwrap().contains("halloo doctor"), "{event}");
    }
}
