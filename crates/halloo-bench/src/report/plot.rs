//! The rates as bars, relative to raw TCP, as an SVG.

use super::summary::{RAW_TCP, Report, Row};
use super::svg::{colour, text};
use super::table::figure;

const WIDTH: f64 = 860.0;
/// The left end of the bars.
const LEFT: f64 = 190.0;
/// The length of a bar for a ratio of one.
const ONE: f64 = 440.0;
const BAR: f64 = 15.0;
const GAP: f64 = 26.0;

/// Draws a group of bars for each rate that was measured for raw TCP, too.
pub(crate) fn plot(report: &Report) -> String {
    let rows: Vec<&Row> = report
        .rows
        .iter()
        .filter(|row| row.more_is_better && !row.is_growth() && row.peers.contains_key(RAW_TCP))
        .collect();
    let mut body = String::new();
    let mut top = 46.0;
    for row in rows {
        body += &text(16.0, top + 12.0, "bold", &format!("{} ({})", row.title, row.metric));
        top += 20.0;
        for (index, (name, _)) in report.peers.iter().enumerate() {
            let (Some(summary), Some(ratio)) = (row.peers.get(name), row.ratio(name, RAW_TCP)) else { continue };
            let colour = colour(index);
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
        text(16.0, 22.0, "bold", "Rates relative to raw TCP in the same run; medians, longer is better"),
        top - GAP
    )
}
