//! `cargo check` for platforms whose programs cannot be run here, or that need a linker that is not free.

use std::path::Path;

use anyhow::{Result, ensure};

use super::host::require_host;
use super::platform::Platform;
use super::standard_library::{self, Purpose, StandardLibrary};
use super::windows;
use crate::ci::{is_ci, or_skip};
use crate::command::run as run_command;
use crate::report::{Report, Tally};

/// Without the program: a part of its TLS is in C and needs headers of the system.
const LIBRARIES: &[&str] = &["halloo-proto", "halloo"];

/// The platforms, and the crates that are checked for each.
const TARGETS: [(&str, &[&str]); 10] = [
    ("aarch64-apple-darwin", LIBRARIES),
    ("x86_64-apple-darwin", LIBRARIES),
    ("aarch64-apple-ios", LIBRARIES),
    ("aarch64-linux-android", LIBRARIES),
    ("armv7-linux-androideabi", LIBRARIES),
    ("x86_64-unknown-freebsd", LIBRARIES),
    ("i686-unknown-linux-gnu", LIBRARIES),
    ("i686-pc-windows-gnu", LIBRARIES),
    ("s390x-unknown-linux-gnu", LIBRARIES),
    ("wasm32-unknown-unknown", &["halloo-proto"]),
];

/// Checks `only`, or every platform, each as a step.
pub(super) fn run(root: &Path, report: &mut Report, only: &[String]) -> Result<()> {
    for name in only {
        ensure!(
            TARGETS.iter().any(|(target, _)| target == name),
            "nothing is checked for {name}; add it to {}",
            file!()
        );
    }
    for (target, crates) in TARGETS {
        if only.is_empty() || only.iter().any(|name| name == target) {
            report.step(target, "correct what does not compile for this platform", || check(root, target, crates))?;
        }
    }
    Ok(())
}

/// Checks one platform whose standard library the toolchain has, which takes seconds: the one that differs most from those
/// that the tests run on.
pub(super) fn run_reduced(root: &Path) -> Result<Tally> {
    let target = windows::TARGET;
    if !standard_library::is_installed(target)? {
        let missing = format!("the toolchain has no {target}; `rustup target add {target}` installs it");
        println!("SKIPPED: {missing}");
        return Ok(if is_ci() { Tally::failure(missing) } else { Tally::SKIPPED });
    }
    check_with(root, Platform::new(target, StandardLibrary::INSTALLED), LIBRARIES)
}

fn check(root: &Path, target: &'static str, crates: &[&str]) -> Result<Tally> {
    let library = require_host().and_then(|()| standard_library::prepare(root, target, Purpose::Check, None));
    let Some(library) = or_skip(library, |error| format!("{target} was not checked: {error:#}"))? else {
        return Ok(Tally::SKIPPED);
    };
    check_with(root, Platform::new(target, library), crates)
}

fn check_with(root: &Path, mut platform: Platform, crates: &[&str]) -> Result<Tally> {
    // Code that only another platform uses is compiled nowhere else, so nothing else shows its warnings.
    platform.add_flag("-Dwarnings");
    for name in crates {
        run_command(&mut platform.build(root, &format!("check --quiet --locked -p {name}")))?;
    }
    Ok(Tally { passed: crates.len(), ..Tally::default() })
}
