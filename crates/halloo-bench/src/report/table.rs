//! The figures as a Markdown table, with columns aligned for the terminal.

use super::summary::{HALLOO, RAW_TCP, Report, Row, Summary};

/// Returns a table with a line for each figure and a column for each peer: median, spread and ratio to raw TCP.
pub(crate) fn table(report: &Report) -> String {
    let competitors: Vec<&str> = names(report).filter(|name| ["uwebsockets", "bun"].contains(name)).collect();
    let mut head = vec![String::from("load"), String::from("figure")];
    head.extend(names(report).map(str::to_owned));
    head.extend(competitors.iter().map(|competitor| format!("{HALLOO} : {competitor}")));
    let mut lines = vec![head];
    let mut last = "";
    for row in &report.rows {
        let title = if row.title == last { "" } else { &row.title };
        last = &row.title;
        let better = if row.more_is_better { "" } else { " (less is better)" };
        let mut line = vec![title.to_owned(), format!("{}{better}", row.metric)];
        line.extend(names(report).map(|name| cell(row, name)));
        line.extend(
            competitors
                .iter()
                .map(|competitor| row.ratio(HALLOO, competitor).map_or("".into(), |ratio| format!("{ratio:.2}"))),
        );
        lines.push(line);
    }
    align(&lines)
}

fn names(report: &Report) -> impl Iterator<Item = &str> {
    report.peers.iter().map(|(name, _)| name.as_str())
}

fn cell(row: &Row, name: &str) -> String {
    let Some(summary) = row.peers.get(name) else { return "-".into() };
    let ratio =
        row.ratio(name, RAW_TCP).filter(|_| name != RAW_TCP).map_or(String::new(), |ratio| format!(" x{ratio:.2}"));
    format!("{} {}{ratio}", figure(summary.median), spread(summary)).trim().to_owned()
}

fn spread(summary: &Summary) -> String {
    if summary.values.len() < 2 { String::new() } else { format!("±{:.0}%", 100.0 * summary.spread()) }
}

/// Formats a value with three significant digits.
pub(super) fn figure(value: f64) -> String {
    match value.abs() {
        v if v >= 9_995_000.0 => format!("{:.1} M", value / 1e6),
        v if v >= 999_500.0 => format!("{:.2} M", value / 1e6),
        v if v >= 9_995.0 => format!("{:.0} k", value / 1e3),
        v if v >= 99.95 => format!("{value:.0}"),
        v if v >= 9.995 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn align(lines: &[Vec<String>]) -> String {
    let columns = lines[0].len();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        let cells: Vec<String> = line.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}")).collect();
        text += &format!("| {} |\n", cells.join(" | "));
        if number == 0 {
            let rules: Vec<String> = widths.iter().map(|&width| "-".repeat(width)).collect();
            text += &format!("| {} |\n", rules.join(" | "));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_significant_digits() {
        let shown = [25_862_998.0, 2_605_396.0, 163_729.0, 5869.0, 49.2, 9.87, 0.0].map(figure);
        assert_eq!(shown, ["25.9 M", "2.61 M", "164 k", "5869", "49.2", "9.87", "0.00"]);
    }

    #[test]
    fn a_table_has_ratios_to_raw_tcp_and_to_rivals() {
        let summary = |value| Summary::new(vec![value, value]);
        let peers = [("tcp", 200.0), ("halloo", 190.0), ("bun", 100.0)];
        let row = Row {
            scenario: "echo".into(),
            title: "echo".into(),
            metric: "messages/s".into(),
            more_is_better: true,
            peers: peers.iter().map(|&(name, value)| (name.into(), summary(value))).collect(),
        };
        let report = Report {
            date: String::new(),
            machine: String::new(),
            mode: "quick",
            pinned: true,
            peers: peers.iter().map(|&(name, _)| (name.into(), String::new())).collect(),
            rows: vec![row],
            sizes: Default::default(),
            left_out: Vec::new(),
            notes: Vec::new(),
        };
        let text = table(&report);
        let cells: Vec<&str> = text.lines().nth(2).unwrap().split('|').map(str::trim).collect();
        assert_eq!(cells, ["", "echo", "messages/s", "200 ±0%", "190 ±0% x0.95", "100 ±0% x0.50", "1.90", ""]);
        assert!(text.lines().all(|line| line.chars().count() == text.lines().next().unwrap().chars().count()));
    }
}
