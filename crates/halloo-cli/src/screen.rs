//! What a terminal is told, so that log and messages scroll above a status line while somebody types between them.
//!
//! ```text
//! 12:00:01 client 1 joined …      the log: scrolls, and is never rewritten
//! client 1: hello
//! hel|                            the input row: what is typed stands here, for the terminal echoes it itself
//! 1 client · 1/s in · 0/s out     the status line
//! ```
//!
//! Nobody can ask the terminal what was typed so far. So nothing is written on the input row: lines are inserted above
//! it, the status line is written below it, and the cursor goes back to where it was.

use unicode_width::UnicodeWidthChar;

/// The size of a terminal in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) columns: usize,
    pub(crate) rows: usize,
}

impl Size {
    /// Whether there is room for a status line that is of use to anybody.
    pub(crate) fn is_enough(self) -> bool {
        self.columns >= 10 && self.rows >= 4
    }
}

/// Takes the input row and the status line away.
pub(crate) const CLEAR: &str = "\r\x1b[J";

/// Goes back to where the cursor was before [`above`].
pub(crate) const BACK: &str = "\x1b8";

/// Writes `status`, with its styles, on the row below the cursor.
pub(crate) fn below(status: &str, size: Size) -> String {
    let status = cut(status, size.columns - 1);
    // `D` goes down and makes a row at the end of the screen; everything below the status line is the rest of a
    // longer one that was wrapped when the window became narrower.
    format!("\x1bD\x1b7\r{status}\x1b[J\x1b8\x1b[A")
}

/// Makes room for `rows` rows above the input row, at most two fewer than the screen has, and goes there.
pub(crate) fn above(rows: usize) -> String {
    // Down past the status line, which makes as many rows as are missing; back up to where the input row will be.
    let down = "\x1bD".repeat(rows + 1);
    format!("{down}\x1b[A\x1b7\x1b[{rows}A\r\x1b[{rows}L")
}

/// Breaks `text` into rows that fit, as the terminal would. Styles take no room.
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

/// Cuts `text` to `columns`, but keeps its styles, so that the last one still ends.
fn cut(text: &str, columns: usize) -> String {
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

/// Each character with the columns it takes, and each style (`ESC [ … m`) in one piece and with none.
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
    fn rows_are_as_wide_as_they_are_seen() {
        assert_eq!(wrap("abcdef", 3), ["abc", "def"]);
        assert_eq!(wrap("ab\ncd", 3), ["ab", "cd"]);
        assert_eq!(wrap("日本語", 5), ["日本", "語"]);
        assert_eq!(wrap("\x1b[1mabc\x1b[0md", 3), ["\x1b[1mabc\x1b[0m", "d"]);
        assert_eq!(wrap("", 3), [""]);
    }

    #[test]
    fn a_cut_line_ends_its_styles() {
        assert_eq!(cut("\x1b[1mabcdef\x1b[0m", 3), "\x1b[1mabc\x1b[0m");
        assert_eq!(cut("日本語", 3), "日");
        assert_eq!(cut("ab", 3), "ab");
    }
}
