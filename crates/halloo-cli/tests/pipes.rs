//! The command line driven through its pipes, and met by Python programs that know only the contract.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the answer")]

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Output, Stdio};

use serde_json::{Value, json};

/// A running `halloo serve --json` on loopback.
struct Halloo {
    child: Child,
    input: ChildStdin,
    output: Box<dyn Iterator<Item = Value>>,
    port: u64,
}

impl Halloo {
    fn start(arguments: &[&str]) -> Halloo {
        let any_port = if arguments.contains(&"--port") { &[][..] } else { &["--port", "0"] };
        let mut child = halloo(&["serve", "--json", "--bind", "127.0.0.1"])
            .args(any_port)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut output = Box::new(lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()));
        let ready: Value = output.next().unwrap();
        assert_eq!(ready["event"], "ready");
        Halloo { child, input, output, port: ready["port"].as_u64().unwrap() }
    }

    fn say(&mut self, line: &str) {
        writeln!(self.input, "{line}").unwrap();
    }

    /// The next event of this kind; others before it are passed over.
    fn next(&mut self, kind: &str) -> Value {
        self.output.find(|event| event["event"] == kind).unwrap_or_else(|| panic!("no event {kind}"))
    }
}

impl Drop for Halloo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn halloo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_halloo"));
    command.args(arguments).stderr(Stdio::piped());
    command
}

fn run(arguments: &[&str]) -> Output {
    halloo(arguments).stdin(Stdio::null()).output().unwrap()
}

/// The interpreter that `cargo xtask python` prepared.
fn python(script: &str) -> Option<Command> {
    let Some(interpreter) = std::env::var_os("HALLOO_TEST_PYTHON") else {
        eprintln!("SKIPPED: HALLOO_TEST_PYTHON is not set; `cargo xtask test` sets it");
        return None;
    };
    let mut command = Command::new(interpreter);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/python").join(script));
    Some(command)
}

