//! How the figures grow with the number of clients, as an SVG of small panels.

use super::summary::{Report, Row};
use super::svg::{colour, text};
use super::table::figure;

const PANEL: (f64, f64) = (400.0, 210.0);
/// The margins around the lines of a panel: for numbers on the left and at the bottom, for the title at the top.
const LEFT: f64 = 64.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 28.0;
const BOTTOM: f64 = 30.0;

/// Draws a panel for each figure with a line for each peer. Returns `None` if growth was not measured.
pub(crate) fn curves(report: &Report) -> Option<String> {
    let mut panels: Vec<(&str, Vec<(f64, &Row)>)> = Vec::new();
    for row in report.rows.iter().filter(|row| row.is_growth()) {
        // The names of these scenarios end with their number of clients.
        let Some(clients) = row.scenario.rsplit('-').next().and_then(|number| number.parse().ok()) else { continue };
        match panels.iter_mut().find(|(metric, _)| *metric == row.metric) {
            Some((_, points)) => points.push((clients, row)),
            None => panels.push((&row.metric, vec![(clients, row)])),
        }
    }
    panels.retain(|(_, points)| points.len() > 1);
    if panels.is_empty() {
        return None;
    }
    let (columns, legend) = (2, 26.0);
    let lines = panels.len().div_ceil(columns);
    // The last number of an axis extends a little beyond it.
    let (width, height) = (PANEL.0 * columns as f64 + 16.0, PANEL.1 * lines as f64 + legend);
    let mut body = String::new();
    let mut at = LEFT;
    for (index, (name, _)) in report.peers.iter().enumerate() {
        if panels.iter().any(|(_, points)| points.iter().any(|(_, row)| row.peers.contains_key(name))) {
            let colour = colour(index);
            body += &format!("<rect x=\"{at}\" y=\"8\" width=\"12\" height=\"12\" fill=\"{colour}\"/>\n");
            body += &text(at + 17.0, 18.0, "normal", name);
            at += 40.0 + 7.5 * name.len() as f64;
        }
    }
    for (number, (metric, points)) in panels.iter().enumerate() {
        let corner = (PANEL.0 * (number % columns) as f64, legend + PANEL.1 * (number / columns) as f64);
        body += &panel(report, metric, points, corner);
    }
    Some(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n{body}</svg>\n"
    ))
}

fn panel(report: &Report, metric: &str, points: &[(f64, &Row)], corner: (f64, f64)) -> String {
    let all = points.iter().flat_map(|(_, row)| row.peers.values()).map(|summary| summary.median);
    let highest = all.fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    let (first, last) = (points[0].0.log10(), points[points.len() - 1].0.log10());
    let (left, bottom) = (corner.0 + LEFT, corner.1 + PANEL.1 - BOTTOM);
    let (wide, high) = (PANEL.0 - LEFT - RIGHT, PANEL.1 - TOP - BOTTOM);
    let across = |clients: f64| left + wide * (clients.log10() - first) / (last - first);
    let up = |value: f64| bottom - high * value / highest;
    let mut drawn = text(corner.0 + 16.0, corner.1 + 16.0, "bold", metric);
    for part in [0.0, 0.5, 1.0] {
        let y = up(part * highest);
        let end = left + wide;
        drawn += &format!("<line x1=\"{left}\" y1=\"{y:.1}\" x2=\"{end}\" y2=\"{y:.1}\" stroke=\"#dddddd\"/>\n");
        drawn += &text(corner.0 + 16.0, y + 4.0, "normal", &figure(part * highest));
    }
    for &(clients, _) in points {
        drawn += &text(across(clients) - 14.0, bottom + 18.0, "normal", &format!("{clients:.0}"));
    }
    for (index, (name, _)) in report.peers.iter().enumerate() {
        let at = |(clients, row): &(f64, &Row)| {
            row.peers.get(name).map(|summary| format!("{:.1},{:.1}", across(*clients), up(summary.median)))
        };
        let corners: Vec<String> = points.iter().filter_map(at).collect();
        if corners.is_empty() {
            continue;
        }
        let (path, colour) = (corners.join(" "), colour(index));
        drawn += &format!("<polyline points=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\n");
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::super::summary::Summary;
    use super::*;

    fn row(scenario: &str, value: f64) -> Row {
        Row {
            scenario: scenario.into(),
            title: String::new(),
            metric: "bytes/client".into(),
            more_is_better: false,
            peers: [("tcp".into(), Summary::new(vec![value]))].into(),
        }
    }

    fn report(rows: Vec<Row>) -> Report {
        Report {
            date: String::new(),
            machine: String::new(),
            mode: "full",
            pinned: true,
            peers: vec![("tcp".into(), String::new()), ("halloo".into(), String::new())],
            rows,
            sizes: Default::default(),
            left_out: Vec::new(),
            notes: Vec::new(),
        }
    }

    #[test]
    fn a_line_connects_the_points_of_a_peer() {
        let rows = vec![row("growth-10", 200.0), row("growth-1000", 100.0), row("echo-64-100-1", 7.0)];
        let drawn = curves(&report(rows)).unwrap();
        // From the left edge at full height to the right edge at half of it.
        assert!(drawn.contains("points=\"64.0,54.0 384.0,130.0\""), "{drawn}");
        assert_eq!(drawn.matches("<text").count(), 1 + 1 + 3 + 2, "{drawn}");
    }

    #[test]
    fn a_single_point_draws_no_curve() {
        assert!(curves(&report(vec![row("growth-10", 1.0), row("memory-1000", 2.0)])).is_none());
    }
}
