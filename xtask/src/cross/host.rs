//! The machine that builds for the other platforms.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// Returns an error where the programs of Debian that build and emulate do not run.
pub(super) fn require_host() -> Result<()> {
    let is_supported = cfg!(all(target_os = "linux", target_arch = "x86_64"));
    ensure!(is_supported, "other platforms are built and emulated on Linux on x86-64 only");
    Ok(())
}

/// Returns the directory of everything that is built and fetched for other platforms.
pub(super) fn directory(root: &Path) -> PathBuf {
    root.join("target/cross")
}

/// Returns the code name of the Debian that this machine runs.
pub(super) fn host_suite() -> Result<String> {
    let release = std::fs::read_to_string("/etc/os-release").context("the system does not say which one it is")?;
    let suite = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    Ok(suite.context("/etc/os-release names no version of Debian")?.trim_matches('"').to_owned())
}

/// Returns the directories in which programs are searched, with `directory` as the first one.
pub(super) fn path_with(directory: &Path) -> OsString {
    let mut path = directory.as_os_str().to_owned();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    path
}
