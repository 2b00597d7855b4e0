//! Zig, from its Python package in `target/zig`: links programs that run on older systems than this one, and on others.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::target::{OLDEST_LIBC, Target};
use crate::ci::or_skip;
use crate::command::{cargo, run as run_command, succeeds, target_directory};
use crate::python;

/// Zig itself, and the command of cargo that lets it link. Pinned, so that an update cannot break a release.
const PACKAGES: [&str; 2] = ["ziglang==0.17.1", "cargo-zigbuild==0.24.1"];

pub(super) struct Zig {
    /// The directory with its programs.
    programs: PathBuf,
}

impl Zig {
    /// Returns it; `None` elsewhere than on Linux, and if it cannot be installed, which is an error in a CI service.
    pub(super) fn prepare(root: &Path) -> Result<Option<Zig>> {
        if !cfg!(target_os = "linux") {
            return Ok(None);
        }
        let zig = Zig::install(&root.join("target/zig"));
        or_skip(zig, |error| {
            format!("no Zig, so the program needs a C library as new as that of this machine: {error:#}")
        })
    }

    fn install(directory: &Path) -> Result<Zig> {
        let interpreter = python::interpreter_in(directory);
        let zig = Zig { programs: interpreter.parent().context("a program is in a directory")?.to_owned() };
        let works = |zig: &Zig| succeeds(Command::new(zig.programs.join("cargo-zigbuild")).arg("--version"));
        if !works(&zig) {
            println!("fetching Zig into {}: 100 MiB, only once", directory.display());
            run_command(Command::new(python::SYSTEM_PYTHON).args(["-m", "venv", "--clear"]).arg(directory))
                .context("cannot create a virtual environment; is python3 with venv installed?")?;
            let mut install = Command::new(&interpreter);
            install.args(["-m", "pip", "install", "--quiet"]).args(PACKAGES);
            run_command(&mut install).context("pip cannot install it; check the network connection")?;
        }
        ensure!(works(&zig), "it does not run");
        Ok(zig)
    }

    /// Builds a crate for `target`, and returns the directory with the result.
    pub(super) fn build(&self, root: &Path, target: &Target, package: &str) -> Result<PathBuf> {
        let triple = target.triple;
        let libc = if triple.ends_with("linux-gnu") { format!(".2.{OLDEST_LIBC}") } else { String::new() };
        let mut build = cargo(root, &format!("zigbuild --quiet --release --locked --package {package}"));
        let path = std::env::var_os("PATH").unwrap_or_default();
        let paths = [self.programs.clone()].into_iter().chain(std::env::split_paths(&path));
        build.arg("--target").arg(format!("{triple}{libc}")).env("PATH", std::env::join_paths(paths)?);
        run_command(&mut build).with_context(|| {
            format!("cannot build {package} for {triple}; `rustup target add {triple}` installs its standard library")
        })?;
        Ok(target_directory(root).join(triple).join("release"))
    }
}
