//! What a person sees first: the addresses, and a QR code for phones.

use halloo::Server;
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

/// The banner of a running server.
pub(crate) fn banner(server: &Server, name: &str) -> String {
    let (port, url) = (server.port(), server.url());
    let page = url.replacen("ws://", "http://", 1);
    let code = QrCode::new(&page).map(|code| {
        code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).quiet_zone(true).build()
    });
    let code = code.unwrap_or_default();
    format!("\n  {name}\n\n  Local    ws://127.0.0.1:{port}\n  Network  {url}\n  Console  {page}/\n\n{code}\n")
}
