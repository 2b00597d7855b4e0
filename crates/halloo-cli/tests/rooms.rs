//! Rooms and the relay of the program, with clients of this library, in Python and on Node.js.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

mod common;

use std::process::Stdio;

use common::{JsonProcess, JsonServer, LOCAL_SERVER, halloo};
use halloo_test_support::{ChildProcess, node, python, unused_tcp_address};
use serde_json::{Value, json};

fn start(arguments: &[&str]) -> (JsonServer, String) {
    let server = JsonServer::start(&mut halloo(&[&LOCAL_SERVER, arguments].concat()));
    let url = server.ready["urls"][0].as_str().unwrap().to_owned();
    (server, url)
}

fn command(server: &mut JsonServer, command: &Value) {
    server.process.write_line(&command.to_string());
}

fn connect(server: &mut JsonServer, arguments: &[&str]) -> (JsonProcess, Value) {
    let mut client = JsonProcess::start(&mut halloo(&[&["connect", "--json"], arguments].concat()));
    client.next_of("connected");
    (client, server.process.next_of("client_joined"))
}

#[test]
fn application_in_json_uses_rooms() {
    let (mut server, url) = start(&["--subprotocol", "json,xml"]);
    let (mut red, joined) = connect(&mut server, &[&url, "--room", "red", "--subprotocol", "xml"]);
    assert_eq!((&joined["path"], &joined["rooms"]), (&json!("/room/red"), &json!(["red"])));
    assert_eq!((&joined["subprotocol"], &joined["subprotocols"]), (&json!("xml"), &json!(["xml"])));
    let (mut other, joined) = connect(&mut server, &[&(url + "/play?seat=3")]);
    assert_eq!((&joined["path"], joined.get("rooms"), joined.get("origin")), (&json!("/play?seat=3"), None, None));
    command(&mut server, &json!({"cmd": "join", "client": 2, "room": "_staff"}));
    command(&mut server, &json!({"cmd": "send_to_room", "room": "red", "text": "1"}));
    command(&mut server, &json!({"cmd": "send_to_room", "room": "_staff", "binary": "Ag=="}));
    assert_eq!(red.next_of("message")["text"], "1");
    assert_eq!(other.next_of("message")["binary"], "Ag==");
    command(&mut server, &json!({"cmd": "rooms"}));
    let rooms = json!([{"room": "_staff", "clients": 1}, {"room": "red", "clients": 1}]);
    assert_eq!(server.process.next_of("rooms")["rooms"], rooms);
    command(&mut server, &json!({"cmd": "status"}));
    let status = server.process.next_of("status");
    assert_eq!(status["halloo"]["rooms"], rooms);
    assert_eq!(status["halloo"]["clients"][0]["rooms"], json!(["red"]));
    command(&mut server, &json!({"cmd": "leave", "client": 1, "room": "red"}));
    for (wrong, sentence) in [
        (json!({"cmd": "join", "client": 9, "room": "red"}), "not connected"),
        (json!({"cmd": "join", "client": 1, "room": ""}), "is empty"),
        (json!({"cmd": "send_to_room", "room": "x".repeat(65), "text": "x"}), "more than 64 bytes"),
        (json!({"cmd": "send_to_room", "rooom": "red", "text": "x"}), "did you mean `room`?"),
    ] {
        command(&mut server, &wrong);
        let error = server.process.next_of("error");
        assert!(error["message"].as_str().unwrap().contains(sentence), "{error}");
    }
    drop(other);
    assert_eq!(server.process.next_of("client_left")["rooms"], json!(["_staff"]));
    server.process.stop();
}

#[test]
fn invalid_names_are_errors_that_say_what_is_allowed() {
    for (arguments, sentence) in [
        (&["connect", "ws://127.0.0.1:1", "--room", "_staff"][..], "can only be joined by the server"),
        (&["connect", "ws://127.0.0.1:1", "--subprotocol", "a b"], "names of subprotocols, like json"),
        (&["serve", "--subprotocol", "halloo.v1"], "names of subprotocols, like json"),
    ] {
        let output = common::run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(common::stderr(&output).contains(sentence), "{}", common::stderr(&output));
    }
}

#[test]
fn offer_that_is_not_met_is_logged_once_with_the_option_that_meets_it() {
    let mut server = JsonServer::start(halloo(&LOCAL_SERVER).stderr(Stdio::piped()));
    let url = server.ready["urls"][0].as_str().unwrap().to_owned();
    for _ in 0..3 {
        connect(&mut server, &[&url, "--subprotocol", "json"]);
    }
    server.process.stop();
    let log = server.process.read_stderr();
    assert_eq!(log.matches("offers the subprotocol `json`").count(), 1, "{log}");
    assert!(log.contains("use `--subprotocols json`"), "{log}");
    let (mut server, url) = start(&["--subprotocols", "json"]);
    let (_, joined) = connect(&mut server, &[&url, "--subprotocol", "json"]);
    assert_eq!(joined["subprotocol"], "json");
    server.process.stop();
}

/// Without an application: the server is started by one command, and no peer has a line of code for halloo.
#[test]
fn sensor_and_ten_dashboards_meet_in_a_room() {
    let (Some(_), Some(mut sensor)) = (python("dashboard.py"), node("sensor.mjs")) else { return };
    let port = unused_tcp_address().port().to_string();
    let options =
        ["serve", "--relay", "--bind", "127.0.0.1", "--no-discovery", "--subprotocol", "json", "--port", &port];
    let mut server = ChildProcess::start(&mut halloo(&options));
    let url = format!("ws://127.0.0.1:{port}/room/lab");
    // Connected first, because it tries again while the server starts.
    let mut others: Vec<JsonProcess> = (0..5)
        .map(|_| JsonProcess::start(&mut halloo(&["connect", "--json", "--stay", "--subprotocol", "json", &url])))
        .collect();
    others.iter_mut().for_each(|dashboard| assert_eq!(dashboard.next_of("connected")["subprotocol"], "json"));
    let in_python = |url: &str| {
        let mut dashboard = ChildProcess::start(python("dashboard.py").unwrap().arg(url));
        assert_eq!(dashboard.next_line(), "open json");
        dashboard
    };
    let mut dashboards: Vec<ChildProcess> = (0..5).map(|_| in_python(&url)).collect();
    let mut outsider = in_python(&format!("ws://127.0.0.1:{port}/room/hall"));
    let mut sensor = ChildProcess::start(sensor.args([&url, "21.5", "ü 22", "4f4b"]));
    for dashboard in &mut dashboards {
        assert_eq!([dashboard.next_line(), dashboard.next_line(), dashboard.next_line()], ["21.5", "ü 22", "4f4b"]);
    }
    for dashboard in &mut others {
        assert_eq!(dashboard.next_of("message")["text"], "21.5");
        assert_eq!(dashboard.next_of("message")["text"], "ü 22");
        assert_eq!(dashboard.next_of("message")["binary"], "T0s=");
    }
    // What is typed still goes to all, also to the sensor, to which nothing of its own came back.
    server.write_line("stop");
    assert_eq!([sensor.next_line(), outsider.next_line()], ["stop", "stop"]);
    assert_eq!([server.next_line(), server.next_line(), server.next_line()], ["21.5", "ü 22", "OK"]);
}
