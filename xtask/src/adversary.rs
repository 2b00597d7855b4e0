//! `cargo xtask adversary` and `cargo xtask soak`: run `halloo-adversary` against the release build of `halloo`.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::command::{cargo, executable, run as run_command, succeeds};

/// Builds both programs and runs a command of `halloo-adversary` with `arguments`.
pub(crate) fn run(root: &Path, command: &str, arguments: &[String]) -> Result<()> {
    run_command(&mut cargo(root, "build --release --locked -p halloo-cli -p halloo-adversary"))?;
    let release = root.join("target").join("release");
    let mut program = Command::new(release.join(executable("halloo-adversary")));
    program.current_dir(root).arg("--halloo").arg(release.join(executable("halloo")));
    run_command(program.arg(command).args(arguments))
}

/// Returns whether this machine has `/proc` and allows network namespaces.
pub(crate) fn is_possible() -> bool {
    let network = succeeds(Command::new("unshare").args(["-Urn", "ip", "link", "set", "lo", "up"]));
    network && Path::new("/proc/self/status").exists()
}

/// Runs all attacks and faults at a reduced size against the debug build, without judging times.
pub(crate) fn run_reduced(root: &Path) -> Result<()> {
    run_command(&mut cargo(root, "build --locked -p halloo-cli -p halloo-adversary"))?;
    let debug = root.join("target").join("debug");
    for options in [&["--quick", "--untimed"][..], &["--quick", "--untimed", "--faults"]] {
        let mut command = Command::new(debug.join(executable("halloo-adversary")));
        command.current_dir(root).arg("--halloo").arg(debug.join(executable("halloo")));
        run_command(command.arg("adversary").args(options))?;
    }
    Ok(())
}
