//! `cargo xtask generate`: writes the lists that follow from the table of settings, the page with the options of the
//! program, and the `.meta` files that Unity needs. `cargo xtask test` checks that they are current.

use std::path::Path;

use anyhow::Result;

use crate::command::{cargo, run as run_command};

/// The tests that write their files when they are told to.
const TESTS: [&str; 2] =
    ["-p halloo --features mdns --test generated --test unity_assets", "-p halloo-cli --test cli_reference"];

pub(crate) fn run(root: &Path) -> Result<()> {
    for test in TESTS {
        run_command(cargo(root, &format!("test --quiet --locked {test}")).env("HALLOO_GENERATE", "1"))?;
    }
    Ok(())
}
