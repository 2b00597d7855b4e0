//! `halloo serve` in JSON mode, driven through pipes.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

mod common;

use std::io::Write;
#[cfg(unix)]
use std::io::{BufRead, BufReader};
#[cfg(unix)]
use std::process::Stdio;

use common::{JsonServer, halloo, run, stderr, stdout};
#[cfg(unix)]
use common::{KilledOnDrop, LOCAL_SERVER, send_signal};
#[cfg(unix)]
use halloo_test_support::unused_udp_port;
use halloo_test_support::{UPGRADE_REQUEST, connect_tcp, read_head};
#[cfg(unix)]
use serde_json::Value;
use serde_json::json;
use tungstenite::Message;

#[test]
fn events_are_written_and_commands_are_executed() {
    let mut server = JsonServer::start_local(&[]);
    let (mut peer, _) = tungstenite::connect(server.url()).unwrap();
    let joined = server.process.next_of("client_joined");
    assert_eq!((&joined["client"], &joined["clients"]), (&json!(1), &json!(1)));
    peer.send("hi\n\"there\"".into()).unwrap();
    assert_eq!(server.process.next_of("message"), json!({"event": "message", "client": 1, "text": "hi\n\"there\""}));
    peer.send(Message::binary(vec![0, 255])).unwrap();
    assert_eq!(server.process.next_of("message")["binary"], "AP8=");

    server.process.write_line("this is not JSON");
    assert!(server.process.next_of("error")["message"].as_str().unwrap().contains("not a command"));
    server.process.write_line(r#"{"cmd":"send","client":7,"text":"x"}"#);
    assert!(server.process.next_of("error")["message"].as_str().unwrap().contains("the client is not connected"));
    server.process.write_line(r#"{"cmd":"send_to_all","text":"x","binary":"AA=="}"#);
    assert!(server.process.next_of("error")["message"].as_str().unwrap().contains("either"));
    server.process.write_line(r#"{"cmd":"send","client":1,"text":"one"}"#);
    server.process.write_line(r#"{"cmd":"send_to_all","binary":"AP8="}"#);
    assert_eq!(peer.read().unwrap(), Message::text("one"));
    assert_eq!(peer.read().unwrap(), Message::binary(vec![0, 255]));
    server.process.write_line(r#"{"cmd":"status"}"#);
    let status = server.process.next_of("status");
    assert_eq!((&status["connected_clients"], &status["halloo"]["clients"][0]["client"]), (&json!(1), &json!(1)));
    let keys: Vec<&String> = status.as_object().unwrap().keys().take(7).collect();
    assert_eq!(
        keys[1..],
        ["server_running", "server_port", "connected_clients", "discovery_enabled", "discovery_active", "local_ip"]
    );
    server.process.write_line(r#"{"cmd":"disconnect","client":1,"code":4000,"reason":"enough"}"#);
    let left = server.process.next_of("client_left");
    assert_eq!(left, json!({"event": "client_left", "client": 1, "code": 4000, "reason": "enough", "clients": 0}));
    drop(peer);
    server.process.stop();
}

#[test]
fn random_token_is_shown_in_ready_and_never_logged() {
    let mut server = JsonServer::start_local(&["--token", "-vv"]);
    let (token, address) = (server.ready["token"].as_str().unwrap().to_owned(), format!("127.0.0.1:{}", server.port));
    assert_eq!(token.len(), 22);
    assert!(server.ready["invitation"].as_str().unwrap().ends_with(&format!("/#token={token}")));
    assert!(tungstenite::connect(format!("ws://{address}/?token=wrong")).is_err());
    let (mut peer, _) = tungstenite::connect(format!("ws://{address}/?token={token}")).unwrap();
    peer.send("hi".into()).unwrap();
    server.process.next_of("message");
    let invitation = format!("http://{address}/#token={token}");
    let output = run(&["connect", "--once", "-vv", &invitation]);
    assert!(output.status.success(), "{output:?}");
    assert!(!stderr(&output).contains(&token), "{output:?}");
    let output = halloo(&["status", &address]).env("HALLOO_TOKEN", &token).output().unwrap();
    assert!(output.status.success() && !stdout(&output).contains(&token), "{output:?}");
    for command in ["status", "connect"] {
        let output = run(&[command, &address]);
        assert!(!output.status.success() && stderr(&output).contains("--token"), "{output:?}");
    }
    server.process.write_line(r#"{"cmd":"stop"}"#);
    server.process.next_of("stopped");
    let log = server.process.read_stderr();
    assert!(log.contains("was refused") && !log.contains(&token), "{log}");
}

#[test]
fn closed_stderr_does_not_stop_the_server() {
    let mut server = JsonServer::start_local(&[]);
    server.process.close_stderr();
    for client in 1..=3 {
        drop(tungstenite::connect(server.url()).unwrap());
        assert_eq!(server.process.next_event()["event"], "client_joined", "client {client}");
        assert_eq!(server.process.next_event()["event"], "client_left", "client {client}");
    }
    server.process.write_line(r#"{"cmd":"stop"}"#);
    assert_eq!(server.process.next_event()["event"], "stopped");
    assert!(server.process.wait().success());
}

#[cfg(unix)]
#[test]
fn end_of_input_does_not_stop_the_server_and_a_stop_emits_no_discovery_event() {
    let mut server = JsonServer::start_announced(unused_udp_port(), &[]);
    let (mut peer, _) = tungstenite::connect(server.url()).unwrap();
    for active in [true, false] {
        assert_eq!(server.process.next_of("discovery")["active"], active);
    }
    server.process.write_line(r#"{"cmd":"send_to_all","text":"the last line"}"#);
    server.process.close_stdin();
    assert_eq!(peer.read().unwrap(), Message::text("the last line"));
    peer.send("still here".into()).unwrap();
    assert_eq!(server.process.next_of("message")["text"], "still here");
    send_signal("-TERM", server.process.id());
    assert!(peer.read().unwrap().is_close());
    drop(peer);
    let rest = server.process.remaining_events();
    assert_eq!(rest.last().unwrap()["event"], "stopped");
    assert!(rest.iter().all(|event| event["event"] != "discovery"), "{rest:?}");
}

#[cfg(unix)]
#[test]
fn signal_stops_the_server_cleanly() {
    let mut server = JsonServer::start_local(&[]);
    let (mut peer, _) = tungstenite::connect(server.url()).unwrap();
    server.process.next_of("client_joined");
    send_signal("-TERM", server.process.id());
    let Message::Close(Some(close)) = peer.read().unwrap() else { panic!() };
    assert_eq!(u16::from(close.code), 1001);
    drop(peer);
    server.process.next_of("stopped");
    assert!(server.process.wait().success());
}

#[cfg(unix)]
#[test]
fn signal_closes_clients_even_if_standard_output_is_not_read() {
    let mut command = halloo(&LOCAL_SERVER);
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut server = KilledOnDrop(child);
    let mut output = BufReader::new(server.0.stdout.take().unwrap());
    let mut ready = String::new();
    output.read_line(&mut ready).unwrap();
    let ready: Value = serde_json::from_str(&ready).unwrap();
    let (mut peer, _) = tungstenite::connect(format!("ws://127.0.0.1:{}", ready["port"])).unwrap();
    // Far more than a pipe holds.
    for _ in 0..1000 {
        peer.send("x".repeat(1000).into()).unwrap();
    }
    // The pong shows that the server has read all messages before the ping.
    peer.send(Message::Ping("read".into())).unwrap();
    assert!(peer.read().unwrap().is_pong());
    send_signal("-TERM", server.0.id());
    let Message::Close(Some(close)) = peer.read().unwrap() else { panic!() };
    assert_eq!(u16::from(close.code), 1001);
}

#[test]
fn compression_is_negotiated_only_if_enabled() {
    for (arguments, expected) in [(&["--compress"][..], true), (&[], false)] {
        let server = JsonServer::start_local(arguments);
        let mut stream = connect_tcp(("127.0.0.1", server.port));
        let headers = UPGRADE_REQUEST.strip_suffix("\r\n").unwrap();
        write!(stream, "{headers}Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n").unwrap();
        let head = read_head(&mut stream);
        assert!(head.lines().next().unwrap().contains(" 101 "));
        assert_eq!(head.contains("permessage-deflate"), expected, "{head}");
    }
}

#[test]
fn completions_and_the_manual_page_are_printed() {
    assert!(stdout(&run(&["completions", "bash"])).contains("--allowed-origins"));
    assert!(stdout(&run(&["man"])).contains(".TH halloo 1"));
    assert!(stdout(&run(&["man", "serve"])).contains(".TH halloo-serve 1"));
    assert_eq!(run(&["man", "dance"]).status.code(), Some(2));
}
