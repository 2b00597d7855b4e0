//! What the drawings share. They are SVG written by hand, since they consist only of lines, bars and text.

/// The colour of a peer by its column; colours that are distinguishable with colour blindness.
pub(super) fn colour(column: usize) -> &'static str {
    const COLOURS: [&str; 10] =
        ["#8c8c8c", "#d55e00", "#e69f00", "#0072b2", "#56b4e9", "#009e73", "#cc79a7", "#b2abd2", "#f0e442", "#5e3c99"];
    COLOURS[column % COLOURS.len()]
}

/// Draws a line of text.
pub(super) fn text(x: f64, y: f64, weight: &str, content: &str) -> String {
    let content = content.replace('&', "&amp;").replace('<', "&lt;");
    format!("<text x=\"{x:.0}\" y=\"{y:.0}\" font-weight=\"{weight}\" fill=\"#222222\">{content}</text>\n")
}
