//! Addresses with a mistyped scheme, such as `ws:/den`, which would be looked up as the host `ws`.

use halloo::Token;

/// Returns the address that was probably meant, if `text` looks mistyped. Omits what follows the path, which may contain a
/// token.
pub(crate) fn corrected(text: &str) -> Option<String> {
    // Longer ones first.
    let schemes = ["wss", "ws", "https", "http"];
    let prefix = |scheme: &&str| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    let scheme = schemes.into_iter().find(prefix)?;
    let rest = &text[scheme.len()..];
    let place = rest.trim_start_matches([':', '/', '\\']);
    let (separator, host) = (&rest[..rest.len() - place.len()], place.split(['/', '#', '?']).next()?);
    let is_typo = match separator {
        "" | "://" => false,
        // `ws:8765` is a host and its port.
        ":" => host.parse::<u16>().is_err(),
        _ => true,
    };
    let place = &Token::hide(place);
    let shown = place.find(['#', '?']).map_or_else(|| place.to_string(), |end| format!("{}…", &place[..=end]));
    // Names can contain anything, but a host has no spaces.
    (is_typo && !host.is_empty() && !host.contains(char::is_whitespace)).then(|| format!("{scheme}://{shown}"))
}

#[cfg(test)]
mod tests {
    use super::corrected;

    #[test]
    fn mistyped_schemes_are_corrected() {
        for (text, address) in [
            ("ws:/den", "ws://den"),
            ("ws//den:8765", "ws://den:8765"),
            ("ws:den", "ws://den"),
            ("wss:10.0.0.1", "wss://10.0.0.1"),
            ("WS:/den", "ws://den"),
            ("http:/10.0.0.1:8765/#token=a:/b", "http://10.0.0.1:8765/#…"),
            ("https:\\\\den", "https://den"),
            ("ws:/den/token=secret", "ws://den/token=…"),
            ("ws:///den", "ws://den"),
        ] {
            assert_eq!(corrected(text).as_deref(), Some(address), "{text}");
        }
    }

    #[test]
    fn names_and_addresses_stay() {
        let valid = [
            "ws://den",
            "https://den/",
            "ws",
            "ws:8765",
            "http.local",
            "wsx:/den",
            "den",
            "Ws: my room",
            "ws: 1",
            "日本",
        ];
        for text in valid {
            assert_eq!(corrected(text), None, "{text}");
        }
    }
}
