//! `cargo xtask cross`: builds for other platforms than this machine's, and runs the tests of those that can be emulated.
//!
//! Nothing is installed on the system: everything is in `target/cross`.

mod arm64;
mod windows;

mod check;
mod dist;
mod tests;

mod platform;
mod set_up;
mod standard_library;

mod debian_rustc;

mod host;

use std::path::Path;

use anyhow::Result;
use clap::Subcommand;

use self::set_up::{Prepare, set_up};
use crate::report::{Report, Tally};

/// What is done for other platforms.
#[derive(Subcommand)]
pub(crate) enum Cross {
    /// Run the tests of halloo-proto, halloo and halloo-cli as Windows programs, under Wine
    Windows {
        /// Run only the tests whose names contain this
        #[arg(default_value = "")]
        only: String,
    },
    /// Run the same tests as programs for Linux on arm64, under QEMU
    Arm64 {
        /// Run only the tests whose names contain this
        #[arg(default_value = "")]
        only: String,
    },
    /// Check that the code compiles for platforms whose programs cannot be run here
    Check {
        /// The targets, by the names that rustc uses; all of the table by default
        targets: Vec<String>,
    },
    /// Build the program and the Godot library for Windows and for Linux on arm64 into `target/cross/dist`
    Dist,
}

/// Runs the steps of one task until one fails, and prints a summary in any case.
pub(crate) fn run(root: &Path, task: &Cross) -> Result<()> {
    let mut report = Report::default();
    let result = match task {
        Cross::Windows { only } => test(root, &mut report, windows::prepare, only),
        Cross::Arm64 { only } => test(root, &mut report, arm64::prepare, only),
        Cross::Check { targets } => check::run(root, &mut report, targets),
        Cross::Dist => dist::run(root, &mut report),
    };
    report.print();
    result
}

/// Checks that the code compiles for Windows, where that takes seconds.
pub(crate) fn check_reduced(root: &Path) -> Result<Tally> {
    check::run_reduced(root)
}

fn test(root: &Path, report: &mut Report, prepare: Prepare, only: &str) -> Result<()> {
    let Some(platform) = set_up(root, report, prepare)? else { return Ok(()) };
    report.step("build", "correct what does not compile for this platform", || tests::build(root, &platform))?;
    report.step("tests", "`cargo xtask cross PLATFORM NAME` runs one test", || tests::run(root, &platform, only))
}
