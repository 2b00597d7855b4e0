//! `cargo xtask adversary` and `cargo xtask soak`: builds the program as it is released and hands it to `halloo-adversary`.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::command::program;
use crate::command::{cargo, run as run_command, succeeds};

/// Builds both, and runs `what` with `arguments`.
pub(crate) fn run(root: &Path, what: &str, arguments: &[String]) -> Result<()> {
    run_command(&mut cargo(root, "build --release --locked -p halloo-cli -p halloo-adversary"))?;
    let release = root.join("target").join("release");
    let mut command = Command::new(release.join(program("halloo-adversary")));
    command.current_dir(root).arg("--halloo").arg(release.join(program("halloo")));
    run_command(command.arg(what).args(arguments))
}

/// Whether this machine lets itself be looked at, and makes networks of its own.
pub(crate) fn is_possible() -> bool {
    let network = succeeds(Command::new("unshare").args(["-Urn", "ip", "link", "set", "lo", "up"]));
    network && Path::new("/proc/self/status").exists()
}

/// All attacks and faults in small, on what the tests have built; nothing is judged by the clock.
pub(crate) fn in_small(root: &Path) -> Result<()> {
    run_command(&mut cargo(root, "build --locked -p halloo-cli -p halloo-adversary"))?;
    let debug = root.join("target").join("debug");
    for what in [&["--quick", "--untimed"][..], &["--quick", "--untimed", "--faults"]] {
        let mut command = Command::new(debug.join(program("halloo-adversary")));
        command.current_dir(root).arg("--halloo").arg(debug.join(program("halloo")));
        run_command(command.arg("adversary").args(what))?;
    }
    Ok(())
}
