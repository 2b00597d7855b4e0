//! The banner: the addresses of the server, and a QR code for phones.

use anstyle::{AnsiColor, Style};
use halloo_proto::text::escape;
use unicode_width::UnicodeWidthStr;

use crate::qr_code;
use crate::screen::Size;

/// Columns between the text and the QR code.
const GAP: usize = 2;
/// Columns that a URL needs beside the QR code. With fewer, all text stands above it.
const MIN_TEXT_COLUMNS: usize = 24;
/// Rows below the QR code: the first two lines of the log, the input row and the status line. Starting produces that
/// many lines, which must not move the code off the screen.
const ROWS_BELOW: usize = 4;

/// What the banner shows.
pub(crate) struct Banner<'a> {
    pub(crate) name: &'a str,
    pub(crate) urls: &'a [String],
    pub(crate) invitation: &'a str,
    /// The link to the page with TLS, if TLS is optional.
    pub(crate) secure_invitation: Option<&'a str>,
    /// For a user who can type.
    pub(crate) hints: &'a [&'a str],
}

/// A row of text with its width in columns. Styles have no width.
struct Row {
    text: String,
    width: usize,
}

impl Banner<'_> {
    /// Returns the lines for a terminal of `size`.
    ///
    /// The QR code is at the end. What is too wide to stand beside the code stands above it, so the code is what remains
    /// on a small screen. The terminal wraps a line that is wider than itself, so that a link can be copied whole.
    pub(crate) fn render(&self, size: Size, colours: bool) -> String {
        let link = self.invitation.trim_end_matches('/');
        let (code, code_width) = qr_code::draw(link, size.rows.saturating_sub(ROWS_BELOW), colours).unwrap_or_default();
        let fits = size.columns >= code_width && size.rows >= code.len() + ROWS_BELOW;
        let room = size.columns.saturating_sub(2 + code_width + GAP);
        let stands_beside = |row: &Row| fits && room >= MIN_TEXT_COLUMNS && row.width <= room;
        let (mut beside, mut above): (Vec<Row>, Vec<Row>) = self.rows(colours).into_iter().partition(stands_beside);
        if beside.len() > code.len() {
            above.append(&mut beside);
        }
        let mut out = String::from("\n");
        above.iter().for_each(|row| out += &format!("  {}\n", row.text));
        if !fits {
            let (columns, rows) = (code_width, code.len() + ROWS_BELOW);
            out += &format!(
                "\n  To see a QR code, restart in a window of {columns}x{rows} or more, or open the link.\n\n"
            );
            return out;
        }
        let width = beside.iter().map(|row| row.width).max();
        let top = (code.len() - beside.len()) / 2;
        for (index, line) in code.iter().enumerate() {
            if let Some(width) = width {
                let row = index.checked_sub(top).and_then(|index| beside.get(index));
                let (text, text_width) = row.map_or(("", 0), |row| (&row.text, row.width));
                out += &format!("  {text}{:space$}", "", space = width - text_width + GAP);
            }
            out += &format!("{line}\n");
        }
        out
    }

    /// Returns the rows of text.
    fn rows(&self, colours: bool) -> Vec<Row> {
        let paint = |style: Style| if colours { style } else { Style::new() };
        let (bold, dim) = (paint(Style::new().bold()), paint(Style::new().dimmed()));
        let colour = paint(AnsiColor::Cyan.on_default());
        let name = escape(self.name, 200);
        let plain = |text: &str| Row { text: text.to_owned(), width: text.width() };
        let address = |label: &str, address: &str| Row {
            text: format!("{dim}{label:<9}{dim:#}{colour}{address}{colour:#}"),
            width: 9 + address.len(),
        };
        let mut rows = vec![Row { text: format!("{bold}{name}{bold:#}"), width: name.width() }, plain("")];
        rows.extend(self.urls.iter().map(|url| address(if is_local(url) { "Local" } else { "Network" }, url)));
        rows.push(address("Page", self.invitation));
        if let Some(link) = self.secure_invitation {
            rows.push(address("Secure", link));
            rows.push(plain("         Each phone warns once about the certificate."));
        }
        if !self.hints.is_empty() {
            rows.push(plain(""));
            rows.extend(self.hints.iter().map(|hint| plain(hint)));
        }
        rows
    }
}

