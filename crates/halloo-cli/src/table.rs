//! Servers as lines of a table that fits into 80 columns.

use std::time::Duration;

use halloo::{ServerInfo, Via};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Columns of the name; the others are as wide as they can ever be.
const NAME: usize = 28;

/// What stands above the columns.
pub(crate) fn heading() -> String {
    line("NAME", "ADDRESS", "CLIENTS", "VIA", "AGE")
}

/// A server as one line.
pub(crate) fn row(server: &ServerInfo) -> String {
    let clients = server.clients.map_or_else(|| "?".to_owned(), |clients| clients.to_string());
    let via = match server.via {
        Via::Udp => "udp",
        _ => "?",
    };
    let name = if server.name.is_empty() { "-" } else { &server.name };
    line(&fit(name, NAME), &server.url, &clients, via, &age(server.age()))
}

fn line(name: &str, address: &str, clients: &str, via: &str, age: &str) -> String {
    let padding = " ".repeat(NAME.saturating_sub(name.width()));
    format!("{name}{padding}  {address:<27} {clients:>7}  {via:<4} {age:>5}")
}

/// `text` in at most `columns` columns of a terminal, where some characters take two.
fn fit(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut width = 0;
    let fits = |character: &char| {
        width += character.width().unwrap_or(0);
        width < columns
    };
    let mut cut: String = text.chars().take_while(fits).collect();
    cut.push('…');
    cut
}

fn age(age: Duration) -> String {
    match age.as_secs() {
        0 => "now".to_owned(),
        seconds @ 1..=119 => format!("{seconds}s"),
        seconds => format!("{}min", seconds / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_aligned_and_fits_into_80_columns() {
        let long = "\u{1f600}".repeat(64);
        for name in ["NAME", "日本語のゲーム", "Grüße", &"x".repeat(64), &long] {
            let line = line(&fit(name, NAME), "ws://255.255.255.255:65535", "1000", "mdns", "59min");
            assert_eq!(line.width(), 80 - 1, "{line}");
            assert_eq!(line[..line.find("ws://").unwrap()].width(), NAME + 2, "{line}");
        }
        assert_eq!(heading().width(), 79);
        assert_eq!(fit("日本語", 5), "日本…");
    }
}
