//! A QR code as rows of half blocks, each of which is two modules high.

use anstyle::{Color, Style};
use qrcode::bits::Bits;
use qrcode::{EcLevel, QrCode, Version};

/// Widths of the margin in modules, the widest first. The standard wants four; scanners read a screen with less.
const MARGINS: [usize; 3] = [4, 2, 1];

/// Returns the code of `text`, one string for each row, and its width in columns. Its margin is the widest with which it
/// has at most `max_rows` rows, or else the narrowest. `None` if the text is too long for a code.
pub(crate) fn draw(text: &str, max_rows: usize, colours: bool) -> Option<(Vec<String>, usize)> {
    let code = (1..=40).find_map(|version| encode(text, Version::Normal(version)))?;
    let size = code.width();
    let rows = |margin: usize| (size + 2 * margin).div_ceil(2);
    let margin = MARGINS.into_iter().find(|&margin| rows(margin) <= max_rows).unwrap_or(1);
    // The sides take no rows.
    let columns = size + 2 * margin.max(2);
    let dark = code.to_colors();
    let is_inked = |x: usize, y: usize| {
        let (x, y) = (x.wrapping_sub(margin.max(2)), y.wrapping_sub(margin));
        let is_dark = x < size && y < size && dark[y * size + x] == qrcode::Color::Dark;
        // Without colours, assume a dark terminal, on which the blocks are light.
        is_dark == colours
    };
    let paper = Style::new().fg_color(Some(Color::Ansi256(16.into()))).bg_color(Some(Color::Ansi256(231.into())));
    let paper = if colours { paper } else { Style::new() };
    let row = |row: usize| {
        let block = |x| match (is_inked(x, 2 * row), is_inked(x, 2 * row + 1)) {
            (true, true) => '█',
            (true, false) => '▀',
            (false, true) => '▄',
            (false, false) => ' ',
        };
        let blocks: String = (0..columns).map(block).collect();
        format!("{paper}{blocks}{paper:#}")
    };
    Some(((0..rows(margin)).map(row).collect(), columns))
}

/// Encodes a text as bytes. A screen needs little error correction, and the smallest code is easiest to display; the
/// segments that [`QrCode::new`] would choose for a link are longer than its bytes.
fn encode(text: &str, version: Version) -> Option<QrCode> {
    let mut bits = Bits::new(version);
    bits.push_byte_data(text.as_bytes()).ok()?;
    bits.push_terminator(EcLevel::L).ok()?;
    QrCode::with_bits(bits, EcLevel::L).ok()
}
