//! The target in a request line (RFC 9112 section 3.2).

/// A request target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Target<'a> {
    /// The host and port of a target in absolute form. It takes the place of `Host` (RFC 9112 section 3.2.2).
    pub(crate) authority: Option<&'a str>,
    /// The path, without its query.
    pub(crate) path: &'a str,
    /// The query, without its question mark; empty if it is missing.
    pub(crate) query: &'a str,
}

impl<'a> Target<'a> {
    pub(crate) fn parse(text: &'a str) -> Target<'a> {
        // No client sends a fragment.
        let text = text.split('#').next().unwrap_or_default();
        let is_scheme =
            |scheme: &str| ["http", "https", "ws", "wss"].iter().any(|own| own.eq_ignore_ascii_case(scheme));
        let (authority, resource) = match text.split_once("://").filter(|(scheme, _)| is_scheme(scheme)) {
            Some((_, rest)) => {
                let (authority, resource) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
                (Some(authority), resource)
            }
            None => (None, text),
        };
        let (path, query) = resource.split_once('?').unwrap_or((resource, ""));
        Target { authority, path: if path.is_empty() { "/" } else { path }, query }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absolute_form_contains_the_host() {
        for (text, authority, path, query) in [
            ("/", None, "/", ""),
            ("/a?b=c?d#e", None, "/a", "b=c?d"),
            ("*", None, "*", ""),
            ("/http://a/b", None, "/http://a/b", ""),
            ("http://127.0.0.1:8765/status", Some("127.0.0.1:8765"), "/status", ""),
            ("HTTP://den.local", Some("den.local"), "/", ""),
            ("wss://den.local?token=x", Some("den.local"), "/", "token=x"),
            ("http://user@den.local/", Some("user@den.local"), "/", ""),
            ("http:///status", Some(""), "/status", ""),
            ("ftp://den.local/", None, "ftp://den.local/", ""),
        ] {
            assert_eq!(Target::parse(text), Target { authority, path, query }, "{text}");
        }
    }
}
