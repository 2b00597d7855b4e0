//! `cargo xtask netlab`: the figures of discovery, measured in network namespaces of this machine.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command::{cargo, run as run_command};
use crate::python;

/// A namespace of users, networks and mounts: root within it, and nothing beyond it can be reached.
const ENTER: &str = "mount -t tmpfs tmpfs /run && exec \"$@\"";

/// Builds the program as it is released, and runs the laboratory with `arguments`.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<()> {
    if !cfg!(target_os = "linux") {
        bail!("the laboratory is made of Linux network namespaces");
    }
    let Some(interpreter) = python::prepare(root)? else { bail!("the laboratory is written in Python") };
    run_command(&mut cargo(root, "build --release --locked --package halloo-cli"))?;
    let mut command = Command::new("unshare");
    command.args(["-Urnm", "sh", "-c", ENTER, "sh"]).arg(interpreter).arg(root.join("tests/netlab/netlab.py"));
    command.args(arguments).env("HALLOO", root.join("target/release/halloo"));
    run_command(&mut command).context("a limit is not met, or `unshare` and `ip` are missing")
}
