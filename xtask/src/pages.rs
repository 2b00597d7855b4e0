//! Commands that use the pages of the server in Chromium: pictures for the documentation, and how long the pad takes to start.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::command::{cargo, executable, run as run_command};
use crate::{chromium, node};

/// How often the start of the pad is measured.
const RUNS: &str = "20";

/// `cargo xtask pictures`: takes the pictures in `docs`.
pub(crate) fn take_pictures(root: &Path) -> Result<()> {
    let docs = root.join("docs");
    run_script(root, "pictures.mjs", &[docs.to_str().context("the path of the project is not valid Unicode")?])
}

/// `cargo xtask pad-start`: measures how long the pad takes from its address to its first message.
pub(crate) fn measure_pad_start(root: &Path) -> Result<()> {
    run_script(root, "pad_start.mjs", &[RUNS])
}

/// Runs a script with the program of a release build.
fn run_script(root: &Path, script: &str, arguments: &[&str]) -> Result<()> {
    let modules = node::prepare(root)?.context("these pages are driven by Node.js")?;
    let chromium = chromium::prepare(root)?.context("these pages are opened in Chromium")?;
    run_command(&mut cargo(root, "build --release --locked -p halloo-cli"))?;
    let mut command = Command::new("node");
    command.arg(root.join("tests/node").join(script)).arg(root.join("target/release").join(executable("halloo")));
    run_command(command.args(arguments).env("NODE_MODULES", modules).env("CHROMIUM", chromium))
}
