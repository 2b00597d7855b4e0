//! The page for browsers, which connects to this server: one document that loads nothing else.

/// The document. It is joined here from its parts, whose `html`, `head` and `body` tags are implied.
pub(crate) const PAGE: &str = concat!(
    "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<style>\n",
    include_str!("page/page.css"),
    "</style>\n",
    include_str!("page/page.html"),
    "<script>\n",
    include_str!("page/proof.js"),
    include_str!("page/page.js"),
    "</script>\n",
);
