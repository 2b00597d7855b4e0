//! `halloo doctor`: diagnoses why a server is not found.

use std::io::{IsTerminal, Write};

use halloo::{Diagnosis, Severity};
use halloo_proto::text::escape;
use unicode_width::UnicodeWidthStr;

use crate::json;
use crate::output::terminal_size;

/// Columns before the text of a finding.
const FINDING_INDENT: usize = 17;
/// The columns of a terminal that does not tell.
const DEFAULT_COLUMNS: usize = 80;
/// The columns of text below which wrapping at words only makes it harder to read.
const MIN_TEXT_COLUMNS: usize = 20;

/// Prints the findings. Returns whether no check failed.
pub(crate) fn report(diagnosis: &Diagnosis, in_json: bool) -> anyhow::Result<bool> {
    // Strips colours unless they are enabled.
    let mut out = anstream::stdout();
    if in_json {
        writeln!(out, "{}", json::escape(serde_json::to_string(diagnosis)?))?;
    } else {
        out.write_all(text(diagnosis, columns()).as_bytes())?;
    }
    Ok(diagnosis.healthy)
}

/// Returns the columns of the terminal to wrap for. The lines of a pipe or a file are not wrapped, so that they can be
/// searched.
fn columns() -> Option<usize> {
    let is_terminal = std::io::stdout().is_terminal();
    is_terminal.then(|| terminal_size().map_or(DEFAULT_COLUMNS, |size| size.columns))
}

fn text(diagnosis: &Diagnosis, columns: Option<usize>) -> String {
    let mut text = String::new();
    for finding in &diagnosis.findings {
        let (mark, colour) = match finding.severity {
            Severity::Ok => ("ok  ", "32"),
            Severity::Warn => ("warn", "33"),
            Severity::Fail => ("FAIL", "31"),
        };
        let start = format!("\x1b[{colour}m{mark}\x1b[0m  {:<9}  ", finding.about);
        text += &paragraph(&start, FINDING_INDENT, &finding.text, columns);
        if let Some(advice) = &finding.advice {
            text += &paragraph(&format!("{:FINDING_INDENT$}-> ", ""), FINDING_INDENT + 3, advice, columns);
        }
    }
    text += "\nWhat cannot be checked from here:\n";
    for line in &diagnosis.limitations {
        text += &paragraph("  ", 4, line, columns);
    }
    let count = |severity| diagnosis.findings.iter().filter(|finding| finding.severity == severity).count();
    let summary = match (count(Severity::Fail), count(Severity::Warn)) {
        (0, 0) => "No problem was found on this machine.".into(),
        (0, warnings) => format!("No check failed on this machine; warnings: {warnings}."),
        (failures, warnings) => format!("Failed checks on this machine: {failures}; warnings: {warnings}."),
    };
    text + "\n" + &summary + "\n"
}

/// Returns `text` after `start`, wrapped at words if `columns` is given, with `indent` spaces before all other lines. `start`
/// has no more columns than `indent`.
fn paragraph(start: &str, indent: usize, text: &str, columns: Option<usize>) -> String {
    let limit = columns.filter(|columns| *columns >= indent + MIN_TEXT_COLUMNS).unwrap_or(usize::MAX);
    let (mut lines, mut column) = (start.to_owned(), indent);
    let mut is_start = true;
    for word in text.split_whitespace() {
        let word = escape(word, usize::MAX);
        let width = word.width();
        if !is_start && width >= limit.saturating_sub(column) {
            lines += &format!("\n{:indent$}", "");
            (column, is_start) = (indent, true);
        }
        if !is_start {
            lines.push(' ');
            column += 1;
        }
        lines += &word;
        column += width;
        is_start = false;
    }
    lines + "\n"
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr;

    use super::paragraph;

    #[test]
    fn paragraphs_are_wrapped_at_words() {
        let wrapped = paragraph("ok  ", 4, "a finding of several words, 日本語 among them", Some(24));
        assert_eq!(wrapped, "ok  a finding of several\n    words, 日本語 among\n    them\n");
        let address = "ws://a-very-long-address-that-does-not-fit.example:8765";
        assert_eq!(paragraph("- ", 2, &format!("see {address} now"), Some(24)), format!("- see\n  {address}\n  now\n"));
        let text = "one two three four five six seven eight nine ten ".repeat(9);
        for columns in 24..100 {
            let wrapped = paragraph("    ", 4, &text, Some(columns));
            assert!(wrapped.lines().all(|line| line.width() <= columns && line.starts_with("    ")), "{wrapped}");
            assert_eq!(wrapped.split_whitespace().count(), 90);
        }
    }

    #[test]
    fn paragraphs_in_pipes_and_narrow_terminals_are_one_line() {
        for columns in [None, Some(0), Some(23)] {
            assert_eq!(paragraph("    ", 4, "one\n  two", columns), "    one two\n");
        }
    }
}
