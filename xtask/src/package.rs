//! `cargo xtask package`: packs everything that this machine can, and says what it left out.

mod packer;
mod target;

mod files;

mod addon;
mod archive;
mod deb;
mod manifests;
mod npm;
mod sbom;
mod wheel;

mod zig;

mod check;
mod lintian;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::command::{cargo, run as run_command, target_directory};
use crate::{release, wheels};
use packer::Packer;
use target::{Program, Target, executable};
use zig::Zig;

/// The crate of the program.
const PACKAGE: &str = "halloo-cli";

#[derive(Args)]
pub(crate) struct Options {
    /// Build the program, and the library of the addon, for these targets as well, with Zig
    #[arg(value_name = "TARGET", long, value_delimiter = ',')]
    targets: Vec<String>,
    /// Pack the programs in this directory as well, `TARGET/halloo` or `TARGET/halloo.exe`, and build none for their targets
    #[arg(value_name = "DIRECTORY", long)]
    programs: Option<PathBuf>,
    /// Pack the libraries in this directory into the addon as well, laid out as in `addons/halloo/bin`
    #[arg(value_name = "DIRECTORY", long, conflicts_with = "program_only")]
    libraries: Option<PathBuf>,
    /// Write the Homebrew formula, the scoop and winget manifests for downloads from this address
    #[arg(long)]
    url: Option<String>,
    /// Pack only the program: no addon, whose build takes minutes, and no Python client
    #[arg(long)]
    program_only: bool,
    /// Pack, install and use the debug build only, as `cargo xtask test` does
    #[arg(long, conflicts_with_all = ["targets", "programs", "libraries", "url", "program_only", "test"])]
    debug: bool,
    /// Install each package into something empty, and use it
    #[arg(long)]
    test: bool,
}

/// Packs into `target/package`, and prints what is there and what is left out.
pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    if options.debug {
        return check_debug_build(root).map(drop);
    }
    let zig = Zig::prepare(root)?;
    let mut programs = options.programs.as_deref().map(target::find).transpose()?.unwrap_or_default();
    let built = build(root, zig.as_ref(), &options.targets, &programs)?;
    let built_targets: Vec<&Target> = built.iter().map(|program| program.target).collect();
    programs.extend(built);
    let mut packer = Packer::new(root, "target/package", programs)?;
    pack_programs(&mut packer, options.url.as_deref())?;
    if options.program_only {
        packer.left_out.push("the Python client and the addon: `--program-only` was given".into());
    } else {
        add_client(&mut packer)?;
        let libraries = options.libraries.as_deref();
        addon::write(&mut packer, zig.as_ref(), &built_targets, libraries).context("cannot pack the addon")?;
    }
    for target in target::ALL.iter().filter(|target| !packer.programs.iter().any(|program| program.target == *target)) {
        packer.left_out.push(format!(
            "{}: no program; `--targets` builds it if Zig can, `--programs` takes one that was built elsewhere",
            target.triple
        ));
    }
    fs::write(packer.directory.join("RELEASE-NOTES.md"), release::notes(root)?)?;
    files::write_checksums(&packer.directory)?;
    for name in files::names(&packer.directory)? {
        println!("{name}: {} KiB", fs::metadata(packer.directory.join(&name))?.len().div_ceil(1024));
    }
    packer.left_out.iter().for_each(|what| println!("LEFT OUT: {what}"));
    if options.test {
        check::examine_deb(&packer)?;
        check::run(&packer)?;
    }
    Ok(())
}

/// Packs and installs the debug build of the program, which `cargo xtask test` has at hand. Returns whether that is possible here.
pub(crate) fn check_debug_build(root: &Path) -> Result<bool> {
    let Some(target) = target::ALL.iter().find(|target| target.is_host()) else {
        println!("SKIPPED: there are no packages for this machine");
        return Ok(false);
    };
    run_command(&mut cargo(root, "build --quiet --package halloo-cli --locked"))?;
    let program = Program { target, path: target_directory(root).join("debug").join(executable(target)) };
    let mut packer = Packer::new(root, "target/package-debug", vec![program])?;
    pack_programs(&mut packer, Some("https://example.org"))?;
    files::write_checksums(&packer.directory)?;
    check::run(&packer)?;
    Ok(true)
}

/// Writes all packages that contain nothing but the program.
fn pack_programs(packer: &mut Packer<'_>, url: Option<&str>) -> Result<()> {
    archive::write(packer)?;
    deb::write(packer)?;
    npm::write(packer)?;
    wheel::write(packer)?;
    sbom::write(packer)?;
    manifests::write(packer, url)
}

/// Builds the program for this machine and for `targets`, without those that are `given`.
fn build(root: &Path, zig: Option<&Zig>, targets: &[String], given: &[Program]) -> Result<Vec<Program>> {
    let host = target::ALL.iter().find(|target| target.is_host());
    if host.is_none() && given.is_empty() {
        bail!("this machine is none of the targets of the packages; give `--programs`");
    }
    let mut wanted: Vec<&'static Target> = host.into_iter().collect();
    for name in targets {
        let target = target::ALL.iter().find(|target| target.triple == name).with_context(|| {
            let known = target::ALL.map(|target| target.triple).join(", ");
            format!("there are no packages for {name}; use one of {known}")
        })?;
        if !wanted.contains(&target) {
            wanted.push(target);
        }
    }
    wanted.retain(|target| !given.iter().any(|program| program.target == *target));
    let build = |target: &'static Target| -> Result<Program> {
        let directory = match zig {
            Some(zig) => zig.build(root, target, PACKAGE)?,
            None if target.is_host() => {
                run_command(&mut cargo(root, &format!("build --quiet --package {PACKAGE} --release --locked")))?;
                target_directory(root).join("release")
            }
            None => bail!("only Zig links for {}, and there is none; leave it out of `--targets`", target.triple),
        };
        let path = directory.join(executable(target));
        ensure!(path.is_file(), "{} was not built; unset CARGO_BUILD_TARGET", path.display());
        Ok(Program { target, path })
    };
    wanted.into_iter().map(build).collect()
}

/// Returns the target for which Zig builds the library of the addon in the directory `name`.
#[cfg(test)]
pub(crate) fn target_of_library(name: &str) -> Option<&'static str> {
    let target = target::ALL.iter().find(|target| target.library.is_some_and(|(directory, _)| directory == name));
    target.map(|target| target.triple)
}

/// Adds the client for Python.
fn add_client(packer: &mut Packer<'_>) -> Result<()> {
    match wheels::build_client(packer.root)? {
        Some(wheel) => packer.add(&wheel),
        None => {
            packer.left_out.push("the client for Python: there is no Python".into());
            Ok(())
        }
    }
}
