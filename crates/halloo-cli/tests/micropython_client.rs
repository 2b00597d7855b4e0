//! The client in `clients/micropython`, under MicroPython, against the program and against the test vectors.

use std::path::Path;

use halloo_test_support::{micropython, micropython_client_tests};

#[test]
fn micropython_client_uses_the_program() {
    let Some(mut command) = micropython_client_tests() else { return };
    let output = command.env("HALLOO_PROGRAM", env!("CARGO_BIN_EXE_halloo")).output().expect("Python starts");
    let report = String::from_utf8_lossy(&output.stderr);
    let passed = report.lines().filter(|line| line.ends_with("... ok")).count();
    assert!(output.status.success() && passed >= 18 && !report.contains("skipped"), "{report}");
}

#[test]
fn micropython_client_does_what_the_vectors_expect() {
    let Some(mut command) = micropython("tests/vectors.py") else { return };
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors");
    let output = command.arg(vectors).output().expect("Python starts");
    let report = String::from_utf8_lossy(&output.stdout);
    let passed = report.lines().filter(|line| line.ends_with(" cases ok")).count();
    assert!(output.status.success() && passed == 16, "{report}{}", String::from_utf8_lossy(&output.stderr));
}
