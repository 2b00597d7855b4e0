//! Lines of standard input, none longer than memory likes.

use std::io::{self, BufRead, Read};

/// Bytes of the longest line: the largest message that the defaults allow, even if JSON writes each byte as `\u0000`.
pub(crate) const LONGEST: usize = 8 * 1024 * 1024;

/// The result of reading one line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// A line, without its end.
    Text(String),
    /// A line that is not UTF-8.
    NotText,
    /// A line of more than [`LONGEST`] bytes, which was skipped.
    TooLong,
    /// The end of the input.
    End,
}

/// Reads the next line.
pub(crate) fn next_line(input: &mut impl BufRead) -> io::Result<Line> {
    next_line_of(input, LONGEST)
}

fn next_line_of(input: &mut impl BufRead, longest: usize) -> io::Result<Line> {
    let mut line = Vec::new();
    // One byte more than allowed, and its end.
    let taken = input.by_ref().take(longest as u64 + 2).read_until(b'\n', &mut line)?;
    if taken == 0 {
        return Ok(Line::End);
    }
    let ended = line.ends_with(b"\n");
    if ended {
        line.pop();
        if line.ends_with(b"\r") {
            line.pop();
        }
    }
    if line.len() > longest {
        if !ended {
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
    fn lines_end_anyhow_and_long_ones_are_passed_over() {
        let text = |text: &str| Line::Text(text.into());
        let mut input = &b"one\r\n\nfours\nfour\nfives\n\xff\nmuch too long\nlast"[..];
        let mut found = Vec::new();
        loop {
            match next_line_of(&mut input, 4).unwrap_or(Line::End) {
                Line::End => break,
                line => found.push(line),
            }
        }
        let (long, bad) = (Line::TooLong, Line::NotText);
        assert_eq!(found, [text("one"), text(""), Line::TooLong, text("four"), long, bad, Line::TooLong, text("last")]);
    }
}
