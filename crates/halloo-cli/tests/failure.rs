//! Failures of the system: a server that cannot continue exits with 1 and says why, and a full disk does not stop it.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

mod common;

use std::fs::File;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use common::{LOCAL_SERVER, halloo, stderr, stdout};

/// Runs `halloo serve` under `strace`, which injects an error into its second wait for events. Returns `None` with a note if
/// that is not possible here.
fn serve_until_it_fails(arguments: &[&str]) -> Option<Output> {
    let mut command = Command::new("strace");
    // arm64 and newer platforms have only the second one; `?` permits that.
    command.args([
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        "trace=?epoll_wait,epoll_pwait",
        "-e",
        "inject=?epoll_wait,epoll_pwait:error=EBADF:when=2+",
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

/// Runs the program with a standard error of each kind that cannot be written to, and one that can.
fn exit_codes(arguments: &[&str], input: &str) -> Vec<Option<i32>> {
    let program = env!("CARGO_BIN_EXE_halloo");
    let redirections = ["2>/dev/null", "2>/dev/full", "2>&-", "2>&1 >/dev/null | true"];
    let run = |redirection: &str| {
        // The exit code of a pipe is that of its last command, so it goes through a file descriptor of its own.
        let script = format!("{{ {{ \"$0\" \"$@\"; echo $? >&3; }} {redirection} >/dev/null; }} 3>&1");
        let mut command = Command::new("sh");
        command.args(["-c", &script, program]).args(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        stdout(&child.wait_with_output().unwrap()).trim().parse().ok()
    };
    redirections.into_iter().map(run).collect()
}

#[test]
fn a_standard_error_that_cannot_be_written_to_changes_no_exit_code() {
    let search = ["--local", "--no-mdns", "--discovery-port", "1", "--timeout", "1ms"];
    let serve = [&LOCAL_SERVER[..], &["-vv"]].concat();
    for (arguments, input, code) in [
        (&[&["discover"][..], &search].concat()[..], "", 4),
        (&[&["status", "den"][..], &search].concat(), "", 4),
        (&["connect", "ws://127.0.0.1:1", "--once"], "", 1),
        (&["status", "127.0.0.1:1"], "", 1),
        (&["--bind", "198.51.100.7", "--no-discovery"], "", 3),
        (&["--nonsense"], "", 2),
        (&["completions", "bash"], "", 0),
        (&serve, "nonsense\n{\"cmd\":\"stop\"}\n", 0),
    ] {
        assert_eq!(exit_codes(arguments, input), [Some(code); 4], "{arguments:?}");
    }
}

#[test]
fn a_standard_output_that_cannot_be_written_to_is_an_error() {
    for arguments in [&["completions", "bash"][..], &["man"], &["man", "serve"]] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = halloo(arguments).stdout(full).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
        let error = stderr(&output);
        assert!(output.status.code() == Some(1) && error.contains("No space left"), "{arguments:?}: {error}");
    }
}
