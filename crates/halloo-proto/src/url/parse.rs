//! Parsing of URLs.

use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use super::error::UrlError;
use super::{Host, Url};
use crate::defaults::PORT;
use crate::fingerprint::Fingerprint;
use crate::text::escape;
use crate::token::Token;

/// Maximum length of a zone: names of interfaces have at most 15 bytes on Linux and macOS.
const MAX_ZONE_BYTES: usize = 64;

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Url, UrlError> {
        let text = text.trim();
        let (text, fragment) = text.split_once('#').unwrap_or((text, ""));
        let (secure, rest, default_port) = match text.split_once("://") {
            Some((scheme, rest)) => match scheme.to_ascii_lowercase().as_str() {
                "ws" | "http" => (false, rest, 80),
                "wss" | "https" => (true, rest, 443),
                _ => return Err(UrlError::Scheme(escaped(scheme))),
            },
            None => (false, text, PORT),
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, resource) = rest.split_at(end);
        if authority.contains('@') {
            return Err(UrlError::UserInfo);
        }
        if let Some(wrong) = resource.chars().find(|character| !character.is_ascii_graphic()) {
            return Err(UrlError::Resource(escaped(&wrong.to_string())));
        }
        let (host, port) = split_port(authority)?;
        let port = match port {
            "" => default_port,
            digits => port_number(digits).ok_or_else(|| UrlError::Port(escaped(digits)))?,
        };
        let slash = if resource.starts_with('/') { "" } else { "/" };
        let (token, fingerprint) = read_fragment(fragment)?;
        if fingerprint.is_some() && !secure {
            return Err(UrlError::PlainFingerprint);
        }
        let (host, zone) = read_host(host)?;
        Ok(Url { secure, host, zone, port, resource: format!("{slash}{resource}"), token, fingerprint })
    }
}

fn read_fragment(fragment: &str) -> Result<(Option<Token>, Option<Fingerprint>), UrlError> {
    let (mut token, mut fingerprint) = (None, None);
    for pair in fragment.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("token", text)) => token = Some(Token::new(Token::decode(text))?),
            Some(("fp", text)) => fingerprint = Some(text.parse()?),
            _ => return Err(UrlError::Fragment),
        }
    }
    Ok((token, fingerprint))
}

/// Splits the host and the port. The port is empty if it is missing, even after a colon.
fn split_port(authority: &str) -> Result<(&str, &str), UrlError> {
    // The colons of an IPv6 address without brackets do not begin a port.
    if authority.parse::<IpAddr>().is_ok() || read_ipv6(authority).is_some() {
        return Ok((authority, ""));
    }
    let after_host = match authority.starts_with('[') {
        true => authority.rfind(']').ok_or_else(|| UrlError::Host(escaped(authority)))?,
        false => 0,
    };
    match authority[after_host..].find(':') {
        Some(colon) => Ok((&authority[..after_host + colon], &authority[after_host + colon + 1..])),
        None => Ok((authority, "")),
    }
}

/// Parses a port of digits only: the standard parser also accepts `+80`.
fn port_number(digits: &str) -> Option<u16> {
    let number = digits.parse().ok().filter(|&port| port > 0);
    number.filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()))
}

fn read_host(text: &str) -> Result<(Host, Option<String>), UrlError> {
    let wrong = || UrlError::Host(escaped(text));
    if let Some(inside) = text.strip_prefix('[') {
        let inside = inside.strip_suffix(']').ok_or_else(wrong)?;
        let (ip, zone) = read_ipv6(inside).ok_or_else(wrong)?;
        return Ok((Host::Ip(ip.into()), zone));
    }
    if let Some((ip, zone)) = read_ipv6(text) {
        return Ok((Host::Ip(ip.into()), zone));
    }
    if let Ok(ip) = text.parse() {
        return Ok((Host::Ip(ip), None));
    }
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    // The longest DNS name has 253 characters (RFC 1035 section 3.1).
    if text.is_empty() || text.len() > 253 || !text.bytes().all(fits) {
        return Err(wrong());
    }
    Ok((Host::Name(text.to_ascii_lowercase()), None))
}

/// Parses an IPv6 address and its zone, which follows `%` as people write it (RFC 9844), or `%25` as in RFC 6874. A zone
/// is kept only for the addresses that need one.
fn read_ipv6(text: &str) -> Option<(Ipv6Addr, Option<String>)> {
    let Some((ip, zone)) = text.split_once('%') else { return Some((text.parse().ok()?, None)) };
    let ip: Ipv6Addr = ip.parse().ok()?;
    // The zone with the number 25 is `%25`.
    let zone = zone.strip_prefix("25").filter(|zone| !zone.is_empty()).unwrap_or(zone);
    let is_valid = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    let is_zone = (1..=MAX_ZONE_BYTES).contains(&zone.len()) && zone.bytes().all(is_valid);
    is_zone.then(|| (ip, ip.is_unicast_link_local().then(|| zone.to_owned())))
}

