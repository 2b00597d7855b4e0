//! One row of a table in `docs/reliability.md`: what is done, what is promised, and how it is measured.

use anyhow::{Context as _, Result};

use crate::context::{Context, Target};

/// An attack or a fault.
pub(crate) struct Scenario {
    /// The name for `--scenario`.
    pub(crate) name: &'static str,
    pub(crate) attack: &'static str,
    pub(crate) promised: &'static str,
    pub(crate) run: Run,
}

/// What a scenario needs.
pub(crate) enum Run {
    /// A server with default settings, which may serve other clients or scenarios at the same time.
    Shared(fn(&Target) -> Result<Finding>),
    /// One or more servers of its own.
    Own(fn(&Context) -> Result<Finding>),
}

/// The result of a scenario.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) measured: String,
    /// Whether what is promised held.
    pub(crate) held: bool,
}

impl Finding {
    /// Formats a finding for a process outside of the namespace in which it was measured.
    pub(crate) fn to_line(&self) -> String {
        format!("{} {}", if self.held { "held" } else { "broken" }, self.measured)
    }

    /// Parses what [`to_line`](Finding::to_line) made.
    pub(crate) fn from_line(line: &str) -> Result<Finding> {
        let (held, measured) =
            line.trim().split_once(' ').context("the process in the namespace reported no finding")?;
        Ok(Finding { measured: measured.to_owned(), held: held == "held" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_survives_the_way_out_of_a_namespace() {
        for held in [true, false] {
            let finding = Finding { measured: "10 of 10; +3 KiB".into(), held };
            let read = Finding::from_line(&format!("{}\n", finding.to_line())).unwrap();
            assert_eq!((read.held, read.measured), (held, finding.measured));
        }
        assert!(Finding::from_line("").is_err());
    }
}
