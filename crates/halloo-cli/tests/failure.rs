//! Failures of the system: a server that cannot continue exits with 1 and says why, and a full disk does not stop it.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

mod common;

use std::fs::File;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use common::{LOCAL_SERVER, halloo, stderr, stdout};

/// Runs `halloo serve` under `strace`, which injects an error into its second `epoll_wait`. Returns `None` with a note if
/// that is not possible here.
fn serve_until_it_fails(arguments: &[&str]) -> Option<Output> {
    let mut command = Command::new("strace");
    command.args([
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        "trace=epoll_wait",
        "-e",
        "inject=epoll_wait:error=EBADF:when=2+",
    ]);
    command.arg(env!("CARGO_BIN_EXE_halloo"));
    command.args(["serve", "--port", "0", "--bind", "127.0.0.1", "--no-discovery"]).args(arguments);
    let probe = Command::new("strace").args(["-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    if !probe.is_ok_and(|status| status.success()) {
        let ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(!ci, "strace is missing or has no permission to trace; it injects the error of this test");
        eprintln!("SKIPPED: strace is missing or has no permission to trace");
        return None;
    }
    Some(command.stdin(Stdio::null()).output().unwrap())
}

#[test]
fn network_failure_exits_with_1_and_its_message() {
    for arguments in [&[][..], &["--json"]] {
        let Some(output) = serve_until_it_fails(arguments) else { return };
        let log = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{log}");
        assert!(log.ends_with("halloo: cannot wait for the network: Bad file descriptor (os error 9)\n"), "{log}");
        if arguments.contains(&"--json") {
            let lines = stdout(&output);
            let lines = lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
            let events: Vec<_> = lines.map(|line| line["event"].as_str().unwrap().to_owned()).collect();
            assert_eq!(events, ["ready", "error", "stopped"]);
        }
    }
}

#[test]
fn full_disk_loses_lines_but_does_not_stop_the_server() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut server = halloo(&LOCAL_SERVER).stdin(Stdio::piped()).stdout(full).stderr(Stdio::piped()).spawn().unwrap();
    // It executes commands after its first line was lost, although their replies are lost as well.
    let mut input = server.stdin.take().unwrap();
    input.write_all(b"{\"cmd\":\"status\"}\n{\"cmd\":\"stop\"}\n").unwrap();
    let output = server.wait_with_output().unwrap();
    let log = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{log}");
    assert_eq!(log.matches("lines are lost until the disk has free space").count(), 1, "{log}");
    let end = "halloo: 3 lines of standard output were lost because the disk is full\n";
    assert!(log.ends_with(end), "{log}");
}
