//! `cargo xtask fuzz`: runs the targets in `fuzz/` with cargo-fuzz.
//!
//! libFuzzer needs compiler flags of the nightly channel. `RUSTC_BOOTSTRAP` makes the stable compiler accept them. No
//! sanitizer is used, since there is no unsafe code.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;

use crate::ci::or_skip;
use crate::command::{cargo, executable, run as run_command, succeeds};
use crate::report::Tally;

/// The version of cargo-fuzz, pinned, so that an update of the tool cannot break a run.
const CARGO_FUZZ: &str = "0.13.2";
/// Runs of each target for `--smoke`: a few seconds in total.
const SMOKE: u64 = 100_000;
const SEED: u32 = 1;
/// The maximum length of an input in bytes: several times what any parser reads.
const MAX_LENGTH: u32 = 2048;
/// Targets whose inputs are lists of steps, and the bytes after which they stop.
const MAX_LENGTHS: [(&str, u32); 2] = [("event_queue", 386), ("tls_records", 256)];

/// What to fuzz.
#[derive(Args)]
pub(crate) struct Options {
    /// Run only this target, a file in fuzz/fuzz_targets
    target: Option<String>,
    /// Run each target for a few seconds, with the same inputs every time
    #[arg(long, conflicts_with = "runs")]
    smoke: bool,
    /// Number of runs of each target
    #[arg(long, default_value_t = 10_000_000)]
    runs: u64,
}

/// Runs the targets one after the other. An input that breaks one is kept, and the error names it.
pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    let runs = if options.smoke { SMOKE } else { options.runs };
    let Some(tool) = tool(root)? else { return Ok(()) };
    let targets = targets(root)?;
    let chosen = |name: &&String| options.target.as_ref().is_none_or(|target| target == *name);
    let chosen: Vec<&String> = targets.iter().filter(chosen).collect();
    if chosen.is_empty() {
        bail!("no such target; choose from {}", targets.join(", "));
    }
    for target in chosen {
        let start = Instant::now();
        // New inputs are written here; the corpus in `fuzz/` is only read.
        let found = root.join("target").join("fuzz").join(if options.smoke { "smoke" } else { "found" }).join(target);
        if options.smoke && found.exists() {
            // Inputs of an earlier run would change what this one does.
            fs::remove_dir_all(&found)?;
        }
        fuzz(root, &tool, target, runs, &found)?;
        println!("{target}: {runs} runs in {:.0} s", start.elapsed().as_secs_f64());
    }
    Ok(())
}

/// Runs the program of each target without libFuzzer: its corpus, and a few hundred changed copies of it.
pub(crate) fn replay(root: &Path) -> Result<Tally> {
    const ARGUMENTS: &str = "--locked --manifest-path fuzz/Cargo.toml --target-dir target --no-default-features";
    run_command(&mut cargo(root, &format!("build {ARGUMENTS}")))?;
    let mut tally = Tally::default();
    for target in targets(root)? {
        tally.add(match run_command(&mut cargo(root, &format!("run --quiet {ARGUMENTS} --bin {target}"))) {
            Ok(()) => Tally::PASSED,
            Err(error) => Tally::failure(format!("{target}: {error:#}; its output is above")),
        });
    }
    Ok(tally)
}

/// Returns the names of the targets, sorted.
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
    // Without the tracing of comparisons there are two to three times as many runs. The corpus has what they look for.
    command.args(["run", "--fuzz-dir", "fuzz", "--sanitizer", "none", "--no-trace-compares", target]).arg(found);
    command.arg(root.join("fuzz").join("corpus").join(target));
    let length = MAX_LENGTHS.iter().find(|(name, _)| *name == target).map_or(MAX_LENGTH, |(_, length)| *length);
    command.args(["--", &format!("-runs={runs}"), &format!("-seed={SEED}"), &format!("-max_len={length}")]);
    command.arg(format!("-artifact_prefix={}{}", found.display(), std::path::MAIN_SEPARATOR));
    command.stderr(fs::File::create(&log)?);
    run_command(&mut command)
        .with_context(|| format!("{target} failed or could not be built; the end of {} shows the input", log.display()))
}

/// Returns cargo-fuzz, and installs it into `target/tools` if it is missing; `None` if that is not possible, which is an
/// error in a CI service.
fn tool(root: &Path) -> Result<Option<PathBuf>> {
    let directory = root.join("target").join("tools");
    let own = directory.join("bin").join(executable("cargo-fuzz"));
    for tool in [own.clone(), PathBuf::from("cargo-fuzz")] {
        if succeeds(Command::new(&tool).arg("--version")) {
            return Ok(Some(tool));
        }
    }
    let arguments = format!("install --quiet --locked cargo-fuzz@{CARGO_FUZZ} --root");
    let installed = if cfg!(windows) {
        Err(anyhow!("fuzzing is not supported on Windows"))
    } else {
        run_command(cargo(root, &arguments).arg(&directory))
    };
    or_skip(installed.map(|()| own), |error| format!("cannot install cargo-fuzz, so nothing was fuzzed: {error:#}"))
}
