//! A table of servers that fits into 80 columns.

use std::time::Duration;

use halloo::{DiscoveryMethod, ServerInfo};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Columns of the name if a line contains only the row. The other columns fit their longest value.
pub(crate) const NAME_COLUMNS: usize = 28;
/// Columns of the name if a word of at most eight columns precedes the row.
pub(crate) const SHORT_NAME_COLUMNS: usize = 20;

/// Returns the heading, with `columns` for the name.
pub(crate) fn heading(columns: usize) -> String {
    line(columns, "NAME", "ADDRESS", "CLIENTS", "VIA", "AGE")
}

/// Columns of a line, on a terminal of 80.
const LINE_COLUMNS: usize = 79;

/// Returns the application id, the cluster and the properties of a server as a second line, indented by `indent` columns; `None` if it
/// has none.
pub(crate) fn details(server: &ServerInfo, indent: usize) -> Option<String> {
    let app = server.app.iter().map(|app| format!("app {app}"));
    let cluster = server.cluster.iter().map(|cluster| format!("cluster {cluster}"));
    let pairs = server.meta.iter().map(|(key, value)| format!("{key}={value}"));
    let items: Vec<String> = app.chain(cluster).chain(pairs).collect();
    let columns = LINE_COLUMNS - indent;
    (!items.is_empty()).then(|| format!("{:indent$}{}", "", truncate(&items.join(", "), columns)))
}

/// Returns a server as one line, with `columns` for its name.
pub(crate) fn row(server: &ServerInfo, columns: usize) -> String {
    let clients = server.clients.map_or_else(|| "?".to_owned(), |clients| clients.to_string());
    let via = match server.via {
        DiscoveryMethod::Udp => "udp",
        DiscoveryMethod::Mdns => "mdns",
        _ => "?",
    };
    let name = if server.name.is_empty() { "-" } else { &server.name };
    line(columns, name, &server.url, &clients, via, &age(server.age()))
}

fn line(columns: usize, name: &str, address: &str, clients: &str, via: &str, age: &str) -> String {
    let name = truncate(name, columns);
    let padding = " ".repeat(columns.saturating_sub(name.width()));
    format!("{name}{padding}  {address:<27} {clients:>7}  {via:<4} {age:>6}")
}

/// Truncates `text` to `columns` columns of a terminal, where some characters take two.
fn truncate(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut width = 0;
    let fits = |character: &char| {
        width += character.width().unwrap_or(0);
        width < columns
    };
    let mut truncated: String = text.chars().take_while(fits).collect();
    truncated.push('…');
    truncated
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
    fn lines_are_aligned_and_fit_into_80_columns() {
        let long = "\u{1f600}".repeat(64);
        for (columns, before) in [(NAME_COLUMNS, 0), (SHORT_NAME_COLUMNS, 9)] {
            for name in ["NAME", "日本語のゲーム", "Grüße", &"x".repeat(64), &long] {
                let line = line(columns, name, "wss://255.255.255.255:65535", "1000", "mdns", "59min");
                assert_eq!(line.width(), heading(columns).width(), "{line}");
                assert!(before + line.width() < 80, "{line}");
                assert_eq!(line[..line.find("wss://").unwrap()].width(), columns + 2, "{line}");
            }
        }
        assert_eq!((truncate("日本語", 5), truncate("日本語", 6)), ("日本…".into(), "日本語".into()));
    }

    #[test]
    fn age_is_formatted_in_seconds_then_minutes() {
        let ages = [0, 1, 119, 120, 86_400].map(|seconds| age(Duration::from_secs(seconds)));
        assert_eq!(ages, ["now", "1s", "119s", "2min", "1440min"]);
    }
}
