//! Installs a Debian package into a directory, as dpkg does on a system, and removes it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::command::{run as run_command, succeeds};
use crate::debian::output;

/// Installs the package with its scripts, and examines its units if systemd is installed. The packages that it depends on are
/// those of this system.
pub(super) fn install(package: &Path, directory: &Path) -> Result<PathBuf> {
    run_command(Command::new("dpkg-deb").stdout(Stdio::null()).arg("--info").arg(package))?;
    let database = directory.join("var/lib/dpkg");
    fs::create_dir_all(database.join("info"))?;
    fs::create_dir_all(database.join("updates"))?;
    fs::write(database.join("status"), "")?;
    if is_possible() {
        dpkg(directory, &["--install".as_ref(), package])?;
        let status = fs::read_to_string(database.join("status"))?;
        ensure!(status.contains("Status: install ok installed"), "dpkg did not install it: {status}");
    } else {
        println!("SKIPPED: no user namespaces, so dpkg did not run the scripts of the Debian package");
        run_command(Command::new("dpkg-deb").arg("--extract").arg(package).arg(directory))?;
    }
    let program = directory.join("usr/bin/halloo");
    if succeeds(Command::new("systemd-analyze").arg("--version")) {
        verify_units(directory, &program)?;
    } else {
        println!("SKIPPED: systemd-analyze is not installed, so the units were not examined");
    }
    Ok(program)
}

/// Removes the package with its settings, and checks that none of its files stays.
pub(super) fn remove(directory: &Path) -> Result<()> {
    if is_possible() {
        dpkg(directory, &["--purge".as_ref(), "halloo".as_ref()])?;
        let program = directory.join("usr/bin/halloo");
        ensure!(!program.exists(), "{} is still there after `dpkg --purge`", program.display());
    }
    Ok(())
}

fn is_possible() -> bool {
    succeeds(Command::new("unshare").args(["--user", "--map-root-user", "true"]))
}

/// Runs dpkg as root of a user namespace, with `directory` in place of the system.
fn dpkg(directory: &Path, arguments: &[&Path]) -> Result<()> {
    let root = fs::canonicalize(directory)?;
    let mut dpkg = Command::new("unshare");
    dpkg.args(["--user", "--map-root-user", "dpkg", "--log=/dev/null", "--force-depends", "--force-script-chrootless"]);
    output(dpkg.arg("--root").arg(root).args(arguments)).map(drop).context("dpkg fails")
}

/// Verifies copies of the units that start the unpacked program.
fn verify_units(directory: &Path, program: &Path) -> Result<()> {
    let units = directory.join("units");
    fs::create_dir(&units)?;
    let names = ["halloo.service", "halloo.socket"];
    for name in names {
        let unit = fs::read_to_string(directory.join("usr/lib/systemd/system").join(name))?;
        fs::write(units.join(name), unit.replace("/usr/bin/halloo", &program.display().to_string()))?;
    }
    let mut verify = Command::new("systemd-analyze");
    let output = verify.args(["verify", "--man=no"]).args(names.map(|name| units.join(name))).output()?;
    // It only warns of keys that it does not know.
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let ours: Vec<&str> = text.lines().filter(|line| line.contains("halloo")).collect();
    ensure!(output.status.success() && ours.is_empty(), "systemd-analyze finds: {text}");
    Ok(())
}
