//! The steps of a run: each has a name and a time, and a summary follows the last one.

use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

/// The number of checks in a step, by result. A step that is a single check counts one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
}

impl Tally {
    pub(crate) const PASSED: Tally = Tally { passed: 1, failed: 0, skipped: 0 };
    pub(crate) const FAILED: Tally = Tally { passed: 0, failed: 1, skipped: 0 };
    pub(crate) const SKIPPED: Tally = Tally { passed: 0, failed: 0, skipped: 1 };

    pub(crate) fn add(&mut self, other: Tally) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
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
        let tally = *result.as_ref().unwrap_or(&Tally::FAILED);
        let time = start.elapsed();
        println!("--- {name}: {} in {:.1} s", tally.result(), time.as_secs_f64());
        self.steps.push((name.to_owned(), tally, time));
        match result {
            Err(error) => Err(error.context(format!("{name} failed; next: {advice}"))),
            Ok(tally) if tally.failed > 0 => Err(anyhow!("{name} failed; next: {advice}")),
            Ok(_) => Ok(()),
        }
    }

    /// Prints a line for each step, then the sum.
    pub(crate) fn print(&self) {
        println!("\n=== summary");
        for (name, tally, time) in &self.steps {
            println!("{:>8.1} s  {:<8} {name}", time.as_secs_f64(), tally.result());
        }
        println!("{}", self.sum());
    }

    fn sum(&self) -> String {
        let mut sum = Tally::default();
        self.steps.iter().for_each(|(_, tally, _)| sum.add(*tally));
        format!("{} passed, {} failed, {} skipped", sum.passed, sum.failed, sum.skipped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_adds_the_steps() {
        let mut report = Report::default();
        report.step("one", "", || Ok(Tally::PASSED)).unwrap();
        report.step("many", "", || Ok(Tally { passed: 40, failed: 0, skipped: 2 })).unwrap();
        report.step("absent", "", || Ok(Tally::SKIPPED)).unwrap();
        assert_eq!(report.sum(), "41 passed, 0 failed, 3 skipped");
    }

    #[test]
    fn a_failed_step_says_what_to_do_next() {
        let mut report = Report::default();
        let counted = report.step("tests", "read the output", || Ok(Tally { passed: 3, failed: 2, skipped: 0 }));
        assert_eq!(counted.unwrap_err().to_string(), "tests failed; next: read the output");
        let broken = report.step("format", "run cargo fmt", || Err(anyhow!("differs")));
        assert_eq!(format!("{:#}", broken.unwrap_err()), "format failed; next: run cargo fmt: differs");
        assert_eq!(report.sum(), "3 passed, 3 failed, 0 skipped");
    }
}
