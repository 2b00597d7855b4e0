//! The tests of the published crates, built for another platform and run in its emulator.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::platform::Platform;
use crate::cargo_test::TestOutput;
use crate::command::run as run_command;
use crate::report::Tally;

const TEST: &str = "test --locked -p halloo-proto -p halloo -p halloo-cli";

pub(super) fn build(root: &Path, platform: &Platform) -> Result<Tally> {
    run_command(&mut platform.build(root, &format!("{TEST} --no-run")))?;
    Ok(Tally::PASSED)
}

/// Runs the tests whose names contain `only`, also those in the documentation.
pub(super) fn run(root: &Path, platform: &Platform, only: &str) -> Result<Tally> {
    let mut command = platform.run(root, &format!("{TEST} --no-fail-fast -- {only}"));
    for (test, reason) in platform.not_emulated {
        println!("SKIPPED: {test}: {reason}");
        command.args(["--skip", test]);
    }
    let mut tally = read(&mut command)?;
    tally.skipped += platform.not_emulated.len();
    Ok(tally)
}

/// Prints the output of `command` while it runs, and returns the results in it.
fn read(command: &mut Command) -> Result<Tally> {
    let command = command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().context("cannot start the tests")?;
    let mut results = TestOutput::default();
    if let Some(mut output) = child.stdout.take().map(BufReader::new) {
        let mut line = Vec::new();
        while output.read_until(b'\n', &mut line)? > 0 {
            let text = String::from_utf8_lossy(&line);
            let text = text.trim_end_matches(['\r', '\n']);
            println!("{text}");
            results.line(text);
            line.clear();
        }
    }
    let status = child.wait()?;
    let mut tally = results.finish();
    if !status.success() && tally.failed == 0 {
        tally.add(Tally::failure(format!("cargo ended with {status}")));
    }
    Ok(tally)
}

#[cfg(all(test, unix))]
mod results {
    use super::*;

    #[test]
    fn a_run_that_fails_without_a_failed_test_is_a_failure() {
        let run = |script: &str| read(Command::new("sh").args(["-c", script])).unwrap();
        let passed = "echo 'running 2 tests'; echo 'test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured'";
        assert_eq!(run(passed), Tally { passed: 2, ..Tally::default() });
        assert_eq!(run(&format!("{passed}; exit 1")).failures, ["cargo ended with exit status: 1"]);
    }
}
