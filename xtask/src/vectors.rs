//! `cargo xtask vectors`: writes what the test vectors of clients expect. `cargo xtask test` checks that they are current.

use std::path::Path;

use anyhow::Result;

use crate::command::{cargo, run as run_command};

/// The test programs that run the vectors, by the crate whose interface they use.
const PROGRAMS: [&str; 2] = ["halloo-proto", "halloo"];

pub(crate) fn run(root: &Path) -> Result<()> {
    for package in PROGRAMS {
        let mut command = cargo(root, &format!("test --quiet --locked -p {package} --test vectors"));
        run_command(command.env("HALLOO_GENERATE", "1"))?;
    }
    Ok(())
}
