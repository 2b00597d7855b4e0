//! The tests of the addon in a real engine: once with the native library, once without it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::engine::{Engine, Outcome};
use super::library;
use crate::report::Tally;

/// What stands behind the server in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Implementation {
    /// The crate `halloo-godot`, built for this machine.
    Native,
    /// `fallback.gd`, as on a platform without a library.
    Fallback,
}

impl Implementation {
    pub(crate) const BOTH: [Implementation; 2] = [Implementation::Fallback, Implementation::Native];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Implementation::Native => "native",
            Implementation::Fallback => "fallback",
        }
    }
}

/// Runs the tests whose names begin with `only` on a copy of the project, and counts them.
pub(crate) fn test(
    root: &Path,
    program: &Path,
    python: Option<&Path>,
    implementation: Implementation,
    only: &str,
) -> Result<Tally> {
    if implementation == Implementation::Native && !library::exists(root) {
        println!("SKIPPED: there is no crate halloo-godot");
        return Ok(Tally::SKIPPED);
    }
    let Some(engine) = Engine::new(program, &root.join("target/godot-tests"))? else { return Ok(Tally::SKIPPED) };
    println!("Godot {}", super::version(program)?);
    let project = copy_project(root, implementation)?;
    let import = engine.run(&project, &["--import"])?;
    if let Some(complaint) = &import.complaint {
        bail!("the project cannot be imported: {complaint}:\n{}", import.lines.join("\n"));
    }
    let python = python.map_or_else(String::new, |python| python.display().to_string());
    let outcome = engine.run(
        &project,
        &[
            "--script",
            "res://tests/run.gd",
            "--",
            &format!("implementation={}", implementation.name()),
            &format!("python={python}"),
            &format!("only={only}"),
        ],
    )?;
    let tally = count(&outcome);
    show(&outcome, tally.failed > 0);
    Ok(tally)
}

/// Prints the verdicts, or all of the output when something has failed.
fn show(outcome: &Outcome, failed: bool) {
    let is_verdict = |line: &&String| ["ok ", "SKIPPED ", "addon tests: "].iter().any(|word| line.starts_with(word));
    outcome.lines.iter().filter(|line| failed || is_verdict(line)).for_each(|line| println!("{line}"));
    if let Some(complaint) = &outcome.complaint {
        println!("FAILED: {complaint}");
    }
}

/// What the run counted; a run that did not end well has at least one failure.
fn count(outcome: &Outcome) -> Tally {
    let mut tally = outcome.lines.iter().find_map(|line| parse_sum(line)).unwrap_or_default();
    if outcome.complaint.is_some() || tally == Tally::default() {
        tally.failed = tally.failed.max(1);
    }
    tally
}

/// Reads `addon tests: 3 passed, 0 failed, 1 skipped`.
fn parse_sum(line: &str) -> Option<Tally> {
    let mut numbers = line.strip_prefix("addon tests: ")?.split(", ").map(|part| part.split(' ').next()?.parse().ok());
    Some(Tally { passed: numbers.next()??, failed: numbers.next()??, skipped: numbers.next()?? })
}

/// A copy of the project below `target`, so that what the engine writes does not get into the work tree.
fn copy_project(root: &Path, implementation: Implementation) -> Result<PathBuf> {
    let source = root.join("godot");
    let project = root.join("target/godot-tests").join(implementation.name());
    if project.exists() {
        fs::remove_dir_all(&project).with_context(|| format!("cannot remove {}", project.display()))?;
    }
    copy_directory(&source, &project)?;
    fs::create_dir_all(project.join(".godot"))?;
    if implementation == Implementation::Native {
        library::install(root, &project, library::Build::Debug)?;
        // Without this list the first import of a project with an extension crashes (godotengine/godot, issue 111048).
        fs::write(project.join(".godot/extension_list.cfg"), format!("res://{}\n", library::EXTENSION))?;
    } else if project.join(library::EXTENSION).exists() {
        // As if there were no library for this platform; the engine would complain of one that is merely missing.
        fs::remove_file(project.join(library::EXTENSION))?;
    }
    Ok(project)
}

fn copy_directory(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot list {}", from.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        if !entry.file_type()?.is_dir() {
            fs::copy(entry.path(), to.join(&name))?;
        } else if name != ".godot" && name != "bin" {
            copy_directory(&entry.path(), &to.join(&name))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(lines: &[&str], complaint: Option<&str>) -> Outcome {
        Outcome {
            lines: lines.iter().map(|line| (*line).to_owned()).collect(),
            complaint: complaint.map(str::to_owned),
        }
    }

    #[test]
    fn counts_what_the_engine_counted() {
        let lines = ["ok a.b", "addon tests: 12 passed, 1 failed, 2 skipped"];
        assert_eq!(count(&outcome(&lines, Some("status 1"))), Tally { passed: 12, failed: 1, skipped: 2 });
    }

    #[test]
    fn a_run_that_went_wrong_has_failed_whatever_it_counted() {
        let lines = ["addon tests: 12 passed, 0 failed, 0 skipped"];
        assert_eq!(count(&outcome(&lines, None)).failed, 0);
        assert_eq!(count(&outcome(&lines, Some("SCRIPT ERROR"))).failed, 1);
        assert_eq!(count(&outcome(&["Godot"], None)).failed, 1);
    }
}
