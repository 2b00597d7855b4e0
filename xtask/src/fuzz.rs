//! `cargo xtask fuzz`: the targets of `fuzz/`, run by cargo-fuzz.
//!
//! libFuzzer needs flags that only a nightly compiler takes. `RUSTC_BOOTSTRAP` lets the stable one take them, without a
//! sanitizer: there is no unsafe code here to watch.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::command::{cargo, run as run_command, succeeds};

/// Pinned, so that a failure is ours and not the tool's.
const CARGO_FUZZ: &str = "0.13.2";
/// Runs of each target that take a few seconds in all.
const SMOKE: u64 = 100_000;
const SEED: u32 = 1;
/// Bytes of an input: several times what any rule looks at.
const LONGEST: u32 = 2048;

/// What to fuzz, and for how long.
#[derive(Args)]
pub(crate) struct Options {
    /// Only this target, a file in fuzz/fuzz_targets
    target: Option<String>,
    /// A few seconds for each target, and the same inputs each time
    #[arg(long, conflicts_with = "runs")]
    smoke: bool,
    /// Runs of each target
    #[arg(long, default_value_t = 10_000_000)]
    runs: u64,
}

/// Runs the targets one after the other; an input that breaks one is kept, and named.
pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    let runs = if options.smoke { SMOKE } else { options.runs };
    let Some(tool) = tool(root)? else { return Ok(()) };
    let targets = targets(root)?;
    let chosen = |name: &&String| options.target.as_ref().is_none_or(|target| target == *name);
    let chosen: Vec<&String> = targets.iter().filter(chosen).collect();
    if chosen.is_empty() {
        bail!("there is no such target; there are {}", targets.join(", "));
    }
    for target in chosen {
        let start = Instant::now();
        // What is found goes here; the inputs beside the targets are read only.
        let found = root.join("target").join("fuzz").join(if options.smoke { "smoke" } else { "found" }).join(target);
        if options.smoke && found.exists() {
            // What an earlier run found would lead this one elsewhere.
            fs::remove_dir_all(&found)?;
        }
        fuzz(root, &tool, target, runs, &found)?;
        println!("{target}: {runs} runs in {:.0} s", start.elapsed().as_secs_f64());
    }
    Ok(())
}

/// The names of the targets, in the order of the alphabet.
fn targets(root: &Path) -> Result<Vec<String>> {
    let directory = root.join("fuzz").join("fuzz_targets");
    let mut names = Vec::new();
    for entry in fs::read_dir(&directory).with_context(|| format!("cannot list {}", directory.display()))? {
        names.extend(entry?.path().file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

fn fuzz(root: &Path, tool: &Path, target: &str, runs: u64, found: &Path) -> Result<()> {
    fs::create_dir_all(found)?;
    let log = found.with_extension("log");
    let mut command = Command::new(tool);
    command.current_dir(root).env("RUSTC_BOOTSTRAP", "1");
    command.args(["run", "--fuzz-dir", "fuzz", "--sanitizer", "none", target]).arg(found);
    command.arg(root.join("fuzz").join("corpus").join(target));
    command.args(["--", &format!("-runs={runs}"), &format!("-seed={SEED}"), &format!("-max_len={LONGEST}")]);
    command.arg(format!("-artifact_prefix={}{}", found.display(), std::path::MAIN_SEPARATOR));
    command.stderr(fs::File::create(&log)?);
    run_command(&mut command)
        .with_context(|| format!("{target} broke, or could not be built; {} ends with the input", log.display()))
}

/// cargo-fuzz, from `target/tools` unless it is installed; `None`, said loudly, where it cannot be had.
fn tool(root: &Path) -> Result<Option<PathBuf>> {
    let directory = root.join("target").join("tools");
    let own = directory.join("bin").join(format!("cargo-fuzz{}", std::env::consts::EXE_SUFFIX));
    for tool in [own.clone(), PathBuf::from("cargo-fuzz")] {
        if succeeds(Command::new(&tool).arg("--version")) {
            return Ok(Some(tool));
        }
    }
    let arguments = format!("install --quiet --locked cargo-fuzz@{CARGO_FUZZ} --root");
    let outcome = if cfg!(windows) {
        Err(anyhow::anyhow!("libFuzzer is not built on Windows here"))
    } else {
        run_command(cargo(root, &arguments).arg(&directory))
    };
    match outcome {
        Ok(()) => Ok(Some(own)),
        Err(error) if std::env::var_os("CI").is_some_and(|value| value == "true") => Err(error),
        Err(error) => {
            println!("SKIPPED: cargo-fuzz cannot be had, so nothing was fuzzed: {error:#}");
            Ok(None)
        }
    }
}
