//! The HTTP routes on the WebSocket port, in one table. Every route accepts `GET`, `HEAD` and `OPTIONS`.

use crate::files::BUILT_IN_PAGE;

/// What an HTTP response contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// The page, which opens a WebSocket to the server.
    Page,
    /// The pad, a game controller for browsers.
    Pad,
    /// A file that is part of the server, for pages.
    Asset,
    /// Whether a connection of a page still works.
    Connection,
    /// The status of the server and of its clients.
    Status,
    /// The reply to a probe.
    Discovery,
    /// A file of the application, or nothing.
    File,
    /// Nothing.
    NotFound,
}

/// One route.
#[derive(Debug, PartialEq, Eq)]
pub struct Route {
    /// The path, without a query.
    pub path: &'static str,
    /// The content of the response.
    pub resource: Resource,
    /// Whether a request needs the token, if the server has one.
    pub needs_token: bool,
    /// Whether a request without TLS is allowed on a server that requires TLS.
    pub allowed_without_tls: bool,
    /// The `Content-Type` of the response.
    pub content_type: &'static str,
    /// The `Cache-Control` of the response.
    pub cache_control: &'static str,
    /// Additional headers of the response.
    pub headers: &'static [(&'static str, &'static str)],
}

impl Route {
    /// Returns whether pages of other origins that may connect may read the response.
    pub fn is_readable_across_origins(&self) -> bool {
        !matches!(self.resource, Resource::Page | Resource::NotFound)
    }
}

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const MANIFEST: &str = "application/manifest+json; charset=utf-8";

/// Prevents the page from loading anything but the scripts of this server, and from being framed.
const PAGE_HEADERS: &[(&str, &str)] = &[
    (
        "Content-Security-Policy",
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; connect-src 'self' ws: wss:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    NO_REFERRER,
];

/// Prevents the pad from loading resources of other servers and from being framed.
const PAD_HEADERS: &[(&str, &str)] = &[
    (
        "Content-Security-Policy",
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; \
         manifest-src 'self'; media-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    NO_REFERRER,
];

/// The address of a page may contain the token, which is in the log of a proxy otherwise.
const NO_REFERRER: (&str, &str) = ("Referrer-Policy", "no-referrer");

/// All routes. What belongs to the server is below `/_halloo/`, apart from the paths that existing clients use. The page
/// needs no token, because its script reads the token from the URL's fragment; discovery needs none, because beacons are
/// public.
pub const ROUTES: &[Route] = &[
    Route { path: "/", ..PAGE },
    Route { path: BUILT_IN_PAGE, ..PAGE },
    Route { path: "/_halloo/client.js", content_type: JAVASCRIPT, ..ASSET },
    Route { path: "/_halloo/page.js", content_type: JAVASCRIPT, ..ASSET },
    Route { path: "/_halloo/access.js", content_type: JAVASCRIPT, ..ASSET },
    // The key of a connection is proof enough of the right to ask about it.
    Route {
        path: "/_halloo/connection",
        resource: Resource::Connection,
        needs_token: false,
        allowed_without_tls: false,
        content_type: JSON,
        cache_control: "no-store",
        headers: &[],
    },
    PAD,
    Route { path: "/_halloo/pad.js", content_type: JAVASCRIPT, ..ASSET },
    Route { path: "/_halloo/pad.png", content_type: "image/png", ..ASSET },
    Route { path: "/_halloo/pad.webmanifest", content_type: MANIFEST, ..ASSET },
    Route {
        path: "/status",
        resource: Resource::Status,
        needs_token: true,
        allowed_without_tls: false,
        content_type: JSON,
        cache_control: "no-store",
        headers: &[],
    },
    Route {
        path: "/discovery.json",
        resource: Resource::Discovery,
        needs_token: false,
        allowed_without_tls: true,
        content_type: JSON,
        cache_control: "no-store",
        headers: &[],
    },
    // Browsers request it for the page.
    Route { path: "/favicon.ico", needs_token: false, ..NOT_FOUND },
];

const PAGE: Route = Route {
    path: "",
    resource: Resource::Page,
    needs_token: false,
    allowed_without_tls: false,
    content_type: HTML,
    cache_control: "no-cache",
    headers: PAGE_HEADERS,
};

/// The pad, which a server may also have at `/`.
pub const PAD: Route = Route { path: "/_halloo/pad", resource: Resource::Pad, headers: PAD_HEADERS, ..PAGE };

/// A file, whose content the library has under the same path.
const ASSET: Route = Route { resource: Resource::Asset, content_type: TEXT, headers: &[], ..PAGE };

/// The route of every other path.
const NOT_FOUND: Route = Route {
    path: "",
    resource: Resource::NotFound,
    needs_token: true,
    allowed_without_tls: false,
    content_type: TEXT,
    cache_control: "no-store",
    headers: &[],
};

static UNKNOWN: Route = NOT_FOUND;

/// The route of every path that a file can have, if the application publishes files. They need no token, because a browser
/// sends none when it loads a page.
static FILE: Route = Route { resource: Resource::File, needs_token: false, ..NOT_FOUND };

/// Returns the route of `path`, which must not contain a query, on a server that `has_files` or not.
///
/// ```
/// use halloo_proto::routes::{Resource, find};
///
/// assert_eq!((find("/", false).resource, find("/", true).resource), (Resource::Page, Resource::File));
/// ```
pub fn find(path: &str, has_files: bool) -> &'static Route {
    let found = ROUTES.iter().find(|route| route.path == path).unwrap_or(&UNKNOWN);
    if has_files && !is_reserved(path) { &FILE } else { found }
}

/// Returns whether no file can take the place of `path`.
pub fn is_reserved(path: &str) -> bool {
    let is_replaceable = |route: &Route| route.path == "/" || route.resource == Resource::NotFound;
    path.starts_with(BUILT_IN_PAGE) || ROUTES.iter().any(|route| route.path == path && !is_replaceable(route))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_distinct_and_unknown_ones_need_the_token_and_tls() {
        for (index, route) in ROUTES.iter().enumerate() {
            assert_eq!(find(route.path, false), route);
            assert!(ROUTES[..index].iter().all(|other| other.path != route.path), "{}", route.path);
        }
        for path in ["", "/STATUS", "/status/", "//", "/nothing"] {
            let route = find(path, false);
            assert_eq!((route.resource, route.needs_token), (Resource::NotFound, true), "{path}");
            assert!(!route.allowed_without_tls);
        }
    }

    #[test]
    fn files_take_the_place_of_the_page_and_of_nothing_else() {
        for (path, resource) in [
            ("/", Resource::File),
            ("/favicon.ico", Resource::File),
            ("/nothing", Resource::File),
            ("/status/", Resource::File),
            ("/_halloo", Resource::File),
            ("/status", Resource::Status),
            ("/discovery.json", Resource::Discovery),
            ("/_halloo/", Resource::Page),
            ("/_halloo/client.js", Resource::Asset),
            ("/_halloo/connection", Resource::Connection),
            ("/_halloo/nothing", Resource::NotFound),
        ] {
            assert_eq!(find(path, true).resource, resource, "{path}");
        }
        assert!(!find("/nothing", true).needs_token && find("/status", true).needs_token);
        assert!(!find("/nothing", true).allowed_without_tls);
    }
}
