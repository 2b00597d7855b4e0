//! `cargo xtask test`: every check, the fastest first.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::ci::is_ci;
use crate::command::{cargo, run as run_command, succeeds};
use crate::report::{Report, Tally};
use crate::{
    adversary, avahi, cargo_test, chromium, counts, cplusplus, fuzz, godot, loom, micropython, mono, node, python,
    tidy, webkit,
};

/// The Python interpreter for the integration tests; unset if there is none.
const PYTHON_VARIABLE: &str = "HALLOO_TEST_PYTHON";
/// The directory with MicroPython's Unix port, a Python module; unset if there is none.
const MICROPYTHON_VARIABLE: &str = "HALLOO_TEST_MICROPYTHON";
/// The directory with the library `ws` for Node.js; unset if there is none.
const NODE_VARIABLE: &str = "HALLOO_TEST_NODE_MODULES";
/// The Chromium in which the page is tested; unset if there is none.
const CHROMIUM_VARIABLE: &str = "HALLOO_TEST_CHROMIUM";
/// The directory with Vite; unset if there is none.
const VITE_VARIABLE: &str = "HALLOO_TEST_VITE";
/// The programs of Bun and Deno; unset if there are none.
const BUN_VARIABLE: &str = "HALLOO_TEST_BUN";
const DENO_VARIABLE: &str = "HALLOO_TEST_DENO";
/// The directory with the programs that examine the npm package; unset if there are none.
const NPM_TOOLS_VARIABLE: &str = "HALLOO_TEST_NPM_TOOLS";
/// The program that starts the driver of WebKit; unset if there is none.
const WEBKIT_VARIABLE: &str = "HALLOO_TEST_WEBKIT";
/// The variable that tells the tests where the program is that starts those of Avahi.
const AVAHI_VARIABLE: &str = "HALLOO_TEST_AVAHI";
/// The C++ compiler; unset if there is none.
const CPLUSPLUS_VARIABLE: &str = "HALLOO_TEST_CPLUSPLUS";
/// The program that starts Mono and its compiler; unset if there is none.
const MONO_VARIABLE: &str = "HALLOO_TEST_MONO";

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
    report.step("fuzz targets", "an input that fails is printed; add it to fuzz/corpus", || fuzz::replay(root))?;
    report.step("queues between threads", "`cargo xtask loom` runs this step alone", || {
        loom::run(root).map(|()| Tally::PASSED)
    })?;
    report.step("tidy", "fix the lines above; `cargo xtask tidy` runs this step alone", || tidy::check(root))?;

    let mut interpreter = None;
    report.step("Python environment", "install python3 with venv, or delete target/python and try again", || {
        interpreter = python::prepare(root)?;
        Ok(interpreter.as_ref().map_or(Tally::SKIPPED, |_| Tally::PASSED))
    })?;
    report.step(
        "Python types and style",
        "fix the lines above; `target/python/bin/ruff format clients/python` corrects the format",
        || {
            let Some(path) = &interpreter else { return Ok(Tally::SKIPPED) };
            python::check_client(root, path).map(|()| Tally::PASSED)
        },
    )?;
    let mut micropython = None;
    report.step("MicroPython", "check the network connection, or delete target/micropython and try again", || {
        micropython = micropython::prepare(root, interpreter.as_deref())?;
        Ok(micropython.as_ref().map_or(Tally::SKIPPED, |_| Tally::PASSED))
    })?;
    let mut modules = None;
    report.step("Node.js environment", "install Node.js with npm, or delete target/node and try again", || {
        modules = node::prepare(root)?;
        Ok(modules.as_ref().map_or(Tally::SKIPPED, |_| Tally::PASSED))
    })?;
    let mut chromium = None;
    report.step("Chromium", "set CHROMIUM to its program, or delete target/chromium and try again", || {
        chromium = chromium::prepare(root)?;
        Ok(chromium.as_ref().map_or(Tally::SKIPPED, |_| Tally::PASSED))
    })?;
    let mut vite = None;
    report.step("Vite", "check the network connection, or delete target/vite and try again", || {
        vite = node::prepare_vite(root)?;
        Ok(vite.as_ref().map_or(Tally::SKIPPED, |_| Tally::PASSED))
    })?;
    let (mut bun, mut deno, mut npm_tools) = (None, None, None);
    report.step("Bun", "check the network connection, or delete target/bun and try again", || {
        bun = node::prepare_bun(root)?;
        Ok(bun.as_ref().map_or(Tally::SKIPPED, |_| Tally::PASSED))
    })?;
    report.step("Deno", "check the network connection, or delete target/deno and try again", || {
        deno = node::prepare_deno(root)?;
        Ok(deno.as_ref().map_or(Tally::SKIPPED, |_| Tally::PASSED))
    })?;
    report.step("tools for npm", "check the network connection, or delete target/npm-tools and try again", || {
        npm_tools = node::prepare_npm_tools(root)?;
        Ok(npm_tools.as_ref().map_or(Tally::SKIPPED, |_| Tally::PASSED))
    })?;
    let mut webkit = None;
    report.step("WebKit", "check the network connection; elsewhere than on Debian, WebKit is not fetched", || {
        webkit = webkit::prepare(root)?;
        Ok(webkit.as_ref().map_or(Tally::SKIPPED, |_| Tally::PASSED))
    })?;
    let mut avahi = None;
    report.step(
        "Avahi",
        "check the network connection and try again; elsewhere than on Debian, Avahi is not fetched",
        || {
            avahi = avahi::prepare(root)?;
            Ok(avahi.as_ref().map_or(Tally::SKIPPED, |_| Tally::PASSED))
        },
    )?;
    let mut cplusplus = None;
    report.step("C++ compiler", "install g++ or clang++", || {
        cplusplus = cplusplus::prepare()?;
        Ok(cplusplus.as_ref().map_or(Tally::SKIPPED, |_| Tally::PASSED))
    })?;
    let mut mono = None;
    report.step("Mono", "check the network connection; elsewhere than on Debian, Mono is not fetched", || {
        mono = mono::prepare(root)?;
        Ok(mono.as_ref().map_or(Tally::SKIPPED, |_| Tally::PASSED))
    })?;
    report.step("tests", "run the failing test alone: `cargo test --workspace NAME`", || {
        // Otherwise cargo stops at the first test program that fails, and a run reports the failures of that one only.
        let mut command = cargo(root, "test --workspace --locked --no-fail-fast");
        let environments = [
            (PYTHON_VARIABLE, &interpreter),
            (MICROPYTHON_VARIABLE, &micropython),
            (NODE_VARIABLE, &modules),
            (CHROMIUM_VARIABLE, &chromium),
            (VITE_VARIABLE, &vite),
            (BUN_VARIABLE, &bun),
            (DENO_VARIABLE, &deno),
            (NPM_TOOLS_VARIABLE, &npm_tools),
            (WEBKIT_VARIABLE, &webkit),
            (AVAHI_VARIABLE, &avahi),
            (CPLUSPLUS_VARIABLE, &cplusplus),
            (MONO_VARIABLE, &mono),
        ];
        for (variable, path) in environments {
            match path {
                Some(path) => command.env(variable, path),
                None => command.env_remove(variable),
            };
        }
        cargo_test::run(&mut command)
    })?;
    report.step("instructions per message", "`cargo xtask counts` runs this step alone", || counts::run(root))?;
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
    report.step("Python peers", "fix the programs in tests/python; the server is not involved", || {
        let Some(path) = &interpreter else { return Ok(Tally::SKIPPED) };
        check(Command::new(path).current_dir(root).arg("tests/python/selftest.py"))
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
    let peers = godot::Peers { python: interpreter, node_modules: modules, chromium };
    godot::test_steps(report, root, engine.as_deref(), &peers, "")?;

    report.step("documentation", "fix the comments that rustdoc names above", || {
        check(cargo(root, "doc --no-deps --workspace --locked").env("RUSTDOCFLAGS", "-Dwarnings"))
    })?;
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
