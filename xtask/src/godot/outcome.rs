//! What a run of the engine came to.

use super::engine::Outcome;
use crate::report::Tally;

/// Counts and shows a run.
pub(super) fn judge(outcome: &Outcome) -> Tally {
    let tally = count(outcome);
    show(outcome, tally.failed > 0);
    tally
}

/// Prints the verdicts, or all of the output when something has failed.
pub(super) fn show(outcome: &Outcome, failed: bool) {
    let is_verdict = |line: &&String| ["ok ", "SKIPPED ", "addon tests: "].iter().any(|word| line.starts_with(word));
    // The bars of progress are coloured, the errors are not.
    let is_said = |line: &&String| failed && !line.contains('\u{1b}');
    outcome.lines.iter().filter(|line| is_said(line) || is_verdict(line)).for_each(|line| println!("{line}"));
    if let Some(complaint) = &outcome.complaint {
        println!("FAILED: {complaint}");
    }
}

/// What the run counted; a run that did not end well has at least one failure.
fn count(outcome: &Outcome) -> Tally {
    let sum = outcome.lines.iter().find_map(|line| parse_sum(line));
    let mut tally = sum.unwrap_or_default();
    if outcome.complaint.is_some() || sum.is_none() {
        tally.failed = tally.failed.max(1);
    }
    tally
}

/// Reads `addon tests: 3 passed, 0 failed, 1 skipped`.
fn parse_sum(line: &str) -> Option<Tally> {
    let mut numbers = line.strip_prefix("addon tests: ")?.split(", ").map(|part| part.split(' ').next()?.parse().ok());
    Some(Tally { passed: numbers.next()??, failed: numbers.next()??, skipped: numbers.next()?? })
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
