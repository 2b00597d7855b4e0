//! The banner: the addresses of the server, and a QR code for phones.

use anstyle::{AnsiColor, Color, Style};
use halloo::Server;
use halloo_proto::text::escape;
use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};
use unicode_width::UnicodeWidthStr;

/// Columns between the addresses and the QR code.
const GAP: usize = 4;

/// Returns the banner of a running server for a terminal of `columns` columns.
pub(crate) fn banner(server: &Server, name: &str, columns: usize, colours: bool) -> String {
    let paint = |style: Style| if colours { style } else { Style::new() };
    let (bold, dim) = (paint(Style::new().bold()), paint(Style::new().dimmed()));
    let colour = paint(AnsiColor::Cyan.on_default());
    let invitation = server.invitation();
    let name = escape(name, 200);
    let mut rows = vec![(name.width(), format!("{bold}{name}{bold:#}")), (0, String::new())];
    let mut row = |label: &str, url: &str| {
        rows.push((9 + url.len(), format!("{dim}{label:<9}{dim:#}{colour}{url}{colour:#}")));
    };
    for url in server.urls() {
        row(if is_local(&url) { "Local" } else { "Network" }, &url);
    }
    // Without the fingerprint, which has a row of its own.
    row("Page", invitation.split("fp=").next().unwrap_or(&invitation).trim_end_matches(['#', '&']));
    if let Some(fingerprint) = server.fingerprint() {
        row("SHA-256", &fingerprint.to_string());
    }
    let code = qr_code(invitation.trim_end_matches('/'), colours);
    let width = rows.iter().map(|(width, _)| *width).max().unwrap_or(0);
    let code_width = code.first().map_or(0, |line| line.0);
    let mut out = String::from("\n");
    if 2 + width + GAP + code_width <= columns {
        // Side by side, so that the banner fits on a screen of 24 rows.
        let count = rows.len().max(code.len());
        let top = (count - rows.len()) / 2;
        for index in 0..count {
            let (text_width, text) = match index.checked_sub(top).and_then(|index| rows.get(index)) {
                Some((text_width, text)) => (*text_width, text.as_str()),
                None => (0, ""),
            };
            let line = code.get(index).map_or("", |line| line.1.as_str());
            out += &format!("  {text}{:space$}{line}\n", "", space = width - text_width + GAP);
        }
    } else {
        if code_width <= columns {
            code.iter().for_each(|line| out += &format!("{}\n", line.1));
            out.push('\n');
        }
        rows.iter().for_each(|(_, text)| out += &format!("  {text}\n"));
    }
    out.push('\n');
    out
}

fn is_local(url: &str) -> bool {
    url.split_once("://").is_some_and(|(_, host)| host.starts_with("127.") || host.starts_with("[::1]"))
}

/// Returns the rows of a QR code, each with its width in columns.
fn qr_code(text: &str, colours: bool) -> Vec<(usize, String)> {
    // A screen needs little error correction, and the smallest code is easiest to display.
    let Ok(code) = QrCode::with_error_correction_level(text, EcLevel::L) else { return Vec::new() };
    let mut renderer = code.render::<Dense1x2>();
    if !colours {
        // Without colours, assume a dark terminal, on which the blocks are light.
        renderer.dark_color(Dense1x2::Light).light_color(Dense1x2::Dark);
    }
    let paper = Style::new().fg_color(Some(Color::Ansi256(16.into()))).bg_color(Some(Color::Ansi256(231.into())));
    let paper = if colours { paper } else { Style::new() };
    let image = renderer.quiet_zone(true).build();
    image.lines().map(|line| (line.chars().count(), format!("{paper}{line}{paper:#}"))).collect()
}
