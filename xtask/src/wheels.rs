//! `cargo xtask wheels`: builds the Python packages, and checks them in a fresh environment without the network.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::command::run as run_command;
use crate::python;

/// Builds `halloo` and `halloo-bin` into `target/wheels`, and runs a server and a client from them.
pub(crate) fn run(root: &Path) -> Result<()> {
    let Some(python) = python::prepare(root)? else { return Ok(()) };
    let wheels = root.join("target").join("wheels");
    if wheels.exists() {
        fs::remove_dir_all(&wheels).with_context(|| format!("cannot remove {}", wheels.display()))?;
    }
    // Setuptools also packs the modules that an earlier build left there.
    let _ = fs::remove_dir_all(root.join("clients/python/build"));
    let mut build = Command::new(&python);
    build.current_dir(root).args(["-m", "pip", "wheel", "--quiet", "--wheel-dir"]).arg(&wheels);
    build.args(["./clients/python", "./clients/python-bin", &python::websockets()]);
    build.env("CARGO_TARGET_DIR", root.join("target"));
    run_command(&mut build).context("cannot build the wheels; check the network connection")?;
    check(root, &python, &wheels)?;
    for wheel in fs::read_dir(&wheels)? {
        println!("{}", wheel?.path().display());
    }
    Ok(())
}

/// Builds `halloo`, the client, into `target/client-wheel` and returns its path; `None` if there is no Python.
pub(crate) fn build_client(root: &Path) -> Result<Option<PathBuf>> {
    let Some(python) = python::prepare(root)? else { return Ok(None) };
    let directory = root.join("target").join("client-wheel");
    if directory.exists() {
        fs::remove_dir_all(&directory).with_context(|| format!("cannot remove {}", directory.display()))?;
    }
    let _ = fs::remove_dir_all(root.join("clients/python/build"));
    let mut build = Command::new(&python);
    build.current_dir(root).args(["-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir"]).arg(&directory);
    run_command(build.arg("./clients/python")).context("cannot build the client; check the network connection")?;
    let wheel = fs::read_dir(&directory)?.next().context("pip built no wheel")?;
    Ok(Some(wheel?.path()))
}

/// Installs the wheels, and nothing else, and uses them.
fn check(root: &Path, python: &Path, wheels: &Path) -> Result<()> {
    let directory = root.join("target").join("wheels-check");
    run_command(Command::new(python).args(["-m", "venv", "--clear"]).arg(&directory))?;
    let installed = python::interpreter_in(&directory);
    let mut install = Command::new(&installed);
    install.args(["-m", "pip", "install", "--quiet", "--no-index", "--find-links"]).arg(wheels);
    run_command(install.args(["halloo", "halloo-bin"])).context("cannot install the wheels")?;
    // No other `halloo` can be found.
    let isolated = |arguments: &[&str]| {
        let mut command = Command::new(&installed);
        command.current_dir(&directory).env("PATH", "").env_remove("PYTHONPATH").args(arguments);
        run_command(&mut command)
    };
    isolated(&["-m", "halloo", "--version"])?;
    let script = root.join("clients/python/tests/check_installed.py");
    isolated(&[script.to_str().context("the path of the repository is not UTF-8")?])
}
