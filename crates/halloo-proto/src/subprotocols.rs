//! The subprotocols of WebSocket (RFC 6455 section 1.9): which names are valid, and which of those offered is chosen.

/// The subprotocol that is accepted if it is offered. It does not change the messages.
pub const SUBPROTOCOL: &str = "halloo.v1";
/// What the names of this protocol's own subprotocols begin with, of which some contain a token or a proof.
pub(crate) const OWN_PREFIX: &str = "halloo.";
/// Maximum length of a name in bytes.
pub const MAX_SUBPROTOCOL_BYTES: usize = 64;

/// Returns whether `name` can be the name of an application's subprotocol: 1 to 64 characters of a token (RFC 9110
/// section 5.6.2), which does not begin with `halloo.`.
///
/// ```
/// use halloo_proto::subprotocols::is_subprotocol;
///
/// assert!(is_subprotocol("json") && is_subprotocol("v2.chat.example.org"));
/// assert!(!is_subprotocol("") && !is_subprotocol("a b") && !is_subprotocol("halloo.v2"));
/// ```
pub fn is_subprotocol(name: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    (1..=MAX_SUBPROTOCOL_BYTES).contains(&name.len())
        && name.bytes().all(is_token)
        && !name.to_ascii_lowercase().starts_with(OWN_PREFIX)
}

/// Returns the subprotocol to answer with (RFC 6455 section 4.2.2): the first of `supported` that is offered, or else
/// [`SUBPROTOCOL`] if that is. Names are compared with their case.
pub(crate) fn choose<'s>(offered: &[&str], supported: &'s [String]) -> Option<&'s str> {
    let own = std::iter::once(SUBPROTOCOL);
    supported.iter().map(String::as_str).chain(own).find(|name| offered.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_supported_one_that_is_offered_is_chosen() {
        let supported = ["json".to_owned(), "xml".to_owned()];
        for (offered, chosen) in [
            (&["xml", "json"][..], Some("json")),
            (&["halloo.v1", "xml"], Some("xml")),
            (&["halloo.v1", "JSON"], Some("halloo.v1")),
            (&["halloo.token.abc"], None),
            (&[], None),
        ] {
            assert_eq!(choose(offered, &supported), chosen, "{offered:?}");
        }
        assert_eq!(choose(&["json"], &[]), None);
    }

    #[test]
    fn names_that_no_browser_offers_are_invalid() {
        for name in ["", "a,b", "a b", "a/b", "ü", "\"a\"", "Halloo.token.x", &"x".repeat(65)] {
            assert!(!is_subprotocol(name), "{name}");
        }
        assert!(is_subprotocol(&"x".repeat(64)) && is_subprotocol("halloo"));
    }
}