#[test]
fn events_come_out_and_commands_go_in() {
    let mut halloo = Halloo::start(&["--no-discovery"]);
    let (mut peer, _) = tungstenite::connect(format!("ws://127.0.0.1:{}", halloo.port)).unwrap();
    let joined = halloo.next("client_joined");
    assert_eq!((&joined["client"], &joined["clients"]), (&json!(1), &json!(1)));
    peer.send("hi\n\"there\"".into()).unwrap();
    assert_eq!(halloo.next("message"), json!({"event": "message", "client": 1, "text": "hi\n\"there\""}));
    peer.send(tungstenite::Message::binary(vec![0, 255])).unwrap();
    assert_eq!(halloo.next("message")["binary"], "AP8=");

    halloo.say("this is not JSON");
    assert!(halloo.next("error")["message"].as_str().unwrap().contains("not a command"));
    halloo.say(r#"{"cmd":"send","client":7,"text":"x"}"#);
    assert!(halloo.next("error")["message"].as_str().unwrap().contains("no such client"));
    halloo.say(r#"{"cmd":"send_to_all","text":"x","binary":"AA=="}"#);
    assert!(halloo.next("error")["message"].as_str().unwrap().contains("either"));
    halloo.say(r#"{"cmd":"send","client":1,"text":"one"}"#);
    halloo.say(r#"{"cmd":"send_to_all","binary":"AP8="}"#);
    assert_eq!(peer.read().unwrap(), tungstenite::Message::text("one"));
    assert_eq!(peer.read().unwrap(), tungstenite::Message::binary(vec![0, 255]));
    halloo.say(r#"{"cmd":"status"}"#);
    let status = halloo.next("status");
    assert_eq!((&status["connected_clients"], &status["halloo"]["clients"][0]["client"]), (&json!(1), &json!(1)));
    let keys: Vec<&String> = status.as_object().unwrap().keys().take(7).collect();
    assert_eq!(
        keys[1..],
        ["server_running", "server_port", "connected_clients", "discovery_enabled", "discovery_active", "local_ip"]
    );
    halloo.say(r#"{"cmd":"kick","client":1,"code":4000,"reason":"enough"}"#);
    let left = halloo.next("client_left");
    assert_eq!(left, json!({"event": "client_left", "client": 1, "code": 4000, "reason": "enough", "clients": 0}));
    drop(peer);
    halloo.say(r#"{"cmd":"stop"}"#);
    halloo.next("stopped");
    assert!(halloo.child.wait().unwrap().success());
}

#[test]
fn a_taken_port_ends_with_3_and_says_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = run(&["--bind", "127.0.0.1", "--strict-port", "--no-discovery", "--port", &port]);
    assert_eq!(output.status.code(), Some(3));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains(&port) && error.contains("--port"), "{error}");
}

#[test]
fn wrong_usage_ends_with_2() {
    for arguments in [&["--port", "65536"][..], &["--port", "http"], &["--heartbeat", "soon"], &["serve", "--nonsense"]]
    {
        assert_eq!(run(arguments).status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn completions_and_the_manual_are_printed() {
    assert!(String::from_utf8(run(&["completions", "bash"]).stdout).unwrap().contains("--allow-origin"));
    assert!(String::from_utf8(run(&["man"]).stdout).unwrap().contains(".TH halloo"));
}

#[cfg(unix)]
#[test]
fn a_signal_is_a_clean_stop() {
    let mut halloo = Halloo::start(&["--no-discovery"]);
    let (mut peer, _) = tungstenite::connect(format!("ws://127.0.0.1:{}", halloo.port)).unwrap();
    halloo.next("client_joined");
    assert!(Command::new("kill").arg(halloo.child.id().to_string()).status().unwrap().success());
    let tungstenite::Message::Close(Some(close)) = peer.read().unwrap() else { panic!() };
    assert_eq!(u16::from(close.code), 1001);
    drop(peer);
    halloo.next("stopped");
    assert!(halloo.child.wait().unwrap().success());
}

#[test]
fn python_hears_the_beacon() {
    let Some(mut listener) = python("listener.py") else { return };
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let halloo = Halloo::start(&["--discovery-port", &port]);
    let output = listener.args([&port, "20", "--server-port", &halloo.port.to_string()]).output().unwrap();
    let heard = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(heard.contains("127.0.0.1"), "{heard}");
}

#[test]
fn python_talks_to_an_echo() {
    let Some(mut peer) = python("peer.py") else { return };
    let mut halloo = Halloo::start(&["--no-discovery"]);
    let mut peer = peer.arg(format!("ws://127.0.0.1:{}", halloo.port)).stdout(Stdio::piped()).spawn().unwrap();
    loop {
        let mut event = halloo.output.next().unwrap();
        match event["event"].as_str() {
            Some("message") => {
                let object = event.as_object_mut().unwrap();
                object.remove("event");
                object.insert("cmd".into(), "send".into());
                halloo.say(&event.to_string());
            }
            Some("client_left") => {
                assert_eq!(event["code"], 1000);
                break;
            }
            _ => {}
        }
    }
    assert!(peer.wait().unwrap().success());
}

#[test]
fn discover_and_status_find_a_server() {
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let here = ["--local", "--discovery-port", &port];
    let nobody = run(&[&["discover", "--timeout", "50ms"], &here[..]].concat());
    assert_eq!((nobody.status.code(), nobody.stdout.len()), (Some(4), 0));
    let halloo = Halloo::start(&["--discovery-port", &port, "--name", "den"]);
    let found = run(&[&["discover", "--first", "--json", "--timeout", "20s"], &here[..]].concat());
    let server: Value = serde_json::from_slice(&found.stdout).unwrap();
    let address = format!("127.0.0.1:{}", halloo.port);
    let url = format!("ws://{address}");
    assert_eq!(
        (&server["event"], &server["name"], &server["url"], &server["addresses"], &server["via"]),
        (&json!("found"), &json!("den"), &json!(url), &json!([address]), &json!("udp"))
    );
    let text = run(&[&["discover", "--first", "--timeout", "20s"], &here[..]].concat());
    let text = String::from_utf8(text.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines.len() == 2 && lines[0].starts_with("NAME ") && lines[1].starts_with("den "), "{text}");
    assert_eq!(lines[0].find("ADDRESS"), lines[1].find("ws://"), "{text}");

    let id = server["id"].as_str().unwrap();
    for which in [vec![], vec!["DEN"], vec![id], vec![&*url], vec![&*address]] {
        let status = run(&[&["status", "--timeout", "20s"], &which[..], &here[..]].concat());
        let status: Value = serde_json::from_slice(&status.stdout).unwrap();
        assert_eq!(status["server_port"], halloo.port, "{which:?}");
    }
    let none = run(&[&["status", "--timeout", "50ms", "nobody"], &here[..]].concat());
    assert_eq!(none.status.code(), Some(4));
    assert!(String::from_utf8(none.stderr).unwrap().contains("nobody"));

    let namesake = Halloo::start(&["--discovery-port", &port, "--name", "Den"]);
    let several = run(&[&["status", "--timeout", "20s", "den"], &here[..]].concat());
    assert_eq!(several.status.code(), Some(1));
    let error = String::from_utf8(several.stderr).unwrap();
    for port in [halloo.port, namesake.port] {
        assert!(error.contains(&format!("ws://127.0.0.1:{port}")), "{error}");
    }
}

#[test]
fn watching_tells_of_a_server_that_is_killed_and_of_its_restart() {
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let mut watch = halloo(&["discover", "--watch", "--json", "--local", "--discovery-port", &port])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let mut events = lines
        .map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap())
        .filter(|event| event["event"] != "updated")
        .map(|event| (event["event"].as_str().unwrap().to_owned(), event["name"].as_str().unwrap().to_owned()));
    let mut told = |kind: &str, name: &str| assert_eq!(events.next().unwrap(), (kind.to_owned(), name.to_owned()));

    let mut one = Halloo::start(&["--discovery-port", &port, "--name", "one"]);
    told("found", "one");
    // Nobody says goodbye, and nobody else is there: it is asked before it is lost.
    one.child.kill().unwrap();
    told("lost", "one");

    let mut two = Halloo::start(&["--discovery-port", &port, "--name", "two"]);
    told("found", "two");
    two.child.kill().unwrap();
    two.child.wait().unwrap();
    let its_port = two.port.to_string();
    let mut three = Halloo::start(&["--discovery-port", &port, "--name", "three", "--port", &its_port]);
    told("lost", "two");
    told("found", "three");

    three.say(r#"{"cmd":"stop"}"#);
    told("lost", "three");
    #[cfg(unix)]
    {
        assert!(Command::new("kill").args(["-INT", &watch.id().to_string()]).status().unwrap().success());
        assert_eq!(watch.wait().unwrap().code(), Some(0));
    }
    let _ = watch.kill();
}
