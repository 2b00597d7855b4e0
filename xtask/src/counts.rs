//! How many instructions a message costs: the same on a busy machine, and so a test where a time is none.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::command::{cargo, run as run_command};
use crate::debian::{self, Package};
use crate::report::Tally;

/// What `halloo-bench work` does, and the instructions for a message that were counted when this was written.
const PARTS: [(&str, u64); 4] = [("small", 185), ("large", 818), ("turn", 526), ("sink", 249)];

/// What a newer compiler or another C library may cost more, in percent.
const TOLERANCE: u64 = 25;

/// Counted twice, so that starting and ending, which cost the same both times, are not counted.
const MESSAGES: u64 = 16_000;

const PACKAGE: Package =
    Package { name: "valgrind", size: "30 MiB", not_needed: &["libc6-dbg", "libc-gconv"], launcher: LAUNCHER, check };

/// Starts Valgrind with the C library it came with; what runs in it has that of the system.
const LAUNCHER: &str = r#"#!/bin/sh
here=$(dirname "$(realpath "$0")")
libraries=$(echo "$here"/root/usr/lib/*-linux-gnu*)
export VALGRIND_LIB="$here/root/usr/libexec/valgrind"
exec "$libraries"/ld-linux*.so.* --library-path "$libraries" "$here/root/usr/bin/valgrind.bin" "$@"
"#;

/// `cargo xtask counts`: fails when a message costs more than it did.
pub(crate) fn test(root: &Path) -> Result<()> {
    let tally = run(root)?;
    ensure!(tally.failed == 0, "{} parts cost more instructions than they may", tally.failed);
    Ok(())
}

/// Counts every part and compares, where that is possible.
pub(crate) fn run(root: &Path) -> Result<Tally> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        println!("SKIPPED: instructions are compared on Linux on x86-64 only");
        return Ok(Tally::SKIPPED);
    }
    let Some(valgrind) = prepare(root)? else { return Ok(Tally::SKIPPED) };
    run_command(&mut cargo(root, "build --release --locked -p halloo-bench"))?;
    let program = root.join("target/release/halloo-bench");
    let mut tally = Tally::default();
    for (part, expected) in PARTS {
        let once = count(&valgrind, &program, part, MESSAGES)?;
        let twice = count(&valgrind, &program, part, 2 * MESSAGES)?;
        let each = twice.saturating_sub(once) / MESSAGES;
        println!("{part}: {each} instructions a message; {expected} when this was written");
        let most = expected + expected * TOLERANCE / 100;
        // Far too few would mean that the work was not done.
        tally.add(if (expected / 2..=most).contains(&each) { Tally::PASSED } else { Tally::FAILED });
    }
    Ok(tally)
}

/// A Valgrind, or `None`, said loudly, where none can be had; with `CI=true` in the environment that is an error.
fn prepare(root: &Path) -> Result<Option<PathBuf>> {
    let installed = Path::new("valgrind");
    if check(installed).is_ok() {
        return Ok(Some(installed.to_owned()));
    }
    match debian::fetch(&root.join("target").join("valgrind"), &PACKAGE) {
        Ok(program) => Ok(Some(program)),
        Err(error) if std::env::var_os("CI").is_some_and(|value| value == "true") => Err(error),
        Err(error) => {
            eprintln!("SKIPPED: no Valgrind, so no instructions were counted: {error:#}");
            Ok(None)
        }
    }
}

/// Whether it counts.
fn check(valgrind: &Path) -> Result<()> {
    let mut command = callgrind(valgrind);
    let output = command.arg("/bin/true").output().context("it does not start")?;
    ensure!(output.status.success(), "it ended with {}", output.status);
    Ok(())
}

fn callgrind(valgrind: &Path) -> Command {
    let mut command = Command::new(valgrind);
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    command
}

fn count(valgrind: &Path, program: &Path, part: &str, messages: u64) -> Result<u64> {
    let mut command = callgrind(valgrind);
    let output = command.arg(program).args(["work", part]).arg(messages.to_string()).output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("the work ended with {}: {text}", output.status);
    }
    collected(&text).with_context(|| format!("Valgrind tells no count: {text}"))
}

/// Reads `==123== Collected : 6606909`.
fn collected(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_count() {
        let text = "==7== Events    : Ir\n==7== Collected : 6606909\n==7==\n";
        assert_eq!(collected(text), Some(6_606_909));
        assert_eq!(collected("valgrind: cannot"), None);
    }
}
