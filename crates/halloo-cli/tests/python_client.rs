//! The client in `clients/python`, against the program and against the test vectors.

use std::process::Command;

use halloo_test_support::python_client_tests;

/// Runs the tests in a file, and expects at least `least`, of which none is skipped.
fn run(command: Option<Command>, least: usize) {
    let Some(mut command) = command else { return };
    let output = command.env("HALLOO_PROGRAM", env!("CARGO_BIN_EXE_halloo")).output().expect("Python starts");
    let report = String::from_utf8_lossy(&output.stderr);
    let passed = report.lines().filter(|line| line.ends_with("... ok")).count();
    assert!(output.status.success() && passed >= least && !report.contains("skipped"), "{report}");
}

#[test]
fn python_client_uses_the_program() {
    run(python_client_tests("test_serve"), 21);
}

#[test]
fn python_client_for_asyncio_uses_the_program() {
    run(python_client_tests("test_aio"), 30);
}

#[test]
fn python_server_drives_the_program() {
    run(python_client_tests("test_server"), 18);
}

#[test]
fn python_browser_lists_the_servers_of_the_program() {
    run(python_client_tests("test_browser"), 6);
    run(python_client_tests("test_browser_core"), 8);
}

#[test]
fn python_examples_use_the_program() {
    run(python_client_tests("test_examples"), 3);
}

#[test]
fn python_client_does_what_the_vectors_expect() {
    run(python_client_tests("test_vectors"), 17);
    run(python_client_tests("test_certificate"), 3);
}
