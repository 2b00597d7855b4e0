//! `cargo xtask miri`: interprets the tests of the queues between threads with Miri, which finds data races and undefined
//! behaviour.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::command::{run as run_command, succeeds};

/// Parts of the names of the tests.
const TESTS: [&str; 3] = ["event_queue", "event_receiver", "command_queue"];

pub(crate) fn run(root: &Path) -> Result<()> {
    if !succeeds(nightly(root).args(["miri", "--version"])) {
        bail!("Miri is missing; `rustup toolchain install nightly --component miri,rust-src` installs it");
    }
    let mut command = nightly(root);
    // Some tests read the clock. Miri is some hundred times slower than the program, so few cases of each property run.
    command.env("MIRIFLAGS", "-Zmiri-disable-isolation").env("PROPTEST_CASES", "4");
    // TLS needs a compiler of C, and has no part in them.
    command.args(["miri", "test", "--locked", "--package", "halloo", "--no-default-features", "--lib", "--"]);
    run_command(command.args(TESTS))
}

fn nightly(root: &Path) -> Command {
    let mut command = Command::new("rustup");
    command.current_dir(root).args(["run", "nightly", "cargo"]);
    command
}
