//! The Python environment of the interoperability tests: `target/python`, made once and reused.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command::{run as run_command, succeeds};

/// The libraries the foreign peers are written with. Pinned, so that a failure is ours and not theirs.
const LIBRARIES: [(&str, &str); 2] = [("websockets", WEBSOCKETS_VERSION), ("zeroconf", "0.154.0")];
pub(crate) const WEBSOCKETS_VERSION: &str = "17.4";

/// What the system calls its interpreter.
const SYSTEM_PYTHON: &str = if cfg!(windows) { "python" } else { "python3" };

/// `cargo xtask python`: prepares the environment and prints the path of its interpreter.
pub(crate) fn run(root: &Path) -> Result<()> {
    if let Some(interpreter) = prepare(root)? {
        println!("{}", interpreter.display());
    }
    Ok(())
}

/// The interpreter of a ready environment, or `None`, said loudly, where one cannot be made.
///
/// With `CI=true` in the environment a missing interpreter is an error: a build service must not skip in silence.
pub(crate) fn prepare(root: &Path) -> Result<Option<PathBuf>> {
    let directory = root.join("target").join("python");
    let interpreter = interpreter_in(&directory);
    if is_ready(&interpreter) {
        return Ok(Some(interpreter));
    }
    match create(&directory, &interpreter) {
        Ok(()) => Ok(Some(interpreter)),
        Err(error) if std::env::var_os("CI").is_some_and(|value| value == "true") => Err(error),
        Err(error) => {
            eprintln!("SKIPPED: no Python environment, so nothing was tested against Python: {error:#}");
            Ok(None)
        }
    }
}

fn interpreter_in(directory: &Path) -> PathBuf {
    if cfg!(windows) { directory.join("Scripts").join("python.exe") } else { directory.join("bin").join("python") }
}

fn is_ready(interpreter: &Path) -> bool {
    let ask = |(name, version)| format!("import {name}; assert {name}.__version__ == '{version}'");
    succeeds(Command::new(interpreter).args(["-c", &LIBRARIES.map(ask).join("\n")]))
}

fn create(directory: &Path, interpreter: &Path) -> Result<()> {
    run_command(Command::new(SYSTEM_PYTHON).args(["-m", "venv", "--clear"]).arg(directory))
        .context("cannot make a virtual environment; is python3 with venv installed?")?;
    let packages = LIBRARIES.map(|(name, version)| format!("{name}=={version}"));
    run_command(Command::new(interpreter).args(["-m", "pip", "install", "--quiet"]).args(&packages))
        .with_context(|| format!("cannot install {}; is there a network?", packages.join(" and ")))?;
    if !is_ready(interpreter) {
        bail!("the new environment cannot import {}", packages.join(" and "));
    }
    Ok(())
}
