//! The end of the program by a signal.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

mod common;

use std::process::{Command, Stdio};

use common::{JsonProcess, JsonServer, LOCAL_SERVER, halloo, send_signal};
use halloo_test_support::unused_udp_port;

/// Returns a command that runs the program as `nohup` does, with SIGHUP ignored.
fn nohup(arguments: &[&str]) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' HUP; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_halloo")]).args(arguments);
    command.stderr(Stdio::piped());
    command
}

#[test]
fn ignored_sighup_stays_ignored() {
    let mut server = JsonServer::start(&mut nohup(&LOCAL_SERVER));
    let mut client = JsonProcess::start(&mut nohup(&["connect", "--json", "--once", &server.url()]));
    client.next_of("connected");
    for process in [&server.process, &client] {
        send_signal("-HUP", process.id());
    }
    server.process.write_line(r#"{"cmd":"send_to_all","text":"still here"}"#);
    assert_eq!(client.next_event()["text"], "still here");
    client.write_line(r#"{"cmd":"send","text":"me too"}"#);
    assert_eq!(server.process.next_of("message")["text"], "me too");

    let port = unused_udp_port();
    let options = ["discover", "--watch", "--json", "--local", "--no-mdns", "--discovery-port", &port.to_string()];
    let mut watch = JsonProcess::start(&mut nohup(&options));
    let mut announced = JsonServer::start_announced(port, &[]);
    watch.next_of("found");
    send_signal("-HUP", watch.id());
    announced.process.stop();
    watch.next_of("lost");

    // The other signals still stop it.
    send_signal("-TERM", server.process.id());
    server.process.next_of("stopped");
    assert!(server.process.wait().success());
    client.next_of("disconnected");
}

/// Returns a command that runs the program with SIGHUP as the system sets it, also if the tests ignore it.
fn with_default_sighup(arguments: &[&str]) -> Command {
    if cfg!(not(target_os = "linux")) {
        return halloo(arguments);
    }
    let mut command = Command::new("env");
    command.args(["--default-signal=HUP", env!("CARGO_BIN_EXE_halloo")]).args(arguments);
    command
}

#[test]
fn sighup_stops_the_program_otherwise() {
    let mut server = JsonServer::start(with_default_sighup(&LOCAL_SERVER).stderr(Stdio::piped()));
    send_signal("-HUP", server.process.id());
    server.process.next_of("stopped");
    assert!(server.process.wait().success());
}
