//! The targets for which there are packages, and their names elsewhere.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) triple: &'static str,
    /// `process.platform` and `process.arch` of Node.js.
    pub(super) npm: (&'static str, &'static str),
    /// The architecture of Debian packages.
    pub(super) debian: Option<&'static str>,
}

/// A program for one target.
pub(super) struct Program {
    pub(super) target: &'static Target,
    pub(super) path: PathBuf,
}

const fn target(triple: &'static str, npm: (&'static str, &'static str), debian: Option<&'static str>) -> Target {
    Target { triple, npm, debian }
}

pub(super) const ALL: [Target; 6] = [
    target("x86_64-unknown-linux-gnu", ("linux", "x64"), Some("amd64")),
    target("aarch64-unknown-linux-gnu", ("linux", "arm64"), Some("arm64")),
    target("x86_64-apple-darwin", ("darwin", "x64"), None),
    target("aarch64-apple-darwin", ("darwin", "arm64"), None),
    target("x86_64-pc-windows-msvc", ("win32", "x64"), None),
    target("aarch64-pc-windows-msvc", ("win32", "arm64"), None),
];

impl Target {
    pub(super) fn is_windows(&self) -> bool {
        self.npm.0 == "win32"
    }

    /// Returns whether this machine runs programs for the target.
    pub(super) fn is_host(&self) -> bool {
        let system = match self.npm.0 {
            "linux" => cfg!(all(target_os = "linux", target_env = "gnu")),
            "darwin" => cfg!(target_os = "macos"),
            _ => cfg!(windows),
        };
        system && self.triple.starts_with(std::env::consts::ARCH)
    }
}

/// Returns the file name of the program.
pub(super) fn executable(target: &Target) -> &'static str {
    if target.is_windows() { "halloo.exe" } else { "halloo" }
}

/// Finds the programs in `directory`, one for each target in a directory with its name.
pub(super) fn find(directory: &Path) -> Result<Vec<Program>> {
    let program = |target| Program { target, path: directory.join(target.triple).join(executable(target)) };
    let found: Vec<_> = ALL.iter().map(program).filter(|program| program.path.is_file()).collect();
    ensure!(!found.is_empty(), "{} has no TARGET/halloo, such as {}/halloo", directory.display(), ALL[0].triple);
    Ok(found)
}
