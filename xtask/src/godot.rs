//! A Godot to test the addon in: `$GODOT`, else the one on the path, else one fetched into `target/godot`.

pub(crate) mod addon;
pub(crate) mod bench;
pub(crate) mod library;

mod archive;
pub(crate) mod copy;
mod engine;
pub(crate) mod implementation;
mod outcome;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use self::implementation::Implementation;
use crate::debian::{self, Package};
use crate::python;

/// What the addon is tested with at the least; it may be used with older ones.
const OLDEST: (u32, u32) = (4, 4);

/// `cargo xtask godot`: makes sure that there is a Godot and prints the path of its program.
pub(crate) fn run(root: &Path) -> Result<()> {
    if let Some(program) = prepare(root)? {
        println!("{}", program.display());
    }
    Ok(())
}

/// `cargo xtask godot-test`: runs the tests of the addon whose names begin with `only`, with both implementations.
pub(crate) fn test(root: &Path, only: &str) -> Result<()> {
    let Some(program) = prepare(root)? else { return Ok(()) };
    let python = python::prepare(root)?;
    for implementation in Implementation::BOTH {
        println!("\n=== {}", implementation.name());
        let tally = addon::test(root, &program, python.as_deref(), implementation, only)?;
        ensure!(tally.failed == 0, "{} tests of the {} implementation failed", tally.failed, implementation.name());
    }
    Ok(())
}

/// Drivers for a screen and what only they need: loaded on demand, never without a screen, and most of the size.
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

/// Starts Godot with the libraries it came with, through their own loader. Its data stays here as well.
const LAUNCHER: &str = r#"#!/bin/sh
here=$(dirname "$(realpath "$0")")
libraries=$(echo "$here"/root/usr/lib/*-linux-gnu*)
export XDG_DATA_HOME="${XDG_DATA_HOME:-$here/home}" XDG_CONFIG_HOME="${XDG_CONFIG_HOME:-$here/home}"
export XDG_CACHE_HOME="${XDG_CACHE_HOME:-$here/home}"
exec "$libraries"/ld-linux*.so.* --library-path "$libraries:$libraries/pulseaudio" "$here/root/usr/bin/godot" "$@"
"#;

const PACKAGE: Package = Package {
    name: "godot",
    size: "100 MiB",
    not_needed: &NOT_NEEDED,
    launcher: LAUNCHER,
    check: |program| version(program).map(drop),
};

/// The program of a Godot that runs without a screen, or `None`, said loudly, where none can be had.
///
/// With `CI=true` in the environment a missing Godot is an error: a build service must not skip in silence.
pub(crate) fn prepare(root: &Path) -> Result<Option<PathBuf>> {
    if let Some(program) = std::env::var_os("GODOT").filter(|program| !program.is_empty()) {
        let program = std::path::absolute(program)?;
        version(&program).with_context(|| format!("GODOT names {}, which is of no use", program.display()))?;
        return Ok(Some(program));
    }
    match on_path().map_or_else(|| debian::fetch(&root.join("target").join("godot"), &PACKAGE), Ok) {
        Ok(program) => Ok(Some(program)),
        Err(error) if std::env::var_os("CI").is_some_and(|value| value == "true") => Err(error),
        Err(error) => {
            eprintln!("SKIPPED: no Godot, so nothing of the addon was tested: {error:#}");
            eprintln!("         set GODOT to the program of a Godot 4.4 or newer");
            Ok(None)
        }
    }
}

/// What the program says its version is; an error unless it is new enough.
pub(crate) fn version(program: &Path) -> Result<String> {
    let output = Command::new(program).arg("--version").output().context("it does not start")?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    match parse_version(&text) {
        Some(version) if version >= OLDEST => Ok(text),
        Some(_) => bail!("it is Godot {text}; {}.{} or newer is needed", OLDEST.0, OLDEST.1),
        None => bail!("its --version is not that of a Godot: {}", String::from_utf8_lossy(&output.stderr).trim()),
    }
}

/// `godot` on the path, when it is new enough.
fn on_path() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let name = format!("godot{}", std::env::consts::EXE_SUFFIX);
    let program = std::env::split_paths(&path).map(|directory| directory.join(&name)).find(|file| file.is_file())?;
    match version(&program) {
        Ok(_) => Some(program),
        Err(error) => {
            eprintln!("{} is passed over: {error:#}", program.display());
            None
        }
    }
}

/// Reads the first two numbers of `4.6.3.stable.official.1234`.
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
