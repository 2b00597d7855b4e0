//! Programs from Debian packages, unpacked into a directory of their own, without root and without changes to the system.
//!
//! apt gets directories of its own and an empty list of installed packages, so that it lists everything a program needs,
//! down to the C library. It checks signatures as usual. The listed packages are unpacked, not installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::ci::or_skip;

/// The distribution with the newest versions.
pub(crate) const NEWEST: &str = "sid";

/// The keys that the suite is signed with; part of every Debian system.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// A program in a package.
pub(crate) struct Package {
    /// The name of the package and of its program.
    pub(crate) name: &'static str,
    /// The distribution that it comes from.
    pub(crate) suite: &'static str,
    /// Packages that it needs here and does not depend on.
    pub(crate) with: &'static [&'static str],
    /// The size of the download, for the message.
    pub(crate) size: &'static str,
    /// Dependencies that are left out, by the start of their names.
    pub(crate) not_needed: &'static [&'static str],
    /// A script beside the unpacked tree that starts the program with the libraries from its packages.
    pub(crate) launcher: &'static str,
    /// Returns an error unless the program works.
    pub(crate) check: fn(&Path) -> Result<()>,
}

/// Returns the program of `package` in `target/NAME`; `None` elsewhere than on Linux, and if it cannot be fetched, which is an
/// error in a CI service. `skipped` says what is not tested then.
pub(crate) fn prepare(root: &Path, name: &str, package: &Package, skipped: &str) -> Result<Option<PathBuf>> {
    if !cfg!(target_os = "linux") {
        return Ok(None);
    }
    let fetched = fetch(&root.join("target").join(name), package);
    or_skip(fetched, |error| format!("{skipped}: {error:#}"))
}

/// Returns the program of `package` in `directory`, and fetches it first if it is not there.
pub(crate) fn fetch(directory: &Path, package: &Package) -> Result<PathBuf> {
    let name = package.name;
    let program = directory.join(name);
    if program.exists() && (package.check)(&program).is_ok() {
        return Ok(program);
    }
    // Prepared in another directory and moved when it works, so that `directory` is always complete.
    let unfinished = directory.with_extension("unfinished");
    for leftover in [directory, &unfinished] {
        if leftover.exists() {
            fs::remove_dir_all(leftover).with_context(|| format!("cannot remove {}", leftover.display()))?;
        }
    }
    eprintln!("fetching {name} into {}: {}, only once", directory.display(), package.size);
    fill(&unfinished, package).with_context(|| format!("cannot fetch {name} as a Debian package"))?;
    fs::rename(&unfinished, directory).with_context(|| format!("cannot move the fetched {name} to its directory"))?;
    Ok(program)
}

/// Unpacks `packages` of a distribution, without what they depend on, into `directory`, unless that has been done. `filter`
/// are options and patterns for tar. `finish` changes what was unpacked before it is moved to `directory`.
pub(crate) fn unpack_once(
    directory: &Path,
    suite: &str,
    packages: &[&str],
    filter: &[&str],
    finish: impl FnOnce(&Path) -> Result<()>,
) -> Result<()> {
    if directory.exists() {
        return Ok(());
    }
    let unfinished = directory.with_extension("unfinished");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).with_context(|| format!("cannot remove {}", unfinished.display()))?;
    }
    eprintln!("fetching {} of {suite} into {}, only once", packages[0], directory.display());
    let apt = Apt::updated(&unfinished.join("apt"), suite)?;
    let archives = apt.download(packages.iter().copied())?;
    let tree = unfinished.join("root");
    fs::create_dir_all(&tree)?;
    for archive in archives {
        extract(&archive, &tree, filter).with_context(|| format!("cannot unpack {}", archive.display()))?;
    }
    finish(&tree)?;
    fs::rename(&tree, directory).with_context(|| format!("cannot move {} to its directory", packages[0]))?;
    fs::remove_dir_all(&unfinished)?;
    Ok(())
}

/// Returns the versions of a package in a distribution, the newest first. `directory` is created for apt, and removed.
pub(crate) fn versions(directory: &Path, suite: &str, package: &str) -> Result<Vec<String>> {
    let apt = Apt::updated(directory, suite)?;
    let listed = apt.run("apt-cache", &["madison", package])?;
    fs::remove_dir_all(directory)?;
    // `rust-src | 1.95.0+dfsg1-1 | http://… sid/main amd64 Packages`
    Ok(listed.lines().filter_map(|line| Some(line.split('|').nth(1)?.trim().to_owned())).collect())
}

/// Extracts the files of a package that `filter` selects.
fn extract(archive: &Path, tree: &Path, filter: &[&str]) -> Result<()> {
    let mut files = Command::new("dpkg-deb").arg("--fsys-tarfile").arg(archive).stdout(Stdio::piped()).spawn()?;
    let mut tar = Command::new("tar");
    tar.args(["--extract", "--exclude=./usr/share/doc", "--exclude=./usr/share/man", "--directory"]).arg(tree);
    tar.args(filter);
    if let Some(files) = files.stdout.take() {
        tar.stdin(files);
    }
    let extracted = output(&mut tar);
    let status = files.wait()?;
    extracted?;
    ensure!(status.success(), "dpkg-deb ended with {status}");
    Ok(())
}

