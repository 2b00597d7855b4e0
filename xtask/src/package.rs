//! `cargo xtask package`: packs everything that this machine can, and says what it left out.

mod packer;
mod target;

mod files;

mod archive;
mod deb;
mod manifests;
mod npm;
mod sbom;

mod check;
mod lintian;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::command::{cargo, run as run_command};
use crate::{dist, wheels};
use packer::Packer;
use target::{Program, executable};

#[derive(Args)]
pub(crate) struct Options {
    /// Pack the programs in this directory, `TARGET/halloo` or `TARGET/halloo.exe`, instead of one built for this machine
    #[arg(value_name = "DIRECTORY", long)]
    programs: Option<PathBuf>,
    /// Write the Homebrew formula, the scoop and winget manifests for downloads from this address
    #[arg(long)]
    url: Option<String>,
    /// Pack only the program: no Python packages and no addon, whose builds take minutes
    #[arg(long)]
    program_only: bool,
    /// Pack, install and use the debug build only, as `cargo xtask test` does
    #[arg(long, conflicts_with_all = ["programs", "url", "program_only", "test"])]
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
    let programs = match &options.programs {
        Some(programs) => target::find(programs)?,
        None => vec![build(root)?],
    };
    let mut packer = Packer::new(root, "target/package", programs)?;
    pack_programs(&mut packer, options.url.as_deref())?;
    if options.program_only {
        packer.left_out.push("Python packages and the addon: `--program-only` was given".into());
    } else {
        add_wheels(&mut packer)?;
        dist::make(root, &root.join("target/dist"), None, crate::godot::library::Build::Release)
            .and_then(|addon| packer.add(&addon))
            .context("cannot pack the addon")?;
    }
    for target in target::ALL.iter().filter(|target| !packer.programs.iter().any(|program| program.target == *target)) {
        packer.left_out.push(format!("{}: no program; `--programs` takes one that was built elsewhere", target.triple));
    }
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
    sbom::write(packer)?;
    manifests::write(packer, url)
}

/// Builds the program for this machine.
fn build(root: &Path) -> Result<Program> {
    let target = target::ALL.iter().find(|target| target.is_host());
    let target = target.context("this machine is none of the targets of the packages; give `--programs`")?;
    run_command(&mut cargo(root, "build --quiet --package halloo-cli --release --locked"))?;
    let path = target_directory(root).join("release").join(executable(target));
    ensure!(path.is_file(), "{} was not built; unset CARGO_BUILD_TARGET", path.display());
    Ok(Program { target, path })
}

fn target_directory(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |path| root.join(path))
}

fn add_wheels(packer: &mut Packer<'_>) -> Result<()> {
    wheels::run(packer.root)?;
    let wheels = packer.root.join("target/wheels");
    if !wheels.is_dir() {
        packer.left_out.push("Python packages: there is no Python".into());
        return Ok(());
    }
    for name in files::names(&wheels)?.iter().filter(|name| name.starts_with("halloo")) {
        packer.add(&wheels.join(name))?;
    }
    Ok(())
}
