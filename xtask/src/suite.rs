//! `cargo xtask test`: every check, the fastest first.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::ci::is_ci;
use crate::command::{cargo, run as run_command, succeeds};
use crate::environments::Environments;
use crate::report::{Report, Tally};
use crate::{
    adversary, cargo_test, counts, cross, environments, fuzz, godot, loom, package, python, site, tidy, workflows,
};

/// Runs the steps until one fails, and prints a summary in any case.
pub(crate) fn run(root: &Path) -> Result<()> {
    let mut report = Report::default();
    let result = steps(root, &mut report);
    report.print();
    result
}

fn steps(root: &Path, report: &mut Report) -> Result<()> {
    report.step("format", "run `cargo fmt --all`", || check(&mut cargo(root, "fmt --all --check")))?;
    report.step("lints", "fix the warnings of clippy above", || {
        check(&mut cargo(root, "clippy --workspace --all-targets --locked -- -D warnings"))
    })?;
    report.step(
        "Windows, compiled only",
        "correct what does not compile there; `rustup target add x86_64-pc-windows-gnu` installs its standard library",
        || cross::check_reduced(root),
    )?;
    report.step("fuzz targets", "an input that fails is printed; add it to fuzz/corpus", || fuzz::replay(root))?;
    report.step("queues between threads", "`cargo xtask loom` runs this step alone", || {
        loom::run(root).map(|()| Tally::PASSED)
    })?;
    report.step("tidy", "fix the lines above; `cargo xtask tidy` runs this step alone", || tidy::check(root))?;

    report
        .step("workflows", "correct the lines of .github/workflows that are named above", || workflows::check(root))?;

    // Needed after the tests. Meanwhile there is time to compile, since downloads and tests mostly wait.
    let programs = counts::Programs::start_build(root);
    let environments = Environments::prepare(root, report)?;
    report.step(
        "Python types and style",
        "fix the lines above; `target/python/bin/ruff format clients/python` corrects the format",
        || {
            let Some(interpreter) = environments.get(environments::PYTHON) else { return Ok(Tally::SKIPPED) };
            python::check_client(root, interpreter).map(|()| Tally::PASSED)
        },
    )?;
    report.step("tests", "run the failing test alone: `cargo test --workspace NAME`", || {
        cargo_test::run(root, &environments)
    })?;
    report.step("instructions per message", "`cargo xtask counts` runs this step alone", || {
        counts::run(root, programs)
    })?;
    report.step(
        "adversarial tests, reduced",
        "`cargo xtask adversary --quick --scenario NAME` runs one attack; with --faults, one fault",
        || {
            if !adversary::is_possible() {
                let missing = "the adversarial tests need /proc and network namespaces";
                println!("SKIPPED: {missing}");
                return Ok(if is_ci() { Tally::failure(missing.into()) } else { Tally::SKIPPED });
            }
            adversary::run_reduced(root)
        },
    )?;
    report.step("packages", "`cargo xtask package --debug` runs this step alone", || {
        package::check_debug_build(root).map(|possible| if possible { Tally::PASSED } else { Tally::SKIPPED })
    })?;
    report.step("Python peers", "fix the programs in tests/python; the server is not involved", || {
        let Some(interpreter) = environments.get(environments::PYTHON) else { return Ok(Tally::SKIPPED) };
        check(Command::new(interpreter).current_dir(root).arg("tests/python/selftest.py"))
    })?;

    let mut engine = None;
    report.step(
        "Godot",
        "set GODOT to the program of a Godot 4.4 or newer, or delete target/godot and try again",
        || {
            engine = godot::program::prepare(root)?;
            Ok(engine.as_ref().map_or(Tally::SKIPPED, |_| Tally::PASSED))
        },
    )?;
    let found = |variable| environments.get(variable).map(Path::to_owned);
    let peers = godot::Peers {
        python: found(environments::PYTHON),
        node_modules: found(environments::NODE_MODULES),
        chromium: found(environments::CHROMIUM),
    };
    godot::test_steps(report, root, engine.as_deref(), &peers, "")?;

    report.step("documentation", "fix the comments that rustdoc names above", || {
        check(cargo(root, "doc --no-deps --workspace --locked").env("RUSTDOCFLAGS", "-Dwarnings"))
    })?;
    report.step(
        "documentation site",
        "correct what is named above; `cargo xtask site` builds the site alone",
        || site::check(root, &environments),
    )?;
    let deny = succeeds(&mut cargo(root, "deny --version"));
    if !deny {
        println!("cargo-deny is not installed; `cargo install --locked cargo-deny` installs it");
    }
    report.step("dependencies", "read the output of cargo-deny above; its rules are in deny.toml", || {
        if deny {
            return check(&mut cargo(root, "deny check licenses bans sources"));
        }
        println!("SKIPPED: cargo-deny is not installed, so licences and sources were NOT checked");
        Ok(Tally::SKIPPED)
    })?;
    report.step("advisories", "update the dependency that cargo-deny names above, or replace it", || {
        // The advisory database is downloaded, which may fail although everything else can be checked.
        if deny && succeeds(&mut cargo(root, "deny fetch db")) {
            return check(&mut cargo(root, "deny check advisories"));
        }
        println!("SKIPPED: no cargo-deny or advisory database, so known vulnerabilities were NOT checked");
        Ok(Tally::SKIPPED)
    })
}

/// Runs a command that is a single check.
fn check(command: &mut Command) -> Result<Tally> {
    run_command(command).map(|()| Tally::PASSED)
}
