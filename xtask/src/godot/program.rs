//! Finds Godot: `$GODOT`, else `godot` on the `PATH`, else one fetched into `target/godot`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::ci::or_skip;
use crate::debian::{self, NEWEST, Package};

/// The oldest version that the addon is tested with.
const OLDEST: (u32, u32) = (4, 4);

/// Display drivers and their dependencies: most of the size, and never loaded without a display.
const NOT_NEEDED: [&str; 12] = [
    "fonts-",
    "libc-gconv",
    "libegl",
    "libgl1",
    "libglx",
    "libllvm",
    "libvulkan",
    "libz3",
    "mesa-",
    "pci.ids",
    "tzdata",
    "xkb-data",
];

/// Starts Godot with the loader and the libraries from its packages. Its data stays in the same directory.
const LAUNCHER: &str = r#"#!/bin/sh
here=$(dirname "$(realpath "$0")")
libraries=$(echo "$here"/root/usr/lib/*-linux-gnu*)
export XDG_DATA_HOME="${XDG_DATA_HOME:-$here/home}" XDG_CONFIG_HOME="${XDG_CONFIG_HOME:-$here/home}"
export XDG_CACHE_HOME="${XDG_CACHE_HOME:-$here/home}"
exec "$libraries"/ld-linux*.so.* --library-path "$libraries:$libraries/pulseaudio" "$here/root/usr/bin/godot" "$@"
"#;

const PACKAGE: Package = Package {
    name: "godot",
    suite: NEWEST,
    with: &[],
    size: "100 MiB",
    not_needed: &NOT_NEEDED,
    launcher: LAUNCHER,
    check: |program| version(program).map(drop),
};

/// Returns the program of a Godot that runs without a display; `None` if there is none and it cannot be fetched, which is
/// an error in a CI service.
pub(crate) fn prepare(root: &Path) -> Result<Option<PathBuf>> {
    if let Some(program) = std::env::var_os("GODOT").filter(|program| !program.is_empty()) {
        let program = std::path::absolute(program)?;
        version(&program).with_context(|| format!("GODOT is {}, which does not work", program.display()))?;
        return Ok(Some(program));
    }
    let found = on_path().map_or_else(|| debian::fetch(&root.join("target").join("godot"), &PACKAGE), Ok);
    or_skip(found, |error| {
        format!("no Godot, so the addon was not tested; set GODOT to the program of a Godot 4.4 or newer: {error:#}")
    })
}

/// Returns the version of a Godot program, or an error if it is too old.
pub(crate) fn version(program: &Path) -> Result<String> {
    let output = Command::new(program).arg("--version").output().context("cannot start it")?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    match parse_version(&text) {
        Some(version) if version >= OLDEST => Ok(text),
        Some(_) => bail!("it is Godot {text}, but {}.{} or newer is needed", OLDEST.0, OLDEST.1),
        None => bail!("it does not print a Godot version: {}", String::from_utf8_lossy(&output.stderr).trim()),
    }
}

/// Returns `godot` on the `PATH` if it is new enough.
fn on_path() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let name = format!("godot{}", std::env::consts::EXE_SUFFIX);
    let program = std::env::split_paths(&path).map(|directory| directory.join(&name)).find(|file| file.is_file())?;
    match version(&program) {
        Ok(_) => Some(program),
        Err(error) => {
            eprintln!("{} is not used: {error:#}", program.display());
            None
        }
    }
}

/// Parses the first two numbers of `4.6.3.stable.official.1234`.
fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.lines().last()?.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(parse_version("4.6.3.stable.debian4.6.3+ds-3"), Some((4, 6)));
        assert_eq!(parse_version("4.10.stable.official.4c311cbee"), Some((4, 10)));
        assert!(parse_version("4.10.stable").unwrap() > OLDEST);
        assert_eq!(parse_version("Godot"), None);
        assert_eq!(parse_version(""), None);
    }
}
