//! `cargo xtask test`: the steps, in the order in which a mistake is cheapest to find.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::command::{cargo, run as run_command, succeeds};
use crate::godot::addon;
use crate::godot::implementation::Implementation;
use crate::report::{Report, Tally};
use crate::{adversary, counts, godot, node, python, tidy};

/// Names the Python interpreter to the integration tests; unset when there is none.
const PYTHON_VARIABLE: &str = "HALLOO_TEST_PYTHON";
/// Names the directory with the library `ws` for Node.js to them; unset when there is none.
const NODE_VARIABLE: &str = "HALLOO_TEST_NODE_MODULES";

/// Runs all steps, stops at the first that fails, and prints the summary in either case.
pub(crate) fn run(root: &Path) -> Result<()> {
    let mut report = Report::default();
    let result = steps(root, &mut report);
    report.print();
    result
}

fn steps(root: &Path, report: &mut Report) -> Result<()> {
    report.step("format", "run `cargo fmt --all`", || check(&mut cargo(root, "fmt --all --check")))?;
    report.step("lints", "mend what clippy names above", || {
        check(&mut cargo(root, "clippy --workspace --all-targets --locked -- -D warnings"))
    })?;
    report.step("tidy", "mend the lines named above; `cargo xtask tidy` runs this step alone", || {
        tidy::run(root).map(|()| Tally::PASSED)
    })?;

    let mut interpreter = None;
    report.step("python environment", "install python3 with venv, or remove target/python and try again", || {
        interpreter = python::prepare(root)?;
        Ok(interpreter.as_ref().map_or(Tally::SKIPPED, |_| Tally::PASSED))
    })?;
    let mut modules = None;
    report.step("node environment", "install Node.js with npm, or remove target/node and try again", || {
        modules = node::prepare(root)?;
        Ok(modules.as_ref().map_or(Tally::SKIPPED, |_| Tally::PASSED))
    })?;
    report.step("tests", "run the failing test alone: `cargo test --workspace NAME`", || {
        let mut command = cargo(root, "test --workspace --locked");
        for (variable, path) in [(PYTHON_VARIABLE, &interpreter), (NODE_VARIABLE, &modules)] {
            match path {
                Some(path) => command.env(variable, path),
                None => command.env_remove(variable),
            };
        }
        count_tests(&mut command)
    })?;
    report.step("instructions for a message", "`cargo xtask counts` runs this step alone; see its PARTS", || {
        counts::run(root)
    })?;
    report.step(
        "adversarial tests, reduced",
        "`cargo xtask adversary --quick --scenario NAME` runs one scenario; with --faults, one fault",
        || {
            if !adversary::is_possible() {
                println!(
                    "SKIPPED: the adversarial tests need /proc and network namespaces, which this machine does not allow"
                );
                let build_service = std::env::var_os("CI").is_some_and(|value| value == "true");
                return Ok(if build_service { Tally::FAILED } else { Tally::SKIPPED });
            }
            adversary::in_small(root).map(|()| Tally::PASSED)
        },
    )?;
    report.step("python peers", "the Python programs in tests/python are at fault, not the server", || {
        let Some(path) = &interpreter else { return Ok(Tally::SKIPPED) };
        check(Command::new(path).current_dir(root).arg("tests/python/selftest.py"))
    })?;

    let mut engine = None;
    report.step(
        "godot",
        "set GODOT to the program of a Godot 4.4 or newer, or remove target/godot and try again",
        || {
            engine = godot::prepare(root)?;
            Ok(engine.as_ref().map_or(Tally::SKIPPED, |_| Tally::PASSED))
        },
    )?;
    for implementation in Implementation::BOTH {
        let name = format!("godot addon, {}", implementation.name());
        report.step(&name, "run the failing test alone: `cargo xtask godot-test NAME`", || {
            let Some(program) = &engine else { return Ok(Tally::SKIPPED) };
            addon::test(root, program, interpreter.as_deref(), implementation, "")
        })?;
    }

    report.step("documentation", "mend the comments that rustdoc names above", || {
        check(cargo(root, "doc --no-deps --workspace --locked").env("RUSTDOCFLAGS", "-Dwarnings"))
    })?;
    let deny = succeeds(&mut cargo(root, "deny --version"));
    if !deny {
        println!("cargo-deny is not installed; `cargo install --locked cargo-deny` provides it");
    }
    report.step("dependencies", "read what cargo-deny says above; its rules stand in deny.toml", || {
        if deny {
            return check(&mut cargo(root, "deny check licenses bans sources"));
        }
        println!("SKIPPED: without cargo-deny, licences and sources were NOT checked");
        Ok(Tally::SKIPPED)
    })?;
    report.step("advisories", "update the dependency that cargo-deny names above, or replace it", || {
        // The list of advisories comes from elsewhere, so it may be out of reach where everything else can be checked.
        if deny && succeeds(&mut cargo(root, "deny fetch db")) {
            return check(&mut cargo(root, "deny check advisories"));
        }
        println!("SKIPPED: without cargo-deny or its list of advisories, known weaknesses were NOT looked for");
        Ok(Tally::SKIPPED)
    })
}

/// A command that is one check.
fn check(command: &mut Command) -> Result<Tally> {
    run_command(command).map(|()| Tally::PASSED)
}

/// Runs `cargo test`, passing its output on and adding up the result of every test program.
fn count_tests(command: &mut Command) -> Result<Tally> {
    let mut child = command.stdout(Stdio::piped()).spawn().context("cannot start cargo")?;
    let mut tally = Tally::default();
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).split(b'\n') {
            let line = line?;
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            tally.add(parse_result(&line).unwrap_or_default());
        }
    }
    // A test that does not compile, or dies on a signal, fails without having been counted.
    if !child.wait()?.success() && tally.failed == 0 {
        tally.add(Tally::FAILED);
    }
    Ok(tally)
}

/// Reads `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; …`.
fn parse_result(line: &str) -> Option<Tally> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let mut tally = Tally::default();
    for part in counts.split("; ") {
        let Some((number, what)) = part.split_once(' ') else { continue };
        match what {
            "passed" => tally.passed = number.parse().ok()?,
            "failed" => tally.failed = number.parse().ok()?,
            "ignored" => tally.skipped = number.parse().ok()?,
            _ => {}
        }
    }
    Some(tally)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_result_of_a_test_program() {
        let line = "test result: FAILED. 12 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.01s";
        assert_eq!(parse_result(line), Some(Tally { passed: 12, failed: 1, skipped: 2 }));
        assert_eq!(parse_result("test ports::falls_back ... ok"), None);
    }
}
