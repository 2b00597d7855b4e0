//! The Python environment for the interoperability tests, created once in `target/python`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::ci::or_skip;
use crate::command::{run as run_command, succeeds};

/// The packages that the tests use, pinned, so that an update cannot break a test.
const PACKAGES: [(&str, &str); 4] =
    [("websockets", WEBSOCKETS_VERSION), ("zeroconf", "0.154.0"), ("mypy", "2.4.1"), ("ruff", "0.17.6")];
pub(crate) const WEBSOCKETS_VERSION: &str = "17.4";

/// The name of the interpreter of the system.
pub(crate) const SYSTEM_PYTHON: &str = if cfg!(windows) { "python" } else { "python3" };

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

/// Checks the types and the style of the client for Python, its tests and its examples.
pub(crate) fn check_client(root: &Path, interpreter: &Path) -> Result<()> {
    let cache = root.join("target").join("python-checks");
    for arguments in [&["ruff", "check"][..], &["ruff", "format", "--check"], &["mypy"]] {
        let mut check = Command::new(interpreter);
        check.current_dir(root.join("clients/python")).arg("-m").args(arguments);
        run_command(check.arg("--cache-dir").arg(cache.join(arguments[0])))?;
    }
    Ok(())
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
    let is_installed = |(name, version)| format!("assert metadata.version('{name}') == '{version}'");
    let script = format!("from importlib import metadata\n{}", PACKAGES.map(is_installed).join("\n"));
    succeeds(Command::new(interpreter).args(["-c", &script]))
}

fn create(directory: &Path, interpreter: &Path) -> Result<()> {
    run_command(Command::new(SYSTEM_PYTHON).args(["-m", "venv", "--clear"]).arg(directory))
        .context("cannot create a virtual environment; is python3 with venv installed?")?;
    let packages = PACKAGES.map(|(name, version)| format!("{name}=={version}"));
    run_command(Command::new(interpreter).args(["-m", "pip", "install", "--quiet"]).args(&packages))
        .with_context(|| format!("cannot install {}; check the network connection", packages.join(", ")))?;
    if !is_ready(interpreter) {
        bail!("the new environment does not contain {}", packages.join(", "));
    }
    Ok(())
}
