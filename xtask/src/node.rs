//! The npm packages of the interoperability tests: `target/node`, made once and reused.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::json;

use crate::command::{run as run_command, succeeds};

/// The library the foreign peers are written with. Pinned, so that a failure is ours and not theirs.
pub(crate) const WS_VERSION: &str = "8.23.0";

/// `cargo xtask node`: prepares the packages and prints their directory.
pub(crate) fn run(root: &Path) -> Result<()> {
    if let Some(modules) = prepare(root)? {
        println!("{}", modules.display());
    }
    Ok(())
}

/// The directory of modules, or `None`, said loudly, where it cannot be had.
///
/// With `CI=true` in the environment that is an error: a build service must not skip in silence.
pub(crate) fn prepare(root: &Path) -> Result<Option<PathBuf>> {
    match create(&root.join("target").join("node")) {
        Ok(modules) => Ok(Some(modules)),
        Err(error) if std::env::var_os("CI").is_some_and(|value| value == "true") => Err(error),
        Err(error) => {
            eprintln!("SKIPPED: no Node.js with `ws`, so nothing was tested against it: {error:#}");
            Ok(None)
        }
    }
}

fn create(project: &Path) -> Result<PathBuf> {
    if !succeeds(Command::new("node").arg("--version")) {
        bail!("Node.js is not installed");
    }
    install(project, &[("ws", WS_VERSION)])
}

/// Installs packages of these versions into a project of ours, and answers its directory of modules.
pub(crate) fn install(project: &Path, packages: &[(&str, &str)]) -> Result<PathBuf> {
    let dependencies: serde_json::Map<_, _> =
        packages.iter().map(|&(name, version)| (name.to_owned(), version.into())).collect();
    let manifest = json!({ "private": true, "dependencies": dependencies }).to_string();
    let (path, modules) = (project.join("package.json"), project.join("node_modules"));
    let is_there = |(name, _): &(&str, &str)| modules.join(name).join("package.json").is_file();
    if fs::read_to_string(&path).is_ok_and(|text| text == manifest) && packages.iter().all(is_there) {
        return Ok(modules);
    }
    fs::create_dir_all(project)?;
    // What is locked here is found again wherever npm is set up to look.
    fs::write(project.join(".npmrc"), "omit-lockfile-registry-resolved=true\n")?;
    fs::write(&path, manifest)?;
    let mut install = Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" });
    install.current_dir(project).args(["install", "--silent", "--no-audit", "--no-fund"]);
    run_command(&mut install).context("npm, which comes with Node.js, cannot fetch it; is there a network?")?;
    Ok(modules)
}
