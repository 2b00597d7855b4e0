//! `cargo xtask loom`: runs the models in `loom/`.

use std::path::Path;

use anyhow::Result;

use crate::command::{cargo, run as run_command};

const PROGRAMS: [&str; 2] = ["event_queue_models", "command_queue_models"];

/// Runs each model in every order of its threads, which takes seconds in total.
pub(crate) fn run(root: &Path) -> Result<()> {
    for program in PROGRAMS {
        let arguments = "run --quiet --locked --manifest-path loom/Cargo.toml --target-dir target --bin";
        run_command(cargo(root, arguments).arg(program))?;
    }
    Ok(())
}
