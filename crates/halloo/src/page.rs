//! The page for browsers, which connects to this server. Its script is an asset.

/// Joins the document from its parts, whose `html`, `head` and `body` tags are implied. `$assets`: where the assets are,
/// relative to the document, because a proxy may serve it below a path.
macro_rules! document {
    ($assets:literal) => {
        concat!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<style>\n",
            include_str!("assets/page.css"),
            "</style>\n<link rel=\"modulepreload\" href=\"",
            $assets,
            "client.js\">\n",
            include_str!("assets/page.html"),
            "<script type=\"module\" src=\"",
            $assets,
            "page.js\"></script>\n",
        )
    };
}

/// Returns the document for this path.
pub(crate) fn page(path: &str) -> &'static str {
    if path == "/" { document!("_halloo/") } else { document!("") }
}
