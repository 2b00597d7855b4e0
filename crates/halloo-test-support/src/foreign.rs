//! Programs in other languages, in the environments that `cargo xtask test` prepares.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Returns a command that runs `tests/python/SCRIPT`, or `None` with a note if there is no interpreter.
pub fn python(script: &str) -> Option<Command> {
    let mut command = Command::new(prepared("HALLOO_TEST_PYTHON")?);
    command.arg(tests().join("python").join(script));
    Some(command)
}

/// Returns a command that runs `tests/node/SCRIPT`, or `None` with a note if its packages are not installed.
pub fn node(script: &str) -> Option<Command> {
    let modules = prepared("HALLOO_TEST_NODE_MODULES")?;
    let mut command = Command::new("node");
    command.arg(tests().join("node").join(script)).env("NODE_MODULES", modules);
    Some(command)
}

/// Returns a command as [`node`], for a script that uses the page in Chromium, or `None` with a note if that is missing too.
pub fn browser(script: &str) -> Option<Command> {
    let chromium = prepared("HALLOO_TEST_CHROMIUM")?;
    let mut command = node(script)?;
    command.env("CHROMIUM", chromium);
    Some(command)
}

fn prepared(variable: &str) -> Option<OsString> {
    let value = std::env::var_os(variable);
    if value.is_none() {
        eprintln!("SKIPPED: {variable} is not set; `cargo xtask test` sets it");
    }
    value
}

/// The directory of the programs, at the root of the workspace.
fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests")
}
