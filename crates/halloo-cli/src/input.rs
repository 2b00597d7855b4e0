//! Reads standard input by lines of limited length.

use std::io::{self, BufRead, Read};

use crate::json;
use crate::output::Output;

/// Bytes of the longest line. Fits the largest message that the defaults allow, with each byte escaped as `\u0000`.
pub(crate) const MAX_LINE_BYTES: usize = 8 * 1024 * 1024;

/// The result of reading one line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// A line, without its line ending.
    Text(String),
    /// A line that is not UTF-8.
    NotText,
    /// A line of more than [`MAX_LINE_BYTES`], which was skipped.
    TooLong,
    /// The end of the input.
    End,
}

/// Reads the next line.
pub(crate) fn next_line(input: &mut impl BufRead) -> io::Result<Line> {
    next_line_of(input, MAX_LINE_BYTES)
}

/// Reports a problem with the input: as an event in JSON mode, otherwise in the log.
pub(crate) fn report_error(output: &Output, in_json: bool, text: &str) {
    if in_json {
        // If standard output is closed, the next event fails as well, and ends the program.
        let _ = json::emit(output, &json::error(text));
    } else {
        tracing::warn!("{text}");
    }
}

fn next_line_of(input: &mut impl BufRead, max_bytes: usize) -> io::Result<Line> {
    let mut line = Vec::new();
    // One byte more than allowed, and the line ending.
    let length = input.by_ref().take(max_bytes as u64 + 2).read_until(b'\n', &mut line)?;
    if length == 0 {
        return Ok(Line::End);
    }
    let complete = line.ends_with(b"\n");
    if complete {
        line.pop();
        if line.ends_with(b"\r") {
            line.pop();
        }
    }
    if line.len() > max_bytes {
        if !complete {
            input.skip_until(b'\n')?;
        }
        return Ok(Line::TooLong);
    }
    Ok(String::from_utf8(line).map_or(Line::NotText, Line::Text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_line_endings_are_read_and_long_lines_are_skipped() {
        let text = |text: &str| Line::Text(text.into());
        let mut input = &b"one\r\n\nfours\nfour\nfives\n\xff\nmuch too long\nlast"[..];
        let mut lines = Vec::new();
        loop {
            match next_line_of(&mut input, 4).unwrap_or(Line::End) {
                Line::End => break,
                line => lines.push(line),
            }
        }
        let expected = [
            text("one"),
            text(""),
            Line::TooLong,
            text("four"),
            Line::TooLong,
            Line::NotText,
            Line::TooLong,
            text("last"),
        ];
        assert_eq!(lines, expected);
    }
}
