//! The program of the image for containers, in a file system that contains nothing else.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::command::succeeds;
use crate::debian::output;
use crate::package::packer::VERSION;

/// Runs the program as the Dockerfile does: alone in its root directory, with a network of its own.
pub(super) fn check(program: &Path, directory: &Path) -> Result<()> {
    let isolation = ["--user", "--map-root-user", "--net"];
    if !succeeds(Command::new("unshare").args(isolation).arg("true")) {
        println!("SKIPPED: no user namespaces, so the program of the image was not run");
        return Ok(());
    }
    fs::copy(program, directory.join("halloo"))?;
    let halloo = |arguments: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(isolation).arg("chroot").arg(directory).arg("/halloo").args(arguments);
        output(&mut command)
    };
    let version = halloo(&["--version"]).context("the program does not run without the files of a system")?;
    ensure!(version.contains(VERSION), "it has another version: {version}");
    // Standard input is empty, so the server ends when it is ready.
    let served = halloo(&["serve", "--json", "--exit-with-stdin", "--port", "8765", "--name", "image"])?;
    ensure!(served.contains("\"event\":\"ready\""), "`halloo serve` printed {served}");
    println!("image: the program serves alone in its root directory");
    Ok(())
}
