//! The steps of a run: each has a name and a time, and a summary follows the last one.

use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

/// The maximum number of failures in the summary, and the maximum length of each in characters: the summary must be short,
/// because CI services cut long logs in the middle.
const MAX_FAILURES: usize = 100;
const MAX_LENGTH: usize = 300;

/// The results of the checks in a step. A step that is a single check counts one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
    /// A line for each known failure, which names the check and the reason. They are repeated in the summary.
    pub(crate) failures: Vec<String>,
}

impl Tally {
    pub(crate) const PASSED: Tally = Tally { passed: 1, failed: 0, skipped: 0, failures: Vec::new() };
    pub(crate) const FAILED: Tally = Tally { passed: 0, failed: 1, skipped: 0, failures: Vec::new() };
    pub(crate) const SKIPPED: Tally = Tally { passed: 0, failed: 0, skipped: 1, failures: Vec::new() };

    /// Returns a single failed check.
    pub(crate) fn failure(line: String) -> Tally {
        Tally { failures: vec![line], ..Tally::FAILED }
    }

    pub(crate) fn add(&mut self, other: Tally) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self.failures.extend(other.failures);
    }

    /// Prefixes each failure with the name of the part of the step that it is from.
    pub(crate) fn named(mut self, part: &str) -> Tally {
        self.failures.iter_mut().for_each(|line| *line = format!("{part}: {line}"));
        self
    }

    fn result(&self) -> &'static str {
        match self {
            Tally { failed: 1.., .. } => "FAILED",
            Tally { passed: 0, .. } => "SKIPPED",
            _ => "passed",
        }
    }
}

/// The steps so far.
#[derive(Default)]
pub(crate) struct Report {
    steps: Vec<(String, Tally, Duration)>,
}

impl Report {
    /// Runs a step. If it fails, the error contains `advice`, which says what to do next.
    pub(crate) fn step(&mut self, name: &str, advice: &str, work: impl FnOnce() -> Result<Tally>) -> Result<()> {
        println!("\n=== {name}");
        let start = Instant::now();
        let result = work();
        let time = start.elapsed();
        let tally = match &result {
            Ok(tally) => tally.clone(),
            Err(error) => Tally::failure(format!("{error:#}")),
        };
        println!("--- {name}: {} in {:.1} s", tally.result(), time.as_secs_f64());
        self.steps.push((name.to_owned(), tally, time));
        match result {
            Err(error) => Err(error.context(format!("{name} failed; next: {advice}"))),
            Ok(tally) if tally.failed > 0 => Err(anyhow!("{name} failed; next: {advice}")),
            Ok(_) => Ok(()),
        }
    }

    /// Prints a line for each step, the sum, and the failures.
    pub(crate) fn print(&self) {
        println!("\n=== summary");
        for (name, tally, time) in &self.steps {
            println!("{:>8.1} s  {:<8} {name}", time.as_secs_f64(), tally.result());
        }
        println!("{}", self.sum());
        self.failures().iter().for_each(|line| println!("{line}"));
    }

    fn sum(&self) -> String {
        let mut sum = Tally::default();
        self.steps.iter().for_each(|(_, tally, _)| sum.add(tally.clone()));
        format!("{} passed, {} failed, {} skipped", sum.passed, sum.failed, sum.skipped)
    }

    /// Returns the failures of all steps, each on one line.
    fn failures(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (name, tally, _) in &self.steps {
            lines.extend(tally.failures.iter().map(|line| format!("failed: {name}: {}", shorten(line))));
            if tally.failed > 0 && tally.failures.is_empty() {
                lines.push(format!("failed: {name}: see its output above"));
            }
        }
        if lines.len() > MAX_FAILURES {
            let rest = lines.len() - (MAX_FAILURES - 1);
            lines.truncate(MAX_FAILURES - 1);
            lines.push(format!("failed: {rest} more; see the output above"));
        }
        lines
    }
}

/// Returns `text` on one line of at most `MAX_LENGTH` characters.
fn shorten(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MAX_LENGTH) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(passed: usize, failures: &[&str]) -> Tally {
        let failures: Vec<String> = failures.iter().map(|&line| line.into()).collect();
        Tally { passed, failed: failures.len(), skipped: 0, failures }
    }

    #[test]
    fn the_summary_adds_the_steps() {
        let mut report = Report::default();
        report.step("one", "", || Ok(Tally::PASSED)).unwrap();
        report.step("many", "", || Ok(Tally { passed: 40, skipped: 2, ..Tally::default() })).unwrap();
        report.step("absent", "", || Ok(Tally::SKIPPED)).unwrap();
        assert_eq!(report.sum(), "41 passed, 0 failed, 3 skipped");
        assert!(report.failures().is_empty());
    }

    #[test]
    fn a_failed_step_says_what_to_do_next() {
        let mut report = Report::default();
        let counted = report.step("tests", "read the output", || Ok(tally(3, &["a: wrong", "b"])));
        assert_eq!(counted.unwrap_err().to_string(), "tests failed; next: read the output");
        let broken = report.step("format", "run cargo fmt", || Err(anyhow!("differs")));
        assert_eq!(format!("{:#}", broken.unwrap_err()), "format failed; next: run cargo fmt: differs");
        assert_eq!(report.sum(), "3 passed, 3 failed, 0 skipped");
    }

    #[test]
    fn the_summary_names_every_failure() {
        let mut report = Report::default();
        report.step("tests", "", || Ok(tally(3, &["a: left: 1\n right: 2", "b"]))).unwrap_err();
        report.step("format", "", || Err(anyhow!("differs").context("cargo ended"))).unwrap_err();
        report.step("lints", "", || Ok(Tally::FAILED)).unwrap_err();
        let expected = [
            "failed: tests: a: left: 1 right: 2",
            "failed: tests: b",
            "failed: format: cargo ended: differs",
            "failed: lints: see its output above",
        ];
        assert_eq!(report.failures(), expected);
    }

    #[test]
    fn many_and_long_failures_are_cut() {
        let mut report = Report::default();
        let long = "ä".repeat(MAX_LENGTH + 1);
        let failures: Vec<&str> = std::iter::once(long.as_str()).chain(["b"; 110]).collect();
        report.step("tests", "", || Ok(tally(0, &failures))).unwrap_err();
        let lines = report.failures();
        assert_eq!(lines.len(), MAX_FAILURES);
        assert_eq!(lines[0], format!("failed: tests: {}...", "ä".repeat(MAX_LENGTH)));
        assert_eq!(lines[MAX_FAILURES - 1], "failed: 12 more; see the output above");
    }

    #[test]
    fn failures_are_named_after_their_part() {
        assert_eq!(tally(0, &["a"]).named("exported").failures, ["exported: a"]);
    }
}
