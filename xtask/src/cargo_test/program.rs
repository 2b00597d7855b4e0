//! The test programs of the workspace.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::output::TestOutput;
use crate::command::cargo;
use crate::environments::Environments;
use crate::report::Tally;

/// A test program, or the examples in the documentation.
pub(super) struct TestProgram {
    name: String,
    command: Command,
}

/// What cargo reports about a file that it compiled.
#[derive(Deserialize)]
struct Artifact {
    reason: String,
    #[serde(default)]
    manifest_path: PathBuf,
    target: Option<Target>,
    profile: Option<Profile>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

impl TestProgram {
    /// Compiles all test programs. Returns an error if one does not compile.
    pub(super) fn build_all(root: &Path, environments: &Environments) -> Result<Vec<TestProgram>> {
        let arguments = "test --workspace --locked --no-run --message-format json-render-diagnostics";
        let output = cargo(root, arguments).stderr(Stdio::inherit()).output().context("cannot start cargo")?;
        ensure!(output.status.success(), "a test program does not compile: cargo ended with {}", output.status);
        let mut programs: Vec<_> = String::from_utf8_lossy(&output.stdout).lines().filter_map(Self::parse).collect();
        programs.push(TestProgram {
            name: "examples in the documentation".to_owned(),
            command: cargo(root, "test --workspace --locked --doc --no-fail-fast"),
        });
        programs.iter_mut().for_each(|program| environments.set(&mut program.command));
        Ok(programs)
    }

    /// Parses a message of cargo. Returns `None` if it is not about a test program.
    fn parse(line: &str) -> Option<TestProgram> {
        let artifact: Artifact = serde_json::from_str(line).ok()?;
        if artifact.reason != "compiler-artifact" || !artifact.profile?.test {
            return None;
        }
        let package = artifact.manifest_path.parent()?;
        let mut command = Command::new(artifact.executable?);
        command.current_dir(package).env("CARGO_MANIFEST_DIR", package);
        let name = format!("{} of {}", artifact.target?.name, package.file_name()?.display());
        Some(TestProgram { name, command })
    }

    /// Runs the program to its end. Returns its output, with a line about its time, and its results.
    pub(super) fn run(mut self) -> Result<(String, Tally)> {
        let start = Instant::now();
        // Cargo reports on stderr what it runs; a test program, what its threads print.
        let output = self.command.stdin(Stdio::null()).output();
        let output = output.with_context(|| format!("cannot start {}", self.name))?;
        let results = String::from_utf8_lossy(&output.stdout);
        let mut read = TestOutput::default();
        results.lines().for_each(|line| read.line(line));
        let mut tally = read.finish();
        if !output.status.success() && tally.failed == 0 {
            tally.add(Tally::failure(format!("it ended with {}", output.status)));
        }
        let seconds = start.elapsed().as_secs_f64();
        let errors = String::from_utf8_lossy(&output.stderr);
        let text = format!("\n{} ({seconds:.1} s)\n{}{}", self.name, errors, results.trim_start());
        Ok((text, tally.named(&self.name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_program_runs_in_the_directory_of_its_package() {
        let line = r#"{"reason":"compiler-artifact","manifest_path":"/w/crates/a/Cargo.toml","target":{"name":"limits",
            "kind":["test"]},"profile":{"test":true},"executable":"/w/target/debug/deps/limits-1"}"#;
        let program = TestProgram::parse(line).unwrap();
        assert_eq!(program.name, "limits of a");
        assert_eq!(program.command.get_program(), "/w/target/debug/deps/limits-1");
        assert_eq!(program.command.get_current_dir(), Some(Path::new("/w/crates/a")));
    }

    #[test]
    fn other_messages_of_cargo_are_no_test_programs() {
        let library = r#"{"reason":"compiler-artifact","manifest_path":"/w/crates/a/Cargo.toml","target":{"name":"a"},
            "profile":{"test":false},"executable":null}"#;
        for line in [library, r#"{"reason":"build-finished","success":true}"#, "   Compiling a"] {
            assert!(TestProgram::parse(line).is_none(), "{line}");
        }
    }
}
