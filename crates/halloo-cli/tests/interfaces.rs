//! `--interfaces` and `--excluded-interfaces`, on loopback.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

mod common;

use std::process::Stdio;

use common::{JsonServer, LOCAL_SERVER, halloo, run, stderr};

#[test]
fn name_without_an_interface_is_reported_with_those_that_exist() {
    let mut command = halloo(&LOCAL_SERVER);
    command.args(["--interface", "nowhere*", "--no-interface", "elsewhere0"]).stderr(Stdio::piped());
    let mut server = JsonServer::start(&mut command);
    server.process.stop();
    let log = server.process.read_stderr();
    for pattern in ["nowhere*", "elsewhere0"] {
        assert!(log.contains(&format!("no network interface matches `{pattern}` now; the interfaces are ")), "{log}");
    }
    let found = run(&["discover", "--local", "--timeout", "50ms", "--interfaces", "nowhere*"]);
    assert!(stderr(&found).contains("no network interface matches `nowhere*` now"), "{found:?}");
}

#[test]
fn blank_names_are_refused() {
    for command in ["serve", "discover", "connect", "status"] {
        for option in ["--interfaces=", "--excluded-interfaces= "] {
            let refused = run(&[command, option]);
            assert_eq!(refused.status.code(), Some(2), "{command} {option}");
        }
    }
}
