//! `cargo xtask package --test`: installs each package into an empty directory, and uses the program from there.

mod debian;
mod image;
mod session;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use super::packer::{Packer, VERSION};
use super::target::Target;
use super::{archive, deb, files, lintian, npm, target};
use crate::command::{executable, run as run_command, succeeds};
use crate::python;

pub(super) fn run(packer: &Packer<'_>) -> Result<()> {
    let Some(host) = packer.programs.iter().map(|program| program.target).find(|target| target.is_host()) else {
        println!("SKIPPED: no package is for this machine, so none was installed");
        return Ok(());
    };
    let directory = packer.directory.join("installed");
    if directory.exists() {
        fs::remove_dir_all(&directory)?;
    }
    let empty = |name: &str| -> Result<PathBuf> {
        let path = directory.join(name);
        fs::create_dir_all(&path)?;
        Ok(path)
    };
    install("archive", || unpack(packer, host, &empty("archive")?))?;
    match host.debian {
        Some(architecture) if succeeds(Command::new("dpkg").arg("--version")) => {
            let package = packer.directory.join(deb::name(architecture));
            install("Debian package", || debian::install(&package, &empty("deb")?))?;
            debian::remove(&directory.join("deb"))?;
        }
        _ => println!("SKIPPED: no dpkg, so the Debian package was not installed"),
    }
    if succeeds(Command::new("npm").arg("--version")) {
        install("npm package", || install_npm(packer, host, &empty("npm")?))?;
    } else {
        println!("SKIPPED: no npm, so the npm packages were not installed");
    }
    if succeeds(Command::new(python::SYSTEM_PYTHON).args(["-m", "venv", "--help"])) {
        let interpreter = environment(&empty("python")?)?;
        refuse_old_system(&interpreter, packer)?;
        install("Python package", || install_wheel(packer, &interpreter))?;
    } else {
        println!("SKIPPED: no Python with venv, so the Python package was not installed");
    }
    if let Some(program) = packer.programs.iter().find(|program| program.target.is_static()) {
        image::check(&program.path, &empty("image")?)?;
    }
    if succeeds(Command::new("sha256sum").arg("--version")) {
        run_command(Command::new("sha256sum").current_dir(&packer.directory).args([
            "--quiet",
            "--check",
            "SHA256SUMS",
        ]))?;
    }
    Ok(())
}

/// Installs a package, and uses its program: a server, a client and the doctor. Prints how long the first message takes.
fn install(name: &str, package: impl FnOnce() -> Result<PathBuf>) -> Result<()> {
    let start = Instant::now();
    let program = package().with_context(|| format!("cannot install the {name}"))?;
    let installed = start.elapsed();
    let until_message = session::run(&program).with_context(|| format!("the program of the {name} does not work"))?;
    let (installed, total) = (installed.as_secs_f64(), (installed + until_message).as_secs_f64());
    println!("{name}: installed after {installed:.2} s, the first message after {total:.2} s; discovers and diagnoses");
    Ok(())
}

/// Examines the Debian packages with lintian.
pub(super) fn examine_deb(packer: &Packer<'_>) -> Result<()> {
    for name in files::names(&packer.directory)?.iter().filter(|name| name.ends_with(".deb")) {
        lintian::examine(packer.root, &packer.directory.join(name))?;
    }
    Ok(())
}

fn unpack(packer: &Packer<'_>, host: &Target, directory: &Path) -> Result<PathBuf> {
    let archive = packer.directory.join(archive::name(host));
    // The one of Windows reads .zip too.
    run_command(Command::new("tar").arg("-xf").arg(archive).arg("-C").arg(directory))?;
    Ok(directory.join(format!("halloo-{VERSION}-{}", host.triple)).join(target::executable(host)))
}

fn install_npm(packer: &Packer<'_>, host: &Target, directory: &Path) -> Result<PathBuf> {
    fs::write(directory.join("package.json"), "{\"private\":true}")?;
    let mut install = Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" });
    install.current_dir(directory).args(["install", "--offline", "--silent", "--no-audit", "--no-fund"]);
    for name in [npm::name(host), "halloo".into()] {
        install.arg(packer.directory.join(format!("{name}-{VERSION}.tgz")));
    }
    run_command(&mut install).context("cannot install the npm packages")?;
    let modules = directory.join("node_modules");
    let packed = modules.join(npm::name(host)).join("bin").join(target::executable(host));
    ensure!(packed.is_file(), "npm did not install {}", packed.display());
    Ok(modules.join(".bin").join(if cfg!(windows) { "halloo.cmd" } else { "halloo" }))
}

/// Creates a virtual environment, and returns its interpreter.
fn environment(directory: &Path) -> Result<PathBuf> {
    run_command(Command::new(python::SYSTEM_PYTHON).args(["-m", "venv"]).arg(directory))?;
    Ok(python::interpreter_in(directory))
}

/// Installs the program into a virtual environment, from the package for this machine.
fn install_wheel(packer: &Packer<'_>, interpreter: &Path) -> Result<PathBuf> {
    let mut install = Command::new(interpreter);
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--find-links"]);
    run_command(install.arg(&packer.directory).arg("halloo-bin"))?;
    Ok(interpreter.with_file_name(executable("halloo")))
}

/// Expects that pip does not install the program on a Linux whose C library is too old.
fn refuse_old_system(interpreter: &Path, packer: &Packer<'_>) -> Result<()> {
    let mut install = Command::new(interpreter);
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps"]);
    install.args(["--platform", "manylinux_2_16_x86_64", "--only-binary", ":all:", "--target"]);
    install.arg(packer.directory.join("installed/old")).arg("--find-links").arg(&packer.directory).arg("halloo-bin");
    let output = install.output()?;
    let message = String::from_utf8_lossy(&output.stderr);
    ensure!(!output.status.success() && message.contains("No matching distribution"), "pip says: {message}");
    Ok(())
}
