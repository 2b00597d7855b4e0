//! A program whose parent is gone, or whose input ends, ends as well.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

mod common;

use std::io::{self, BufRead, BufReader, Read};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, ChildStdin, Command, Stdio};

use common::{JsonServer, KilledOnDrop, LOCAL_SERVER, halloo, send_signal};
use halloo_test_support::{ChildProcess, TempDir, connect_tcp, unused_udp_port};
use serde_json::Value;
use tungstenite::{Message, WebSocket};

type Output = BufReader<Box<dyn Read>>;

/// Starts a program whose standard output is a pipe, or a socket as in Node.js.
fn start(command: &mut Command, with_socket: bool) -> (KilledOnDrop, ChildStdin, Output) {
    command.stdin(Stdio::piped()).stderr(Stdio::null());
    let (mut child, output): (Child, Box<dyn Read>) = if with_socket {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let child = command.stdout(OwnedFd::from(theirs)).spawn().unwrap();
        // Our copy of its end would keep the pair open.
        command.stdout(Stdio::null());
        (child, Box::new(ours))
    } else {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let output = child.stdout.take().unwrap();
        (child, Box::new(output))
    };
    let input = child.stdin.take().unwrap();
    (KilledOnDrop(child), input, BufReader::new(output))
}

fn next_event(output: &mut Output) -> Value {
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap()
}

/// Connects a client whose reads have a timeout.
fn connect(port: &Value) -> WebSocket<TcpStream> {
    let address = format!("127.0.0.1:{port}");
    tungstenite::client(format!("ws://{address}"), connect_tcp(address)).unwrap().0
}

#[track_caller]
fn expect_going_away(peer: &mut WebSocket<TcpStream>) {
    let Message::Close(Some(close)) = peer.read().unwrap() else { panic!() };
    assert_eq!(u16::from(close.code), 1001);
}

#[test]
fn server_ends_when_input_and_output_are_gone() {
    for (with_socket, input_first) in [(false, true), (false, false), (true, true), (true, false)] {
        let (mut server, input, mut output) = start(&mut halloo(&LOCAL_SERVER), with_socket);
        let mut peer = connect(&next_event(&mut output)["port"]);
        assert_eq!(next_event(&mut output)["event"], "client_joined");
        if input_first {
            drop(input);
            peer.send("still read".into()).unwrap();
            assert_eq!(next_event(&mut output)["text"], "still read");
            drop(output);
        } else {
            drop(output);
            drop(input);
        }
        expect_going_away(&mut peer);
        drop(peer);
        assert!(server.0.wait().unwrap().success(), "socket: {with_socket}, input first: {input_first}");
    }
}

#[test]
fn server_ends_when_its_parent_is_killed() {
    struct KilledIfPanicking(String);
    impl Drop for KilledIfPanicking {
        fn drop(&mut self) {
            if std::thread::panicking() {
                send_signal("-KILL", self.0.parse().unwrap());
            }
        }
    }

    let mut parent = Command::new("sh");
    let directory = TempDir::new(env!("CARGO_TARGET_TMPDIR"));
    let (input, output) = (directory.path().join("in"), directory.path().join("out"));
    for pipe in [&input, &output] {
        assert!(Command::new("mkfifo").arg(pipe).status().unwrap().success());
    }
    // The shell itself, without a child, holds the only other ends of the pipes of the server.
    let script = "\"$0\" \"$@\" <\"$IN\" >\"$OUT\" 2>/dev/null & echo $!; exec 3>\"$IN\" 4<\"$OUT\"
                  while read -r line <&4; do echo \"$line\"; done";
    parent.args(["-c", script, env!("CARGO_BIN_EXE_halloo")]).args(LOCAL_SERVER);
    let mut parent = ChildProcess::start(parent.env("IN", &input).env("OUT", &output));
    let _server = KilledIfPanicking(parent.next_line());
    let ready: Value = serde_json::from_str(&parent.next_line()).unwrap();
    let mut peer = connect(&ready["port"]);
    assert!(parent.next_line().contains("client_joined"));
    parent.kill();
    expect_going_away(&mut peer);
}

#[test]
fn server_ends_with_its_input_if_asked_to() {
    let mut server = JsonServer::start_local(&["--exit-with-stdin"]);
    let mut peer = connect(&server.ready["port"]);
    server.process.next_of("client_joined");
    server.process.write_line(r#"{"cmd":"send_to_all","text":"the last line"}"#);
    server.process.close_stdin();
    assert_eq!(peer.read().unwrap(), Message::text("the last line"));
    expect_going_away(&mut peer);
    drop(peer);
    assert_eq!(server.process.remaining_events().last().unwrap()["event"], "stopped");
    assert!(server.process.wait().success());

    // Also without JSON, by the environment, and when the input was never open.
    let mut command = halloo(&["serve", "--bind", "127.0.0.1", "--port", "0", "--no-discovery"]);
    let output = command.env("HALLOO_EXIT_WITH_STDIN", "1").stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn server_ends_with_its_input_even_if_its_output_is_not_read() {
    let (mut server, input, mut output) = start(halloo(&LOCAL_SERVER).arg("--exit-with-stdin"), false);
    let mut peer = connect(&next_event(&mut output)["port"]);
    // Far more than a pipe holds.
    for _ in 0..1000 {
        peer.send("x".repeat(1000).into()).unwrap();
    }
    peer.send(Message::Ping("read".into())).unwrap();
    assert!(peer.read().unwrap().is_pong());
    drop(input);
    expect_going_away(&mut peer);
    drop(peer);
    assert!(server.0.wait().unwrap().code().is_some());
}

#[test]
fn client_and_browser_end_when_their_output_is_gone() {
    let server = JsonServer::start_announced(unused_udp_port(), &[]);
    let url = server.url();
    let (mut client, input, mut output) = start(&mut halloo(&["connect", "--json", "--stay", &url]), false);
    assert_eq!(next_event(&mut output)["event"], "connected");
    drop(input);
    drop(output);
    assert!(client.0.wait().unwrap().success());

    let port = server.ready["discovery_port"].to_string();
    let options = ["discover", "--watch", "--json", "--local", "--no-mdns", "--discovery-port", &port];
    let (mut browser, _input, mut output) = start(&mut halloo(&options), true);
    assert_eq!(next_event(&mut output)["event"], "found");
    drop(output);
    assert!(browser.0.wait().unwrap().success());
}

#[test]
fn closed_input_alone_does_not_end_a_server_that_writes_to_a_file() -> io::Result<()> {
    let directory = TempDir::new(env!("CARGO_TARGET_TMPDIR"));
    let path = directory.path().join("events");
    let mut command = halloo(&LOCAL_SERVER);
    command.stdin(Stdio::null()).stdout(std::fs::File::create(&path)?).stderr(Stdio::piped());
    let mut server = KilledOnDrop(command.spawn()?);
    let mut log = BufReader::new(server.0.stderr.take().unwrap());
    let mut line = String::new();
    log.read_line(&mut line)?;
    let port = line.trim().rsplit(' ').next().unwrap().parse::<Value>().unwrap();
    let mut peer = connect(&port);
    peer.send(Message::Ping("alive".into())).unwrap();
    assert!(peer.read().unwrap().is_pong());
    send_signal("-TERM", server.0.id());
    expect_going_away(&mut peer);
    drop(peer);
    assert!(server.0.wait()?.success() && std::fs::read_to_string(&path)?.contains("stopped"));
    Ok(())
}
