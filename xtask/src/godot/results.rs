//! The results that a run of the engine printed.

use super::engine::{Outcome, is_error};
use crate::report::Tally;

/// Prints the results of a run and counts them.
pub(super) fn evaluate(outcome: &Outcome) -> Tally {
    let tally = count(outcome);
    show(outcome, tally.failed > 0);
    tally
}

/// Prints the result of each test, or the whole output if something failed.
pub(super) fn show(outcome: &Outcome, failed: bool) {
    // Progress bars are coloured, errors are not.
    let is_output = |line: &&String| failed && !line.contains('\u{1b}');
    outcome.lines.iter().filter(|line| is_output(line) || is_result(line)).for_each(|line| println!("{line}"));
    if let Some(error) = &outcome.error {
        println!("FAILED: {error}");
    }
}

/// Counts the results. A run that ended with an error has at least one failure.
fn count(outcome: &Outcome) -> Tally {
    let sum = outcome.lines.iter().find_map(|line| parse_sum(line));
    let is_complete = sum.is_some();
    let mut tally = sum.unwrap_or_default();
    if outcome.error.is_some() || !is_complete {
        tally.failed = tally.failed.max(1);
    }
    if tally.failed > 0 {
        tally.failures = failures(outcome, is_complete);
    }
    tally
}

/// Returns the failures of the tests, and the errors that the engine printed. If there are none or the run is not complete,
/// returns what went wrong with the run as well.
fn failures(outcome: &Outcome, is_complete: bool) -> Vec<String> {
    let mut failures = Vec::new();
    let mut lines = outcome.lines.iter().peekable();
    while let Some(line) = lines.next() {
        if let Some(failure) = line.strip_prefix("FAILED ") {
            failures.push(failure.to_owned());
        } else if is_error(line) {
            // The engine prints the place of an error on the next line.
            let place = lines.next_if(|next| next.trim_start().starts_with("at: "));
            failures.push(format!("{line} {}", place.map_or("", |place| place.trim())).trim().to_owned());
        }
    }
    if failures.is_empty() || !is_complete {
        let error = outcome.error.as_deref().unwrap_or("the run ended before its last test");
        let last = outcome.lines.iter().rfind(|line| is_result(line));
        failures.push(last.map_or_else(|| error.to_owned(), |last| format!("{error}; the last result is: {last}")));
    }
    failures
}

/// Returns whether the engine printed the result of a test that did not fail, or the sum.
fn is_result(line: &str) -> bool {
    ["ok ", "SKIPPED ", "addon tests: "].iter().any(|word| line.starts_with(word))
}

/// Parses `addon tests: 3 passed, 0 failed, 1 skipped`.
fn parse_sum(line: &str) -> Option<Tally> {
    let mut numbers = line.strip_prefix("addon tests: ")?.split(", ").map(|part| part.split(' ').next()?.parse().ok());
    Some(Tally { passed: numbers.next()??, failed: numbers.next()??, skipped: numbers.next()??, failures: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(lines: &[&str], error: Option<&str>) -> Outcome {
        Outcome { lines: lines.iter().map(|line| (*line).to_owned()).collect(), error: error.map(str::to_owned) }
    }

    #[test]
    fn the_sum_of_the_engine_is_counted() {
        let lines = ["ok a.b", "addon tests: 12 passed, 1 failed, 2 skipped"];
        let tally = count(&outcome(&lines, Some("status 1")));
        assert_eq!((tally.passed, tally.failed, tally.skipped), (12, 1, 2));
    }

    #[test]
    fn a_run_with_an_error_has_failed_despite_its_sum() {
        let lines = ["addon tests: 12 passed, 0 failed, 0 skipped"];
        assert_eq!(count(&outcome(&lines, None)).failed, 0);
        assert_eq!(count(&outcome(&lines, Some("SCRIPT ERROR"))).failed, 1);
        assert_eq!(count(&outcome(&["Godot"], None)).failed, 1);
    }

    #[test]
    fn failed_checks_and_errors_of_the_engine_are_kept() {
        let lines = [
            "ok a.b",
            "FAILED discovery.browser_finds_a_server: timeout after 8 s: the server is found",
            "SCRIPT ERROR: Invalid access to property 'x'.",
            "          at: test_c (res://tests/suites/a.gd:12)",
            "addon tests: 1 passed, 1 failed, 0 skipped",
        ];
        let expected = [
            "discovery.browser_finds_a_server: timeout after 8 s: the server is found",
            "SCRIPT ERROR: Invalid access to property 'x'. at: test_c (res://tests/suites/a.gd:12)",
        ];
        assert_eq!(count(&outcome(&lines, Some("the engine ended with exit status: 1"))).failures, expected);
        assert!(count(&outcome(&["addon tests: 1 passed, 0 failed, 0 skipped"], None)).failures.is_empty());
    }

    #[test]
    fn a_run_that_was_cut_short_names_its_last_result() {
        let killed = count(&outcome(&["FAILED a.a: x", "ok a.b", "Godot"], Some("the engine was killed"))).failures;
        assert_eq!(killed, ["a.a: x", "the engine was killed; the last result is: ok a.b"]);
        assert_eq!(count(&outcome(&["Godot"], None)).failures, ["the run ended before its last test"]);
        let lines = ["addon tests: 1 passed, 0 failed, 0 skipped"];
        let failures = count(&outcome(&lines, Some("the engine ended with signal: 11"))).failures;
        assert_eq!(
            failures,
            ["the engine ended with signal: 11; the last result is: addon tests: 1 passed, 0 failed, 0 skipped"]
        );
    }
}