fn fill(directory: &Path, package: &Package) -> Result<()> {
    let name = package.name;
    let apt = Apt::updated(&directory.join("apt"), package.suite)?;
    let install = [&["--simulate", "install", name], package.with].concat();
    let packages = needed(&apt.run("apt-get", &install)?, package.not_needed);
    ensure!(packages.iter().any(|package| package == name), "{} has no package {name} for this machine", package.suite);

    let tree = directory.join("root");
    for archive in apt.download(packages.iter().map(String::as_str))? {
        output(Command::new("dpkg-deb").arg("--extract").arg(archive).arg(&tree))?;
    }
    fs::remove_dir_all(&apt.directory)?;

    let program = directory.join(name);
    fs::write(&program, package.launcher)?;
    output(Command::new("chmod").arg("+x").arg(&program))?;
    (package.check)(&program).context("the fetched program does not work")
}

/// An apt that ignores the system except for its mirror.
struct Apt {
    directory: PathBuf,
}

impl Apt {
    /// Creates one that knows the packages of a distribution.
    fn updated(directory: &Path, suite: &str) -> Result<Apt> {
        ensure!(Path::new(KEYRING).exists(), "{KEYRING} is missing; this works on Debian only");
        let apt = Apt { directory: directory.to_owned() };
        for inside in ["parts", "lists/partial", "cache/archives/partial", "state"] {
            fs::create_dir_all(directory.join(inside))?;
        }
        fs::write(directory.join("state/status"), "")?;
        let architecture = output(Command::new("dpkg").arg("--print-architecture"))?;
        fs::write(directory.join("sources.list"), format!("deb [signed-by={KEYRING}] {} {suite} main\n", mirror()?))?;
        fs::write(apt.configuration(), configuration(directory, architecture.trim()))?;
        apt.run("apt-get", &["--quiet", "--quiet", "update"])?;
        Ok(apt)
    }

    /// Downloads the archives of packages.
    fn download<'a>(&self, packages: impl Iterator<Item = &'a str>) -> Result<Vec<PathBuf>> {
        let arguments: Vec<&str> = ["--quiet", "--quiet", "download"].into_iter().chain(packages).collect();
        self.run("apt-get", &arguments)?;
        let mut archives = Vec::new();
        for file in fs::read_dir(self.archives())? {
            let file = file?.path();
            if file.extension().is_some_and(|extension| extension == "deb") {
                archives.push(file);
            }
        }
        Ok(archives)
    }

    fn archives(&self) -> PathBuf {
        self.directory.join("cache/archives")
    }

    fn configuration(&self) -> PathBuf {
        self.directory.join("apt.conf")
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Result<String> {
        output(
            Command::new(program).args(arguments).current_dir(self.archives()).env("APT_CONFIG", self.configuration()),
        )
    }
}

/// Returns the configuration of apt. It replaces the main directories too, so that no hook of the system runs.
fn configuration(directory: &Path, architecture: &str) -> String {
    let directory = directory.display();
    format!(
        r#"Dir::Etc::main "{directory}/none";
Dir::Etc::parts "{directory}/parts";
Dir::Etc::sourcelist "{directory}/sources.list";
Dir::Etc::sourceparts "-";
Dir::State "{directory}/state";
Dir::State::lists "{directory}/lists";
Dir::State::status "{directory}/state/status";
Dir::Cache "{directory}/cache";
APT::Architectures {{ "{architecture}"; }};
APT::Install-Recommends "false";
APT::Sandbox::User "";
APT::Update::Error-Mode "any";
Acquire::Languages "none";
Acquire::Retries "3";
// A mirror may be a snapshot. Its signature is still checked.
Acquire::Check-Valid-Until "false";
Debug::NoLocking "true";
"#
    )
}

/// Returns the Debian mirror that this machine is configured to use.
fn mirror() -> Result<String> {
    let targets = ["indextargets", "--no-release-info", "--format", "$(REPO_URI)", "Created-By: Packages"];
    let addresses = output(Command::new("apt-get").args(targets))?;
    let mirror = addresses.lines().find(|address| address.trim_end_matches('/').ends_with("/debian"));
    mirror.map(str::to_owned).context("apt is not configured with a Debian mirror")
}

/// Returns the packages of a simulated installation, without those that are left out.
fn needed(simulation: &str, not_needed: &[&str]) -> Vec<String> {
    let names = simulation.lines().filter_map(|line| line.strip_prefix("Inst ")?.split(' ').next());
    names.filter(|name| !not_needed.iter().any(|prefix| name.starts_with(prefix))).map(str::to_owned).collect()
}

/// Returns what the command printed. If it fails, the error contains what it wrote to standard error.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let name = command.get_program().display().to_string();
    let Output { status, stdout, stderr } = command.output().with_context(|| format!("cannot start {name}"))?;
    if !status.success() {
        bail!("{name} ended with {status}: {}", String::from_utf8_lossy(&stderr).trim());
    }
    Ok(String::from_utf8_lossy(&stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_that_are_not_needed_are_left_out() {
        let simulation = "Reading package lists...\nInst libc6 (2.41 Debian:sid [amd64])\nInst libllvm20 (1 x)\n\
                          Inst mesa-libgallium (1 x)\nInst godot (4.6 x)\nConf libc6 (2.41 x)\n";
        assert_eq!(needed(simulation, &["libllvm", "mesa-"]), ["libc6", "godot"]);
    }
}
