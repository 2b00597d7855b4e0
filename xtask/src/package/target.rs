//! The targets for which there are packages, and their names elsewhere.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) triple: &'static str,
    /// `process.platform` and `process.arch` of Node.js.
    pub(super) npm: (&'static str, &'static str),
    /// The architecture of Debian packages.
    pub(super) debian: Option<&'static str>,
    /// The directory and the file of the addon's library, if Zig can build it.
    pub(super) library: Option<(&'static str, &'static str)>,
}

/// A program for one target.
pub(super) struct Program {
    pub(super) target: &'static Target,
    pub(super) path: PathBuf,
}

const fn target(triple: &'static str, npm: (&'static str, &'static str), debian: Option<&'static str>) -> Target {
    Target { triple, npm, debian, library: None }
}

impl Target {
    const fn with_library(self, directory: &'static str, file: &'static str) -> Target {
        Target { library: Some((directory, file)), ..self }
    }
}

pub(super) const ALL: [Target; 8] = [
    target("x86_64-unknown-linux-gnu", ("linux", "x64"), Some("amd64"))
        .with_library("linux.x86_64", "libhalloo_godot.so"),
    target("aarch64-unknown-linux-gnu", ("linux", "arm64"), Some("arm64"))
        .with_library("linux.arm64", "libhalloo_godot.so"),
    target("x86_64-unknown-linux-musl", ("linux", "x64"), None),
    target("x86_64-apple-darwin", ("darwin", "x64"), None),
    target("aarch64-apple-darwin", ("darwin", "arm64"), None),
    target("x86_64-pc-windows-msvc", ("win32", "x64"), None),
    target("aarch64-pc-windows-msvc", ("win32", "arm64"), None),
    // For the same machines as the one of MSVC, which is preferred.
    target("x86_64-pc-windows-gnu", ("win32", "x64"), None).with_library("windows.x86_64", "halloo_godot.dll"),
];

/// The oldest C library for which Rust compiles programs, 2.17.
pub(super) const OLDEST_LIBC: u32 = 17;

impl Target {
    pub(super) fn is_windows(&self) -> bool {
        self.npm.0 == "win32"
    }

    /// Returns whether programs for the target need no library of the system.
    pub(super) fn is_static(&self) -> bool {
        self.triple.ends_with("-musl")
    }

    /// Returns whether this machine runs programs for the target, which has the libraries of this system.
    pub(super) fn is_host(&self) -> bool {
        let system = match self.npm.0 {
            "linux" => cfg!(all(target_os = "linux", target_env = "gnu")),
            "darwin" => cfg!(target_os = "macos"),
            _ => cfg!(windows),
        };
        let is_gnu = self.triple.ends_with("-gnu");
        let libraries = if cfg!(target_env = "gnu") { is_gnu } else { !is_gnu };
        system && libraries && !self.is_static() && self.triple.starts_with(std::env::consts::ARCH)
    }
}

impl Program {
    /// Returns the minor version of the C library that the program needs, such as 34 for 2.34: the newest one whose symbols
    /// it uses. `None` if it uses none.
    pub(super) fn required_libc(&self) -> Result<Option<u32>> {
        let content = fs::read(&self.path).with_context(|| format!("cannot read {}", self.path.display()))?;
        Ok(newest_libc_symbol(&content))
    }
}

fn newest_libc_symbol(program: &[u8]) -> Option<u32> {
    const PREFIX: &[u8] = b"GLIBC_2.";
    let versions = program.windows(PREFIX.len()).enumerate().filter(|(_, window)| *window == PREFIX);
    let minor = versions.filter_map(|(start, _)| {
        let digits = program[start + PREFIX.len()..].iter().take_while(|byte| byte.is_ascii_digit());
        String::from_utf8(digits.copied().collect()).ok()?.parse().ok()
    });
    minor.max()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newest_symbol_version_is_required() {
        assert_eq!(newest_libc_symbol(b"\0GLIBC_2.4\0GLIBC_2.34\0GLIBC_2.28\0"), Some(34));
        assert_eq!(newest_libc_symbol(b"static"), None);
    }

    #[test]
    fn one_target_is_that_of_this_machine() {
        let host: Vec<&str> = ALL.iter().filter(|target| target.is_host()).map(|target| target.triple).collect();
        assert!(host.len() <= 1, "{host:?}");
    }
}
