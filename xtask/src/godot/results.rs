//! The results that a run of the engine printed.

use super::engine::Outcome;
use crate::report::Tally;

/// Prints the results of a run and counts them.
pub(super) fn evaluate(outcome: &Outcome) -> Tally {
    let tally = count(outcome);
    show(outcome, tally.failed > 0);
    tally
}

/// Prints the result of each test, or the whole output if something failed.
pub(super) fn show(outcome: &Outcome, failed: bool) {
    let is_result = |line: &&String| ["ok ", "SKIPPED ", "addon tests: "].iter().any(|word| line.starts_with(word));
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
    let mut tally = sum.unwrap_or_default();
    if outcome.error.is_some() || sum.is_none() {
        tally.failed = tally.failed.max(1);
    }
    tally
}

/// Parses `addon tests: 3 passed, 0 failed, 1 skipped`.
fn parse_sum(line: &str) -> Option<Tally> {
    let mut numbers = line.strip_prefix("addon tests: ")?.split(", ").map(|part| part.split(' ').next()?.parse().ok());
    Some(Tally { passed: numbers.next()??, failed: numbers.next()??, skipped: numbers.next()?? })
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
        assert_eq!(count(&outcome(&lines, Some("status 1"))), Tally { passed: 12, failed: 1, skipped: 2 });
    }

    #[test]
    fn a_run_with_an_error_has_failed_despite_its_sum() {
        let lines = ["addon tests: 12 passed, 0 failed, 0 skipped"];
        assert_eq!(count(&outcome(&lines, None)).failed, 0);
        assert_eq!(count(&outcome(&lines, Some("SCRIPT ERROR"))).failed, 1);
        assert_eq!(count(&outcome(&["Godot"], None)).failed, 1);
    }
}
