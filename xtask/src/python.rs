//! The Python environment for the interoperability tests, created once in `target/python`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::ci::or_skip;
use crate::command::{run as run_command, succeeds};

/// The libraries that the tests use, pinned, so that an update of a library cannot break a test.
const LIBRARIES: [(&str, &str); 2] = [("websockets", WEBSOCKETS_VERSION), ("zeroconf", "0.154.0")];
pub(crate) const WEBSOCKETS_VERSION: &str = "17.4";

/// The name of the interpreter of the system.
const SYSTEM_PYTHON: &str = if cfg!(windows) { "python" } else { "python3" };

/// Returns the interpreter of the environment; `None` if it cannot be created, which is an error in a CI service.
pub(crate) fn prepare(root: &Path) -> Result<Option<PathBuf>> {
    let directory = root.join("target").join("python");
    let interpreter = interpreter_in(&directory);
    if is_ready(&interpreter) {
        return Ok(Some(interpreter));
    }
    let created = create(&directory, &interpreter).map(|()| interpreter);
    or_skip(created, |error| format!("no Python environment, so tests against Python were not run: {error:#}"))
}

/// Returns the requirement of the library that the client for Python uses.
pub(crate) fn websockets() -> String {
    format!("websockets=={WEBSOCKETS_VERSION}")
}

/// Returns the interpreter of an environment.
pub(crate) fn interpreter_in(directory: &Path) -> PathBuf {
    if cfg!(windows) { directory.join("Scripts").join("python.exe") } else { directory.join("bin").join("python") }
}

fn is_ready(interpreter: &Path) -> bool {
    let import = |(name, version)| format!("import {name}; assert {name}.__version__ == '{version}'");
    succeeds(Command::new(interpreter).args(["-c", &LIBRARIES.map(import).join("\n")]))
}

fn create(directory: &Path, interpreter: &Path) -> Result<()> {
    run_command(Command::new(SYSTEM_PYTHON).args(["-m", "venv", "--clear"]).arg(directory))
        .context("cannot create a virtual environment; is python3 with venv installed?")?;
    let packages = LIBRARIES.map(|(name, version)| format!("{name}=={version}"));
    run_command(Command::new(interpreter).args(["-m", "pip", "install", "--quiet"]).args(&packages))
        .with_context(|| format!("cannot install {}; check the network connection", packages.join(" and ")))?;
    if !is_ready(interpreter) {
        bail!("the new environment cannot import {}", packages.join(" and "));
    }
    Ok(())
}
