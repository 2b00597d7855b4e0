//! The command line driven through its pipes, and met by Python programs that know only the contract.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the answer")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use serde_json::{Value, json};

/// A running `halloo serve --json` on loopback.
struct Halloo {
    child: Child,
    /// `None` once it has ended.
    input: Option<ChildStdin>,
    output: Box<dyn Iterator<Item = Value>>,
    port: u64,
    /// The first event.
    ready: Value,
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
        let input = child.stdin.take();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut output = Box::new(lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()));
        let ready: Value = output.next().unwrap();
        assert_eq!(ready["event"], "ready");
        Halloo { child, input, output, port: ready["port"].as_u64().unwrap(), ready }
    }

    fn say(&mut self, line: &str) {
        writeln!(self.input.as_mut().unwrap(), "{line}").unwrap();
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
    assert!(halloo.next("error")["message"].as_str().unwrap().contains("the client is not connected"));
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
    halloo.say(r#"{"cmd":"disconnect","client":1,"code":4000,"reason":"enough"}"#);
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
fn wrong_usage_ends_with_2_and_says_what_is_wanted() {
    for (arguments, wanted) in [
        (&["--port", "65536"][..], "65535"),
        (&["--port", "http"], "--port"),
        (&["--bind", "127.0.0.1:80"], "without a port"),
        (&["--heartbeat", "soon"], "like 500ms"),
        (&["--heartbeat", "1ms"], "500ms"),
        (&["--discovery-interval", "99ms"], "100ms"),
        (&["--max-message", "much"], "64KiB"),
        (&["--allow-origin", "example.org"], "https://example.org"),
        (&["--allow-host", "example.org:80"], "without a scheme or a port"),
        (&["serve", "--nonsense"], "--help"),
        (&["--token", "short"], "16 to 256 characters"),
        (&["connect", "--token", "a token with spaces"], "A-Z, a-z, 0-9"),
        (&["9000"], "halloo --port 9000"),
        (&["srve"], "'serve'"),
    ] {
        let output = run(arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(error.contains(wanted), "{arguments:?}: {error}");
        let told = arguments.last().filter(|_| arguments.contains(&"--token"));
        assert!(told.is_none_or(|token| !error.contains(token)), "an error repeats a token: {error}");
    }
}

#[test]
fn a_random_token_is_told_once_and_never_logged() {
    let mut server = Halloo::start(&["--token", "-vv"]);
    let (token, address) = (server.ready["token"].as_str().unwrap().to_owned(), format!("127.0.0.1:{}", server.port));
    assert_eq!(token.len(), 22);
    assert!(server.ready["invitation"].as_str().unwrap().ends_with(&format!("/#token={token}")));
    assert!(tungstenite::connect(format!("ws://{address}/?token=wrong")).is_err());
    let (mut peer, _) = tungstenite::connect(format!("ws://{address}/?token={token}")).unwrap();
    peer.send("hi".into()).unwrap();
    server.next("message");
    let link = format!("http://{address}/#token={token}");
    let output = run(&["connect", "--once", "-vv", &link]);
    assert!(output.status.success(), "{output:?}");
    assert!(!String::from_utf8_lossy(&output.stderr).contains(&token), "{output:?}");
    let output = halloo(&["status", &address]).env("HALLOO_TOKEN", &token).output().unwrap();
    assert!(output.status.success() && !String::from_utf8_lossy(&output.stdout).contains(&token), "{output:?}");
    let output = run(&["status", &address]);
    assert!(!output.status.success() && String::from_utf8_lossy(&output.stderr).contains("--token"), "{output:?}");
    server.say(r#"{"cmd":"stop"}"#);
    server.next("stopped");
    let mut log = String::new();
    server.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(log.contains("was refused") && !log.contains(&token), "{log}");
}

#[test]
fn a_random_token_that_nobody_would_see_is_refused() {
    let output = run(&["--bind", "127.0.0.1", "--port", "0", "--token"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("HALLOO_TOKEN"), "{output:?}");
}

#[test]
fn an_address_of_another_machine_is_not_called_busy() {
    let output = run(&["--bind", "198.51.100.7", "--no-discovery"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{error}");
    assert!(error.contains("an address of this machine") && error.matches("os error").count() < 2, "{error}");
}

#[test]
fn a_switch_in_the_environment_can_be_off() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let arguments = ["--bind", "127.0.0.1", "--no-discovery", "--json", "--port", &port];
    for off in ["", "0", "false", "off"] {
        let mut halloo = halloo(&arguments).env("HALLOO_STRICT_PORT", off).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(halloo.stdout.take().unwrap()).read_line(&mut line).unwrap();
        halloo.kill().unwrap();
        halloo.wait().unwrap();
        assert!(line.contains("ready"), "{off:?}: {line}");
    }
    for on in ["1", "true", "yes"] {
        let output = halloo(&arguments).env("HALLOO_STRICT_PORT", on).stdin(Stdio::null()).output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{on}");
    }
}

#[test]
fn a_line_too_long_is_told_and_costs_nothing_else() {
    let mut halloo = Halloo::start(&["--no-discovery"]);
    let piece = [b'x'; 64 * 1024];
    for _ in 0..130 {
        halloo.input.as_mut().unwrap().write_all(&piece).unwrap();
    }
    halloo.say("");
    assert!(halloo.next("error")["message"].as_str().unwrap().contains("more than 8388608 bytes"));
    halloo.say(r#"{"cmd":"status"}"#);
    halloo.next("status");
}

#[cfg(unix)]
#[test]
fn the_end_of_the_input_stops_nothing_and_a_stop_announces_nothing() {
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let mut halloo = Halloo::start(&["--discovery-port", &port]);
    let (mut peer, _) = tungstenite::connect(format!("ws://127.0.0.1:{}", halloo.port)).unwrap();
    for active in [true, false] {
        assert_eq!(halloo.next("discovery")["active"], active);
    }
    halloo.say(r#"{"cmd":"send_to_all","text":"the last line"}"#);
    halloo.input = None;
    assert_eq!(peer.read().unwrap(), tungstenite::Message::text("the last line"));
    peer.send("still here".into()).unwrap();
    assert_eq!(halloo.next("message")["text"], "still here");
    assert!(Command::new("kill").arg(halloo.child.id().to_string()).status().unwrap().success());
    assert!(peer.read().unwrap().is_close());
    drop(peer);
    let rest: Vec<Value> = halloo.output.by_ref().collect();
    assert_eq!(rest.last().unwrap()["event"], "stopped");
    assert!(rest.iter().all(|event| event["event"] != "discovery"), "{rest:?}");
}

#[test]
fn completions_and_the_manual_are_printed() {
    assert!(String::from_utf8(run(&["completions", "bash"]).stdout).unwrap().contains("--allowed-origins"));
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

#[cfg(unix)]
#[test]
fn clients_hear_of_the_end_even_when_nobody_takes_the_output() {
    let halloo = Halloo::start(&["--no-discovery"]);
    let (mut peer, _) = tungstenite::connect(format!("ws://127.0.0.1:{}", halloo.port)).unwrap();
    // Far more than a pipe holds.
    for _ in 0..1000 {
        peer.send("x".repeat(1000).into()).unwrap();
    }
    // Whatever was sent before it has been read by the server when this is answered.
    peer.send(tungstenite::Message::Ping("read".into())).unwrap();
    assert!(peer.read().unwrap().is_pong());
    assert!(Command::new("kill").arg(halloo.child.id().to_string()).status().unwrap().success());
    let tungstenite::Message::Close(Some(close)) = peer.read().unwrap() else { panic!() };
    assert_eq!(u16::from(close.code), 1001);
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

/// A discovery port for one test, with the nine after it, for some probes go to all ten. Below those that the system
/// hands out, so that nobody else happens to have one of them.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    10_000 + (std::process::id() % 90) as u16 * 200 + NEXT.fetch_add(10, Ordering::Relaxed)
}

#[test]
fn discover_and_status_find_a_server() {
    let port = free_port().to_string();
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
    let port = free_port().to_string();
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

#[test]
fn compression_is_agreed_on_when_it_was_switched_on() {
    for (arguments, expected) in [(&["--compress"][..], true), (&[], false)] {
        let halloo = Halloo::start(arguments);
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", halloo.port as u16)).unwrap();
        let port = halloo.port;
        write!(
            stream,
            "GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
        )
        .unwrap();
        let lines = BufReader::new(stream).lines().map(Result::unwrap);
        let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
        assert!(head[0].contains(" 101 "));
        assert_eq!(head.iter().any(|line| line.contains("permessage-deflate")), expected, "{head:?}");
    }
}
