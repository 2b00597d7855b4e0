//! The table of promises and measurements, printed and written into a document.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::scenario::Finding;

/// The rows so far.
pub(super) struct Table {
    /// The first word of the markers around the table in a document.
    name: &'static str,
    rows: Vec<String>,
    broken: usize,
}

impl Table {
    pub(super) fn new(name: &'static str) -> Table {
        Table { name, rows: Vec::new(), broken: 0 }
    }

    /// Prints and keeps a row. A scenario that failed breaks its promise.
    pub(super) fn add(&mut self, attack: &str, promised: &str, outcome: Result<Finding>) {
        let finding = outcome.unwrap_or_else(|error| Finding { measured: format!("FAILED: {error:#}"), held: false });
        let held = if finding.held { "yes" } else { "**no**" };
        self.broken += usize::from(!finding.held);
        let row = format!("| {attack} | {promised} | {} | {held} |", finding.measured.replace('|', "\\|"));
        println!("{row}");
        self.rows.push(row);
    }

    /// Replaces what is between the markers in a file.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let text = self.insert(&text).with_context(|| format!("cannot write the table into {}", path.display()))?;
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    fn insert(&self, text: &str) -> Result<String> {
        let start = format!("<!-- {}: written by `cargo xtask adversary --write` -->\n", self.name);
        let end = format!("<!-- {}: end -->\n", self.name);
        let (Some(start_at), Some(end_at)) = (text.find(&start), text.find(&end)) else {
            bail!("the markers are missing: {start}{end}");
        };
        let head = "| attack | promised | measured | held |\n|---|---|---|---|\n";
        let rows = self.rows.join("\n");
        Ok([&text[..start_at + start.len()], "\n", head, &rows, "\n\n", &text[end_at..]].concat())
    }

    /// Returns an error if a promise is broken.
    pub(super) fn check(&self) -> Result<()> {
        match self.broken {
            0 => Ok(()),
            broken => bail!("{broken} of {} promises are broken", self.rows.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_replaces_what_is_between_the_markers() {
        let mut table = Table::new("adversary");
        table.add("flood", "stays up", Ok(Finding { measured: "a|b".into(), held: true }));
        let start = "<!-- adversary: written by `cargo xtask adversary --write` -->\n";
        let text = format!("before\n{start}old\n<!-- adversary: end -->\nafter\n");
        let head = "| attack | promised | measured | held |\n|---|---|---|---|\n";
        assert_eq!(
            table.insert(&text).unwrap(),
            format!("before\n{start}\n{head}| flood | stays up | a\\|b | yes |\n\n<!-- adversary: end -->\nafter\n")
        );
        assert!(table.check().is_ok());
        assert!(Table::new("faults").insert(&text).is_err());
    }

    #[test]
    fn a_scenario_that_fails_breaks_its_promise() {
        let mut table = Table::new("faults");
        table.add("reset", "others stay", Err(anyhow::anyhow!("no server")));
        assert_eq!(table.rows, ["| reset | others stay | FAILED: no server | **no** |"]);
        assert_eq!(table.check().unwrap_err().to_string(), "1 of 1 promises are broken");
    }
}
