//! A token in a file: created once, read by the server and by its clients.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

mod common;

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

use common::{JsonServer, LOCAL_SERVER, halloo, run, stderr, stdout};
use halloo_test_support::TempDir;

/// An empty directory, and the path of a file in it.
fn token_file() -> (TempDir, PathBuf) {
    let directory = TempDir::new(env!("CARGO_TARGET_TMPDIR"));
    let path = directory.path().join("it's a token");
    (directory, path)
}

fn serve(path: &str) -> JsonServer {
    JsonServer::start(halloo(&LOCAL_SERVER).args(["--token-file", path]).stderr(Stdio::piped()))
}

#[test]
fn token_in_a_file_survives_a_restart_and_lets_clients_in() {
    let (_directory, path) = token_file();
    let path = path.to_str().unwrap();
    let mut server = serve(path);
    let token = fs::read_to_string(path).unwrap();
    let invitation = server.ready["invitation"].as_str().unwrap();
    assert!(token.trim().len() == 22 && invitation.ends_with(&format!("#token={}", token.trim())), "{invitation}");
    let url = server.ready["urls"][0].as_str().unwrap();
    assert_eq!(run(&["status", url]).status.code(), Some(1), "a token is required");
    let status = run(&["status", url, "--token-file", path]);
    assert!(stdout(&status).contains("server_running"), "{status:?}");
    let client = halloo(&["connect", "--once", url]).env("HALLOO_TOKEN_FILE", path).stdin(Stdio::null()).status();
    assert!(client.unwrap().success());
    server.process.stop();

    let mut restarted = serve(path);
    assert!(restarted.ready["invitation"].as_str().unwrap().ends_with(token.trim()), "{}", restarted.ready);
    restarted.process.stop();
    assert!(!restarted.process.read_stderr().contains("chmod"), "only its owner can read the file");
    assert_eq!(fs::read_to_string(path).unwrap(), token);
}

#[cfg(unix)]
#[test]
fn file_that_others_can_read_is_warned_about_until_the_advice_is_followed() {
    use std::os::unix::fs::PermissionsExt;
    let (_directory, path) = token_file();
    fs::write(&path, "the-otters-meet-at-nine\r\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let log = || {
        let mut server = serve(path.to_str().unwrap());
        server.process.stop();
        server.process.read_stderr()
    };
    let warning = log();
    let command = warning.split('`').nth(1).unwrap_or_else(|| panic!("no advice in {warning}"));
    assert!(std::process::Command::new("sh").args(["-c", command]).status().unwrap().success(), "{command}");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!log().contains("chmod"));
}

#[test]
fn unusable_file_is_reported_with_what_to_do() {
    let (directory, path) = token_file();
    fs::write(&path, "short").unwrap();
    let missing = directory.path().join("none/token");
    let (path, missing, directory) =
        (path.to_str().unwrap(), missing.to_str().unwrap(), directory.path().to_str().unwrap());
    for (command, file, expected) in [
        ("serve", path, "correct it, or delete it"),
        ("serve", missing, "create its directory"),
        ("serve", directory, "cannot read the token file"),
        ("status", path, "correct it, or delete it"),
        ("status", missing, "name the file that `halloo serve` wrote"),
        ("connect", missing, "name the file that `halloo serve` wrote"),
    ] {
        let address: &[&str] =
            if command == "serve" { &["--bind", "127.0.0.1", "--port", "0"] } else { &["ws://127.0.0.1:1"] };
        let output = run(&[&[command, "--token-file", file], address].concat());
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(stderr(&output).contains(expected) && !stderr(&output).contains("short"), "{output:?}");
    }
}

#[test]
fn token_and_token_file_exclude_each_other_also_in_the_environment() {
    for command in ["serve", "connect", "status"] {
        let output = run(&[command, "--token", "the-otters-meet-at-nine", "--token-file", "token"]);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(!stderr(&output).contains("otters"), "{output:?}");
        let output = halloo(&[command, "--token-file", "token"])
            .env("HALLOO_TOKEN", "the-otters-meet-at-nine")
            .output()
            .unwrap();
        let tip = "the environment variable HALLOO_TOKEN sets --token; unset it";
        assert!(output.status.code() == Some(2) && stderr(&output).contains(tip), "{output:?}");
        assert!(!stderr(&output).contains("otters"), "{output:?}");
    }
}
