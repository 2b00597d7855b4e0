//! `halloo connect` driven through its pipes.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the answer")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::time::{Duration, Instant};

use halloo::{Config, Event, Server};
use serde_json::{Value, json};

/// Long enough for a loaded machine; no test waits for it unless it fails.
const PATIENCE: Duration = Duration::from_secs(20);

fn connect(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_halloo"));
    command.arg("connect").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs to the end with this input.
fn run(arguments: &[&str], input: &str) -> Output {
    let mut child = connect(arguments).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn errors(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A running `halloo connect --json`.
struct Halloo {
    child: Child,
    input: ChildStdin,
    output: Box<dyn Iterator<Item = Value>>,
}

impl Halloo {
    fn start(arguments: &[&str]) -> Halloo {
        let mut child = connect(&[&["--json"], arguments].concat()).stderr(Stdio::inherit()).spawn().unwrap();
        let input = child.stdin.take().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Halloo { child, input, output: Box::new(lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap())) }
    }

    fn say(&mut self, line: &str) {
        writeln!(self.input, "{line}").unwrap();
    }

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

fn echo(config: Config) -> Server {
    let handler = |event: Event<'_>, hub: &mut halloo::Hub<'_>| {
        if let Event::MessageReceived { client, message } = event {
            hub.send(client, message).ok();
        }
    };
    Server::start_with(config, handler).unwrap()
}

fn event(server: &Server) -> Event<'static> {
    server.wait_event(PATIENCE).expect("an event")
}

#[test]
fn a_line_goes_out_its_echo_comes_back_and_that_is_all() {
    let server = echo(Config::local());
    let output = run(&[&server.url()], "hello\nwörld\n");
    assert!(output.status.success(), "{}", errors(&output));
    assert_eq!(String::from_utf8(output.stdout.clone()).unwrap(), "hello\nwörld\n");
    assert!(errors(&output).contains(&format!("connected to {}", server.url())), "{}", errors(&output));
}

#[test]
fn a_hundred_thousand_lines_arrive_in_order() {
    let server = Server::start(Config::local()).unwrap();
    let mut child = connect(&[&server.url()]).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let writing = std::thread::spawn(move || {
        for number in 0..100_000 {
            writeln!(input, "{number}").unwrap();
        }
    });
    assert!(matches!(event(&server), Event::ClientJoined { .. }));
    for number in 0..100_000 {
        let Event::MessageReceived { message, .. } = event(&server) else { panic!("at {number}") };
        assert_eq!(message.text(), Some(number.to_string().as_str()));
    }
    let Event::ClientLeft { code, .. } = event(&server) else { panic!() };
    assert_eq!(code.number(), 1000);
    writing.join().unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn json_both_ways() {
    let mut server = Server::start(Config::local()).unwrap();
    let url = server.url();
    let mut halloo = Halloo::start(&[&url]);
    assert_eq!(halloo.next("connected"), json!({"event": "connected", "url": url, "name": null}));
    server.send_to_all("hi\n\"you\"").unwrap();
    server.send_to_all(vec![0, 255]).unwrap();
    assert_eq!(halloo.next("message"), json!({"event": "message", "text": "hi\n\"you\""}));
    assert_eq!(halloo.next("message"), json!({"event": "message", "binary": "AP8="}));
    for (wrong, why) in [
        ("hello", "not a command"),
        (r#"{"cmd":"send"}"#, "either"),
        (r#"{"cmd":"close","code":1006}"#, "1006"),
        (r#"{"cmd":"leave"}"#, "leave"),
    ] {
        halloo.say(wrong);
        let error = halloo.next("error");
        assert!(error["message"].as_str().unwrap().contains(why), "{error}");
    }
    halloo.say(r#"{"cmd":"send","binary":"AP8="}"#);
    halloo.say(r#"{"cmd":"send","text":"x"}"#);
    assert!(matches!(event(&server), Event::ClientJoined { .. }));
    let messages: Vec<_> = (0..2).map(|_| event(&server)).collect();
    assert!(matches!(
        &messages[..],
        [
            Event::MessageReceived { message: halloo::Message::Binary(_), .. },
            Event::MessageReceived { message: halloo::Message::Text(_), .. }
        ]
    ));

    let mut config = Config::local();
    (config.port, config.strict_port) = (server.port(), true);
    // A program that another test starts at this moment may hold the old socket until it runs.
    let start = Instant::now();
    while let Err(error) = server.restart(config.clone()) {
        assert!(start.elapsed() < PATIENCE, "{error}");
        std::thread::yield_now();
    }
    assert_eq!(halloo.next("disconnected")["code"], 1001);
    assert!(halloo.next("reconnecting")["seconds"].as_f64().unwrap() <= 0.1);
    halloo.next("connected");
    halloo.say(r#"{"cmd":"close","code":4000,"reason":"enough"}"#);
    let left = halloo.next("disconnected");
    assert_eq!(left, json!({"event": "disconnected", "code": 4000, "reason": "enough"}));
    assert!(halloo.child.wait().unwrap().success());
}

#[test]
fn a_server_is_found_or_not_by_its_name_or_without_one() {
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let search = ["--local", "--discovery-port", &port];
    let with = |more: &[&'static str]| [&search[..], more].concat();
    let nobody = run(&with(&["--timeout", "50ms"]), "");
    assert_eq!(nobody.status.code(), Some(4));
    assert!(errors(&nobody).contains(&port), "{}", errors(&nobody));
    let mut config = Config::local();
    (config.name, config.discovery, config.discovery_port) = ("den".into(), true, port.parse().unwrap());
    let _den = echo(config.clone());
    for arguments in [with(&[]), with(&["DEN"])] {
        let found = run(&[&arguments[..], &["--timeout", "20s"]].concat(), "hello\n");
        assert_eq!(String::from_utf8_lossy(&found.stdout), "hello\n");
        assert!(found.status.success() && errors(&found).contains("connected to `den`"), "{}", errors(&found));
    }
    let other = run(&with(&["attic", "--timeout", "400ms"]), "");
    assert_eq!(other.status.code(), Some(4));
    assert!(errors(&other).contains("no server is called \"attic\""), "{}", errors(&other));
    config.name = "attic".into();
    let _attic = echo(config);
    let both = run(&with(&["--timeout", "20s"]), "hello\n");
    assert!(both.status.success() && both.stdout == b"hello\n", "{}", errors(&both));
}

#[test]
fn a_refusal_is_1_with_the_servers_sentence() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let answer = "HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\n\r\nnot \u{1b}you\n";
        stream.write_all(answer.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let refused = run(&[&url], "");
    assert_eq!(refused.status.code(), Some(1));
    assert!(errors(&refused).contains("refused (403): not \\u{1b}you"), "{}", errors(&refused));
    server.join().unwrap();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let once = run(&["--once", &nobody.to_string()], "hello\n");
    assert_eq!(once.status.code(), Some(1));
    assert!(errors(&once).contains("cannot reach"), "{}", errors(&once));
    let wrong = run(&["ftp://den.local"], "");
    assert_eq!(wrong.status.code(), Some(1));
    assert!(errors(&wrong).contains("ftp"), "{}", errors(&wrong));
}

#[test]
fn whoever_stays_listens_after_the_end_of_its_input() {
    let server = Server::start(Config::local()).unwrap();
    let mut child = connect(&["--stay", &server.url()]).stdin(Stdio::null()).spawn().unwrap();
    assert!(matches!(event(&server), Event::ClientJoined { .. }));
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    server.send_to_all("one").unwrap();
    assert_eq!(lines.next().unwrap().unwrap(), "one");
    server.send_to_all(vec![0xc3, 0xbc]).unwrap();
    assert_eq!(lines.next().unwrap().unwrap(), "ü");
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(unix)]
#[test]
fn a_signal_is_a_clean_close_and_so_is_a_reader_that_has_enough() {
    let server = Server::start(Config::local()).unwrap();
    let mut child = connect(&[&server.url()]).spawn().unwrap();
    assert!(matches!(event(&server), Event::ClientJoined { .. }));
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let Event::ClientLeft { code, .. } = event(&server) else { panic!() };
    assert_eq!(code.number(), 1001);
    assert!(child.wait().unwrap().success());

    let mut child = connect(&[&server.url()]).spawn().unwrap();
    assert!(matches!(event(&server), Event::ClientJoined { .. }));
    drop(child.stdout.take());
    server.send_to_all("into the void").unwrap();
    assert!(child.wait().unwrap().success());
}
