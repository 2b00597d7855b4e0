//! `cargo xtask generate`: writes the lists that follow from the table of settings. `cargo xtask test` checks that they are
//! current.

use std::path::Path;

use anyhow::Result;

use crate::command::{cargo, run as run_command};

pub(crate) fn run(root: &Path) -> Result<()> {
    let mut command = cargo(root, "test --quiet --locked -p halloo --features mdns --test generated");
    run_command(command.env("HALLOO_GENERATE", "1"))
}
