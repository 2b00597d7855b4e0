//! The rates as bars in parts of raw TCP: an SVG written by hand, since bars are all there is.

use super::summary::{LIMIT, Report, Row};
use super::table::figure;

/// The scenarios of a curve end with their number of clients.
pub(super) const GROWTH: &str = "growth-";

const WIDTH: f64 = 860.0;
/// Where the bars begin, and what a ratio of one measures.
const LEFT: f64 = 190.0;
const ONE: f64 = 440.0;
const BAR: f64 = 15.0;
const GAP: f64 = 26.0;
/// Colours that are told apart by the colour-blind, too.
pub(super) const COLOURS: [&str; 10] =
    ["#8c8c8c", "#d55e00", "#e69f00", "#0072b2", "#56b4e9", "#009e73", "#cc79a7", "#b2abd2", "#f0e442", "#5e3c99"];

/// One group of bars for each rate that raw TCP has, too.
pub(crate) fn plot(report: &Report) -> String {
    let rows: Vec<&Row> = report
        .rows
        .iter()
        .filter(|row| row.more_is_better && !row.scenario.starts_with(GROWTH) && row.peers.contains_key(LIMIT))
        .collect();
    let mut body = String::new();
    let mut top = 46.0;
    for row in rows {
        body += &text(16.0, top + 12.0, "bold", &format!("{} ({})", row.title, row.metric));
        top += 20.0;
        for (index, (name, _)) in report.peers.iter().enumerate() {
            let (Some(summary), Some(ratio)) = (row.peers.get(name), row.ratio(name, LIMIT)) else { continue };
            let colour = COLOURS[index % COLOURS.len()];
            let width = (ratio * ONE).min(WIDTH - LEFT - 100.0);
            body += &text(16.0, top + 12.0, "normal", name);
            body += &format!(
                "<rect x=\"{LEFT}\" y=\"{:.0}\" width=\"{width:.1}\" height=\"{BAR}\" fill=\"{colour}\"/>\n",
                top + 1.0
            );
            let label = format!("{}  x{ratio:.2}", figure(summary.median));
            body += &text(LEFT + width + 6.0, top + 12.0, "normal", &label);
            top += BAR + 3.0;
        }
        top += GAP;
    }
    let line = LEFT + ONE;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{top:.0}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n{}{body}\
         <line x1=\"{line}\" y1=\"40\" x2=\"{line}\" y2=\"{:.0}\" stroke=\"#444444\" stroke-dasharray=\"3 3\"/>\n</svg>\n",
        text(16.0, 22.0, "bold", "Rates in parts of raw TCP in the same run; medians, longer is better"),
        top - GAP
    )
}

pub(super) fn text(x: f64, y: f64, weight: &str, content: &str) -> String {
    let content = content.replace('&', "&amp;").replace('<', "&lt;");
    format!("<text x=\"{x:.0}\" y=\"{y:.0}\" font-weight=\"{weight}\" fill=\"#222222\">{content}</text>\n")
}
