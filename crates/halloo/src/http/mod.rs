//! What plain HTTP requests get on the WebSocket's port.

/// The page that connects back: one file without anything from elsewhere.
pub(crate) const PAGE: &[u8] = include_bytes!("page.html");

/// Keeps the page from loading or being framed by anything.
pub(crate) const PAGE_HEADERS: &[(&str, &str)] = &[(
    "Content-Security-Policy",
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self' ws: wss:; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
)];

/// What a path leads to.
pub(crate) enum Route {
    Console,
    Status,
    Discovery,
    NotFound,
}

pub(crate) fn route(path: &str) -> Route {
    match path {
        "/" => Route::Console,
        "/status" => Route::Status,
        "/discovery.json" => Route::Discovery,
        _ => Route::NotFound,
    }
}
