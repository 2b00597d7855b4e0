//! The client in `clients/js`, against the program and against the test vectors.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use std::process::Command;

use halloo_test_support::{
    ChildProcess, TempDir, browser, js_client_tests, js_client_tests_on_bun, js_client_tests_on_deno, npm_tools,
};
use serde_json::{Value, json};

/// The files that use what differs between runtimes, which are sockets, TLS and processes, and how many tests are in each.
const ON_EACH_RUNTIME: [(&str, usize); 3] = [("interop", 16), ("errors", 14), ("resources", 1)];

/// Runs tests, and expects at least `least` for which `has_passed` is true of a line, and that none is skipped.
fn run(command: Option<Command>, least: usize, has_passed: impl Fn(&str) -> bool) {
    let Some(mut command) = command else { return };
    let output = command.env("HALLOO_PROGRAM", env!("CARGO_BIN_EXE_halloo")).output().expect("the runtime starts");
    let report = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let passed = report.lines().filter(|line| has_passed(line)).count();
    assert!(output.status.success() && passed >= least, "{passed} passed:\n{report}");
}

/// As Node.js reports a test that passed.
fn is_ok(line: &str) -> bool {
    line.starts_with("ok ") && !line.contains("# SKIP")
}

/// Runs each file in a process of its own, all at the same time, because they mostly wait.
fn run_at_once(files: &[(&str, usize)], command: impl Fn(&[&str]) -> Option<Command>, has_passed: fn(&str) -> bool) {
    std::thread::scope(|scope| {
        for &(file, least) in files {
            let command = command(&[file]);
            scope.spawn(move || run(command, least, has_passed));
        }
    });
}

#[test]
fn js_client_uses_the_program() {
    run_at_once(&ON_EACH_RUNTIME, js_client_tests, is_ok);
    run(js_client_tests(&["examples"]), 3, is_ok);
}

#[test]
fn js_client_does_what_the_vectors_expect() {
    run(js_client_tests(&["vectors", "scripts"]), 57, is_ok);
}

#[test]
fn js_client_uses_the_program_on_bun() {
    run_at_once(&ON_EACH_RUNTIME, js_client_tests_on_bun, |line| line.starts_with("(pass) "));
}

#[test]
fn js_client_uses_the_program_on_deno() {
    let cache = TempDir::new(env!("CARGO_TARGET_TMPDIR"));
    let command = |files: &[&str]| js_client_tests_on_deno(files, cache.path());
    run_at_once(&ON_EACH_RUNTIME, command, |line| line.contains(" ... ok ("));
}

#[test]
fn npm_package_has_valid_exports_and_types_and_is_small() {
    let (Some(tools), Some(mut command)) = (npm_tools(), js_client_tests(&["package"])) else { return };
    command.env("NPM_TOOLS", tools);
    run(Some(command), 4, is_ok);
}

#[test]
fn npm_package_runs_in_a_page() {
    let Some(mut program) = browser("package_in_browser.mjs") else { return };
    let mut page = ChildProcess::start(program.arg(env!("CARGO_BIN_EXE_halloo")));
    let report: Value = serde_json::from_str(&page.next_line_after("report ")).unwrap();
    let unable =
        "a page cannot search the network; connect to an address, or open the page from its server and connect to that";
    let expected = json!({
        "echo": "hi", "state": "connected", "errors": [unable, unable, unable],
        "fingerprint": "a page cannot check a fingerprint; let the browser trust the certificate instead",
    });
    assert_eq!(report, expected);
}
