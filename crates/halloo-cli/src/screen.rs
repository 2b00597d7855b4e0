//! Escape sequences for a terminal on which log and messages scroll above an input row and a status line.
//!
//! ```text
//! 12:00:01 client 1 joined …      the log: scrolls, and is never rewritten
//! client 1: hello
//! hel|                            the input row: the terminal echoes here what the user types
//! 1 client · 1/s in · 0/s out     the status line
//! ```
//!
//! A program cannot read back what the terminal echoed. So nothing is written on the input row: lines are inserted
//! above it, the status line is drawn below it, and the cursor returns to its position.

use unicode_width::UnicodeWidthChar;

/// The size of a terminal in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) columns: usize,
    pub(crate) rows: usize,
}

impl Size {
    /// Returns whether a useful status line fits.
    pub(crate) fn fits_status_line(self) -> bool {
        self.columns >= 10 && self.rows >= 4
    }
}

/// Clears the input row and the status line.
pub(crate) const CLEAR: &str = "\r\x1b[J";

/// Restores the position that the cursor had before [`insert_above`].
pub(crate) const RESTORE_CURSOR: &str = "\x1b8";

/// Returns the sequence that draws `status`, with its styles, on the row below the cursor.
pub(crate) fn draw_below(status: &str, size: Size) -> String {
    let status = truncate(status, size.columns - 1);
    // `D` moves down, and scrolls at the end of the screen. Below the status line may be the rest of a longer one,
    // which was wrapped when the window became narrower.
    format!("\x1bD\x1b7\r{status}\x1b[J\x1b8\x1b[A")
}

/// Returns the sequence that inserts `rows` empty rows above the input row and moves there. `rows` is at most the
/// number of rows of the screen minus 2.
pub(crate) fn insert_above(rows: usize) -> String {
    // Down past the status line, which scrolls by as many rows as are missing; back up to the new input row.
    let down = "\x1bD".repeat(rows + 1);
    format!("{down}\x1b[A\x1b7\x1b[{rows}A\r\x1b[{rows}L")
}

/// Wraps `text` into rows of at most `columns`, as the terminal does. Styles have no width.
pub(crate) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut rows = vec![String::new()];
    let mut width = 0;
    for (part, part_width) in parts(text) {
        if part == "\n" {
            rows.push(String::new());
            width = 0;
            continue;
        }
        if width + part_width > columns {
            rows.push(String::new());
            width = 0;
        }
        width += part_width;
        if let Some(row) = rows.last_mut() {
            row.push_str(part);
        }
    }
    rows
}

/// Truncates `text` to `columns`, but keeps all styles, so that each of them is reset.
fn truncate(text: &str, columns: usize) -> String {
    let (mut out, mut width, mut full) = (String::new(), 0, false);
    for (part, part_width) in parts(text) {
        full |= width + part_width > columns;
        if !full || part_width == 0 {
            out.push_str(part);
            width += part_width;
        }
    }
    out
}

/// Returns each character with its width in columns, and each style (`ESC [ … m`) in one piece with the width 0.
fn parts(text: &str) -> impl Iterator<Item = (&str, usize)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let length = match first {
            '\x1b' => rest.find('m').map_or(rest.len(), |end| end + 1),
            _ => first.len_utf8(),
        };
        let (part, after) = rest.split_at(length);
        rest = after;
        Some((part, first.width().unwrap_or(0)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrap_counts_columns_rather_than_characters() {
        assert_eq!(wrap("abcdef", 3), ["abc", "def"]);
        assert_eq!(wrap("ab\ncd", 3), ["ab", "cd"]);
        assert_eq!(wrap("日本語", 5), ["日本", "語"]);
        assert_eq!(wrap("\x1b[1mabc\x1b[0md", 3), ["\x1b[1mabc\x1b[0m", "d"]);
        assert_eq!(wrap("", 3), [""]);
    }

    #[test]
    fn truncate_keeps_the_reset_of_a_style() {
        assert_eq!(truncate("\x1b[1mabcdef\x1b[0m", 3), "\x1b[1mabc\x1b[0m");
        assert_eq!(truncate("日本語", 3), "日");
        assert_eq!(truncate("ab", 3), "ab");
    }
}
