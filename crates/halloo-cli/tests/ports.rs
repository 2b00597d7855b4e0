//! Which port `halloo serve` uses when some are busy, forbidden, or blocked by browsers; in network namespaces.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

mod common;

use std::net::TcpListener;
use std::process::{Command, Stdio};

use common::{JsonServer, halloo, stderr};
use halloo_test_support::in_namespace;

const ARGUMENTS: [&str; 5] = ["serve", "--json", "--bind", "127.0.0.1", "--no-discovery"];

/// Returns a command that runs the program without the right to use the ports that the namespace reserves.
fn unprivileged(arguments: &[&str]) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set", "-all", "--inh-caps", "-all", env!("CARGO_BIN_EXE_halloo")]);
    command.args(ARGUMENTS).args(arguments).stderr(Stdio::piped());
    command
}

/// Starts a server on a port, and returns the port that it uses and its log.
fn serve(command: &mut Command) -> (u16, String) {
    let mut server = JsonServer::start(command);
    server.process.stop();
    (server.port, server.process.read_stderr())
}

fn with_port(port: &str) -> Command {
    let mut command = halloo(&ARGUMENTS);
    command.args(["--port", port]).stderr(Stdio::piped());
    command
}

#[test]
fn forbidden_ports_are_skipped_as_busy_ones_are() {
    let name = "forbidden_ports_are_skipped_as_busy_ones_are";
    if !in_namespace(name, "sysctl -qw net.ipv4.ip_unprivileged_port_start=8767") {
        return;
    }
    let (port, log) = serve(&mut unprivileged(&[]));
    assert_eq!(port, 8767, "{log}");
    assert!(log.contains("port 8765") && log.contains("trying 8766"), "{log}");
    let _busy = TcpListener::bind("127.0.0.1:8767").unwrap();
    assert_eq!(serve(&mut unprivileged(&[])).0, 8768);
}

#[test]
fn only_forbidden_ports_are_an_error_whose_advice_works() {
    let name = "only_forbidden_ports_are_an_error_whose_advice_works";
    if !in_namespace(name, "sysctl -qw net.ipv4.ip_unprivileged_port_start=9000") {
        return;
    }
    for (arguments, tried) in [(&["--strict-port"][..], "port 8765"), (&[], "8765-8774"), (&["--port", "80"], "80-89")]
    {
        let output = unprivileged(arguments).stdin(Stdio::null()).output().unwrap();
        let error = stderr(&output);
        assert_eq!(output.status.code(), Some(3), "{error}");
        assert!(error.contains(tried) && error.contains("ermission denied") && error.contains("`--port 0`"), "{error}");
        assert_eq!(error.contains("1024"), arguments.contains(&"80"), "{error}");
    }
    // With a busy port in the range, stopping its program helps.
    let _busy = TcpListener::bind("127.0.0.1:9000").unwrap();
    let output = unprivileged(&["--port", "8991"]).stdin(Stdio::null()).output().unwrap();
    let error = stderr(&output);
    assert!(error.contains("no free port in 8991-9000") && error.contains("in use"), "{error}");
}

#[test]
fn ports_that_browsers_block_are_skipped_in_a_range_and_warned_about_when_asked_for() {
    let name = "ports_that_browsers_block_are_skipped_in_a_range_and_warned_about_when_asked_for";
    if !in_namespace(name, "sysctl -qw net.ipv4.ip_local_port_range='6665 6670'") {
        return;
    }
    let (port, log) = serve(&mut with_port("6000"));
    assert!(port == 6000 && log.contains("warning: browsers block port 6000 (ERR_UNSAFE_PORT)"), "{log}");
    let _busy: Vec<TcpListener> = (6661..=6664).map(|port| TcpListener::bind(("127.0.0.1", port)).unwrap()).collect();
    let (port, log) = serve(&mut with_port("6661"));
    assert!(port == 6670 && log.contains("trying 6670") && !log.contains("browsers block"), "{log}");
    // Also among the ports that the system assigns.
    let (port, log) = serve(&mut with_port("0"));
    assert!(port == 6670 && !log.contains("browsers block"), "{log}");
    let _last = TcpListener::bind("127.0.0.1:6670").unwrap();
    let (port, log) = serve(&mut with_port("0"));
    assert!((6665..6670).contains(&port) && log.contains("warning: browsers block port 666"), "{log}");
}