fn escaped(text: &str) -> String {
    escape(text, 100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fingerprint::FingerprintError;
    use crate::token::TokenError;

    fn parse(text: &str) -> Result<String, UrlError> {
        text.parse::<Url>().map(|url| url.to_string())
    }

    #[test]
    fn urls_are_parsed_and_normalized() {
        for (written, normalized) in [
            ("ws://192.168.1.5:8765", "ws://192.168.1.5:8765"),
            (" WS://Den.LOCAL:9/ ", "ws://den.local:9"),
            ("http://10.0.0.1:8765/", "ws://10.0.0.1:8765"),
            ("ws://a?x=1", "ws://a:80/?x=1"),
            ("ws://a:/b", "ws://a:80/b"),
            ("ws://[fe80::1]:1/%20", "ws://[fe80::1]:1/%20"),
            ("localhost:65535/a/b?c=d:e@f", "ws://localhost:65535/a/b?c=d:e@f"),
            ("192.168.1.5", "ws://192.168.1.5:8765"),
            ("WSS://a", "wss://a:443"),
            ("https://a:8765/b#", "wss://a:8765/b"),
            ("::1", "ws://[::1]:8765"),
            ("[::1]", "ws://[::1]:8765"),
            ("ws://[fe80::1%eth0]:8765", "ws://[fe80::1%25eth0]:8765"),
            ("ws://[fe80::1%25wlp3s0.5]", "ws://[fe80::1%25wlp3s0.5]:80"),
            ("fe80::1%2", "ws://[fe80::1%252]:8765"),
            ("[fe80::1%25]:9/x%20", "ws://[fe80::1%2525]:9/x%20"),
            ("ws://[::1%lo]:1", "ws://[::1]:1"),
        ] {
            assert_eq!(parse(written).as_deref(), Ok(normalized), "{written}");
            assert_eq!(parse(normalized).as_deref(), Ok(normalized));
        }
    }

    #[test]
    fn errors_name_the_invalid_part() {
        let host = |text: &str| UrlError::Host(text.into());
        for (written, error) in [
            ("ftp://a", UrlError::Scheme("ftp".into())),
            ("ws://", host("")),
            ("", host("")),
            (":80", host("")),
            ("ws://a b", host("a b")),
            ("ws://[::1", host("[::1")),
            ("ws://[10.0.0.1]", host("[10.0.0.1]")),
            ("ws://[fe80::1%]", host("[fe80::1%]")),
            ("ws://[fe80::1%a b]", host("[fe80::1%a b]")),
            ("ws://[fe80::1%a%b]", host("[fe80::1%a%b]")),
            ("ws://[10.0.0.1%eth0]", host("[10.0.0.1%eth0]")),
            ("ws://a%eth0", host("a%eth0")),
            ("ws://gr\u{fc}n", host("gr\u{fc}n")),
            ("ws://a\r\nb", host("a\\r\\nb")),
            ("ws://a:0", UrlError::Port("0".into())),
            ("ws://a:65536", UrlError::Port("65536".into())),
            ("ws://a:+80", UrlError::Port("+80".into())),
            ("ws://a:80:80", UrlError::Port("80:80".into())),
            ("ws://u:p@a", UrlError::UserInfo),
            ("ws://a/#token", UrlError::Fragment),
            ("ws://a/#tokens=x", UrlError::Fragment),
            ("ws://a/#token=short", UrlError::Token(TokenError::Length)),
            ("wss://a/#fp=x", UrlError::Fingerprint(FingerprintError)),
            ("ws://a/b c", UrlError::Resource(" ".into())),
            ("ws://a/\r\nX: y", UrlError::Resource("\\r".into())),
        ] {
            assert_eq!(parse(written), Err(error), "{written}");
        }
    }

    #[test]
    fn fragment_of_an_invitation_contains_token_and_fingerprint() {
        let (token, fingerprint) = (Token::from([1; 16]), Fingerprint::from([2; 32]));
        let link = format!("https://10.0.0.1:8765/#token={}&fp={}", token.reveal(), fingerprint.short());
        let url: Url = link.parse().unwrap();
        assert_eq!((url.token(), url.fingerprint(), url.resource()), (Some(&token), Some(fingerprint), "/"));
        // An app that passes on the link may encode characters that need no encoding.
        let url: Url = "ws://a/#token=tilde%7Etoken%2Dlong".parse().unwrap();
        assert_eq!(url.token().unwrap().reveal(), "tilde~token-long");
        assert_eq!(parse(&link.replace("https", "http")), Err(UrlError::PlainFingerprint));
        let url: Url = "ws://10.0.0.1:8765/?a=b&token=secret-secret-se&c".parse().unwrap();
        assert_eq!(url.resource(), "/?a=b&token=secret-secret-se&c", "other servers may take a token there");
        for shown in [url.to_string(), format!("{url:?}")] {
            assert!(shown.contains("/?a=b&token=…&c") && !shown.contains("secret"), "{shown}");
        }
    }

    #[test]
    fn host_header_leaves_out_the_default_port() {
        let authority = |text: &str| text.parse::<Url>().unwrap().authority();
        assert_eq!(authority("ws://[::1]"), "[::1]");
        assert_eq!(
            (authority("ws://[fe80::1%eth0]:1"), authority("[fe80::1%252]")),
            ("[fe80::1]:1".into(), "[fe80::1]:8765".into())
        );
        assert_eq!(authority("ws://a:8765/x"), "a:8765");
        assert_eq!((authority("wss://a"), authority("wss://a:80")), ("a".into(), "a:80".into()));
    }
}