fn is_local(url: &str) -> bool {
    url.split_once("://").is_some_and(|(_, host)| host.starts_with("127.") || host.starts_with("[::1]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: &str =
        "https://192.168.100.100:8765/#token=0vU_nAM9qY4__ghhfXigbw&fp=r4z63szzSIpFmBCockBZuJGB7Hnl5tw-PI3687n54UU";

    /// Returns the lines of a banner with this many addresses.
    fn lines(addresses: usize, columns: usize, rows: usize) -> Vec<String> {
        let urls: Vec<String> = (0..addresses).map(|n| format!("wss://192.168.100.{}:8765", 100 + n)).collect();
        let hints = &["Lines you type go to all clients.", "Press Ctrl-C to stop the server."];
        let banner = Banner { name: "den", urls: &urls, invitation: LINK, secure_invitation: None, hints };
        banner.render(Size { columns, rows }, false).lines().map(str::to_owned).collect()
    }

    /// Returns the number of rows of the QR code at the end of a banner.
    fn code_rows(lines: &[String]) -> usize {
        lines.iter().rev().take_while(|line| line.ends_with("██")).count()
    }

    #[test]
    fn code_and_first_lines_of_the_log_fit_whatever_the_addresses() {
        for addresses in [0, 1, 2, 14, 15, 40] {
            for columns in [80, 100, 160, 300] {
                let banner = lines(addresses, columns, 24);
                assert_eq!(code_rows(&banner), 20, "{}", banner.join("\n"));
                let is_whole = |line: &&String| line.ends_with(LINK) || line.contains(&format!("{LINK}  "));
                assert_eq!(banner.iter().filter(is_whole).count(), 1, "{}", banner.join("\n"));
                let shown = banner.iter().filter(|line| line.contains("wss://")).count();
                assert_eq!(shown, addresses, "{}", banner.join("\n"));
            }
        }
    }

    #[test]
    fn link_with_tls_stands_below_that_of_the_page() {
        let (urls, page, secure) = ([], "http://10.0.0.5:8765/", "https://10.0.0.5:8765/#fp=abc");
        let banner = Banner { name: "den", urls: &urls, invitation: page, secure_invitation: Some(secure), hints: &[] };
        let text = banner.render(Size { columns: 100, rows: 40 }, false);
        let rows: Vec<&str> = text.lines().filter(|line| line.contains("://") || line.contains("warns once")).collect();
        assert!(
            rows[0].contains(&format!("Page     {page}")) && rows[1].contains(&format!("Secure   {secure}")),
            "{text}"
        );
        assert!(rows[2].contains("Each phone warns once"), "{text}");
    }

    #[test]
    fn window_too_small_for_the_code_is_told_its_size() {
        for (columns, rows) in [(80, 23), (40, 24), (20, 10)] {
            let banner = lines(2, columns, rows);
            assert_eq!(code_rows(&banner), 0, "{}", banner.join("\n"));
            let hint = "  To see a QR code, restart in a window of 41x24 or more, or open the link.";
            assert!(banner.iter().any(|line| line == hint), "{}", banner.join("\n"));
        }
        assert_eq!(code_rows(&lines(2, 41, 24)), 20, "that size is sufficient");
    }

    #[test]
    fn margin_grows_with_the_window() {
        let heights: Vec<usize> = [24, 25, 26, 27, 40].map(|rows| code_rows(&lines(2, 80, rows))).into();
        assert_eq!(heights, [20, 21, 21, 23, 23]);
    }
}
