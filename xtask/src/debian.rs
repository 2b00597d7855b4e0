//! Programs out of the packages of Debian, unpacked into one directory: no root, and nothing of the system is touched.
//!
//! apt is given directories of its own and an empty list of installed packages, so that it names everything a
//! program needs, down to the C library. It checks the signatures as always. What it named is unpacked, not installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, bail, ensure};

/// The distribution that has the newest of everything.
const SUITE: &str = "sid";

/// What the suite is signed with; part of every Debian.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// A program out of a package.
pub(crate) struct Package {
    /// What the package and its program are called.
    pub(crate) name: &'static str,
    /// How much is fetched, for whoever waits.
    pub(crate) size: &'static str,
    /// Packages that it names and does not need, by the beginning of their names.
    pub(crate) not_needed: &'static [&'static str],
    /// A script beside the unpacked tree that starts the program with the libraries it came with.
    pub(crate) launcher: &'static str,
    /// Whether a program is of use.
    pub(crate) check: fn(&Path) -> Result<()>,
}

/// The program of `package` in `directory`, which is filled first unless that was done before.
pub(crate) fn fetch(directory: &Path, package: &Package) -> Result<PathBuf> {
    let name = package.name;
    let program = directory.join(name);
    if program.exists() && (package.check)(&program).is_ok() {
        return Ok(program);
    }
    // Made beside its place and moved there when it works, so that what stands there is complete.
    let unfinished = directory.with_extension("unfinished");
    for leftover in [directory, &unfinished] {
        if leftover.exists() {
            fs::remove_dir_all(leftover).with_context(|| format!("cannot remove {}", leftover.display()))?;
        }
    }
    eprintln!("fetching {name} into {}: {}, once", directory.display(), package.size);
    fill(&unfinished, package).with_context(|| format!("cannot fetch {name} as a Debian package"))?;
    fs::rename(&unfinished, directory).with_context(|| format!("cannot move the fetched {name} to its place"))?;
    Ok(program)
}

fn fill(directory: &Path, package: &Package) -> Result<()> {
    let name = package.name;
    ensure!(Path::new(KEYRING).exists(), "the archive keys of Debian are missing: {KEYRING}");
    let apt = Apt::new(&directory.join("apt"))?;
    apt.run("apt-get", &["--quiet", "--quiet", "update"])?;
    let packages = needed(&apt.run("apt-get", &["--simulate", "install", name])?, package.not_needed);
    ensure!(packages.iter().any(|package| package == name), "{SUITE} has no package {name} for this machine");

    let archives = apt.directory.join("cache/archives");
    let download: Vec<&str> =
        ["--quiet", "--quiet", "download"].into_iter().chain(packages.iter().map(String::as_str)).collect();
    apt.run("apt-get", &download)?;
    let tree = directory.join("root");
    for archive in fs::read_dir(&archives)? {
        let archive = archive?.path();
        if archive.extension().is_some_and(|extension| extension == "deb") {
            output(Command::new("dpkg-deb").arg("--extract").arg(archive).arg(&tree))?;
        }
    }
    fs::remove_dir_all(&apt.directory)?;

    let program = directory.join(name);
    fs::write(&program, package.launcher)?;
    output(Command::new("chmod").arg("+x").arg(&program))?;
    (package.check)(&program).context("what was fetched is of no use")
}

/// An apt that knows nothing of the system but the mirror it uses.
struct Apt {
    directory: PathBuf,
}

impl Apt {
    fn new(directory: &Path) -> Result<Apt> {
        let apt = Apt { directory: directory.to_owned() };
        for inside in ["parts", "lists/partial", "cache/archives/partial", "state"] {
            fs::create_dir_all(directory.join(inside))?;
        }
        fs::write(directory.join("state/status"), "")?;
        let architecture = output(Command::new("dpkg").arg("--print-architecture"))?;
        fs::write(directory.join("sources.list"), format!("deb [signed-by={KEYRING}] {} {SUITE} main\n", mirror()?))?;
        fs::write(apt.configuration(), configuration(directory, architecture.trim()))?;
        Ok(apt)
    }

    fn configuration(&self) -> PathBuf {
        self.directory.join("apt.conf")
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Result<String> {
        let archives = self.directory.join("cache/archives");
        output(Command::new(program).args(arguments).current_dir(archives).env("APT_CONFIG", self.configuration()))
    }
}

/// The main directories are replaced too, so that no hook of the system runs.
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
// A mirror may be a snapshot. Its signature is checked all the same.
Acquire::Check-Valid-Until "false";
Debug::NoLocking "true";
"#
    )
}

/// The mirror of Debian that this machine is set up to use.
fn mirror() -> Result<String> {
    let targets = ["indextargets", "--no-release-info", "--format", "$(REPO_URI)", "Created-By: Packages"];
    let addresses = output(Command::new("apt-get").args(targets))?;
    let mirror = addresses.lines().find(|address| address.trim_end_matches('/').ends_with("/debian"));
    mirror.map(str::to_owned).context("apt is set up here, but not with a mirror of Debian")
}

/// The packages of a simulated installation, less those that are not needed.
fn needed(simulation: &str, not_needed: &[&str]) -> Vec<String> {
    let names = simulation.lines().filter_map(|line| line.strip_prefix("Inst ")?.split(' ').next());
    names.filter(|name| !not_needed.iter().any(|prefix| name.starts_with(prefix))).map(str::to_owned).collect()
}

/// What the command printed; an error with its complaint when it fails.
fn output(command: &mut Command) -> Result<String> {
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
    fn what_is_not_needed_is_left_out() {
        let simulation = "Reading package lists...\nInst libc6 (2.41 Debian:sid [amd64])\nInst libllvm20 (1 x)\n\
                          Inst mesa-libgallium (1 x)\nInst godot (4.6 x)\nConf libc6 (2.41 x)\n";
        assert_eq!(needed(simulation, &["libllvm", "mesa-"]), ["libc6", "godot"]);
    }
}
