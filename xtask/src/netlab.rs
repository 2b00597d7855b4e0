//! `cargo xtask netlab`: measures discovery in network namespaces of this machine.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command::{cargo, run as run_command};
use crate::python;

/// What to run in the user, network and mount namespaces, in which this program is root and reaches no other network.
const ENTER: &str = "mount -t tmpfs tmpfs /run && exec \"$@\"";

/// Builds the release build of `halloo` and runs `tests/netlab/netlab.py` with `arguments`.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<()> {
    if !cfg!(target_os = "linux") {
        bail!("netlab needs Linux network namespaces");
    }
    let Some(interpreter) = python::prepare(root)? else { bail!("netlab needs Python") };
    run_command(&mut cargo(root, "build --release --locked --package halloo-cli"))?;
    let mut command = Command::new("unshare");
    command.args(["-Urnm", "sh", "-c", ENTER, "sh"]).arg(interpreter).arg(root.join("tests/netlab/netlab.py"));
    command.args(arguments).env("HALLOO", root.join("target/release/halloo"));
    run_command(&mut command).context("a limit is not met, or `unshare` or `ip` is missing")
}
