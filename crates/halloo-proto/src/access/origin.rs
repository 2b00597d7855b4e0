//! The `Origin` header: from a page in a browser, or from a native program.

use std::fmt;

use super::authority::{Authority, Name};

/// What an `Origin` header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// `null`: a page that a browser assigns no origin, such as a sandboxed one.
    Null,
    /// A page.
    Page(PageOrigin),
    /// A native program: this is a well-formed address, but no browser sends it.
    ///
    /// A browser sends `null` or `scheme://host[:port]` of its page and nothing after it (RFC 6454 section 6.2), and a
    /// page cannot change it (it is a forbidden request header of the Fetch standard). No page has the scheme `ws` or
    /// `wss`. So an empty value, an address without a scheme, one with `ws` or `wss`, and one with `http` or `https`
    /// that has a path, a query or a fragment are from libraries that fill in the header by themselves. The schemes of
    /// apps that contain a browser are not covered, since they do not all serialise origins in the same way.
    Native,
    /// Something else.
    Malformed,
}

/// The origin of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PageOrigin {
    /// In lower case.
    pub(super) scheme: String,
    /// Missing for `file://`, the only scheme without a host.
    pub(super) host: Option<Authority>,
}

impl Origin {
    pub(super) fn parse(text: &str) -> Origin {
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) => (scheme.to_ascii_lowercase(), rest),
            None if text.is_empty() => return Origin::Native,
            None if text == "null" => return Origin::Null,
            None => (String::new(), text),
        };
        let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        // A list of origins is refused.
        if !tail.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',') {
            return Origin::Malformed;
        }
        // One trailing slash is ignored.
        let is_bare = matches!(tail, "" | "/");
        let host = Authority::parse(authority);
        match (scheme.as_str(), host) {
            // Without a scheme, `file:` is no host, and `NULL` is no native program.
            ("", Some(host)) if !text.contains("://") && !authority.ends_with(':') && !is_null(&host) => Origin::Native,
            ("ws" | "wss", Some(_)) => Origin::Native,
            ("http" | "https", Some(_)) if !is_bare => Origin::Native,
            ("file", None) if authority.is_empty() && is_bare => Origin::Page(PageOrigin { scheme, host: None }),
            (name, Some(host)) if is_scheme(name) && is_bare => Origin::Page(PageOrigin { scheme, host: Some(host) }),
            _ => Origin::Malformed,
        }
    }
}

impl PageOrigin {
    /// Returns the port, or the default port of the scheme.
    pub(super) fn port(&self) -> Option<u16> {
        self.host.as_ref().and_then(|host| host.port).or(self.default_port())
    }

    /// Returns the default port of the scheme.
    pub(super) fn default_port(&self) -> Option<u16> {
        match self.scheme.as_str() {
            "http" => Some(80),
            "https" => Some(443),
            _ => None,
        }
    }

    /// Returns whether the page is a part of a browser extension. Its origin is a random or assigned identifier.
    pub(super) fn is_extension(&self) -> bool {
        matches!(self.scheme.as_str(), "chrome-extension" | "moz-extension" | "safari-web-extension")
            && matches!(&self.host, Some(Authority { name: Name::Dns(id), port: None })
                if id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'))
    }
}

/// As a browser sends it.
impl fmt::Display for PageOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.scheme)?;
        self.host.as_ref().map_or(Ok(()), |host| host.fmt(f))
    }
}

fn is_null(host: &Authority) -> bool {
    host.name == Name::Dns("null".into())
}

/// Returns whether `text` is a scheme (RFC 3986 section 3.1), in lower case.
pub(super) fn is_scheme(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte);
    text.starts_with(|first: char| first.is_ascii_lowercase()) && text.len() <= 64 && text.bytes().all(legal)
}
