//! The URL of a server, as a person writes it.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::defaults::PORT;
use crate::fingerprint::{Fingerprint, FingerprintError};
use crate::text::escape;
use crate::token::{Token, TokenError};

/// A `ws://` or `wss://` URL (RFC 6455 section 3).
///
/// Also accepted are `http://` and `https://`, as in the address bar of a browser or in a QR code, and a host alone, which
/// means `ws://`. With a scheme the default port is 80 or 443, without one it is 8765. A fragment, which RFC 6455 does not
/// allow, may contain what an invitation contains: `#token=…&fp=…`.
///
/// The URL is displayed without its fragment and without the value of `token=` in its query, so that no token gets into a
/// log.
///
/// ```
/// use halloo_proto::url::Url;
///
/// let url: Url = "http://192.168.1.5:8765/room?seat=3".parse()?;
/// assert_eq!(url.to_string(), "ws://192.168.1.5:8765/room?seat=3");
/// assert_eq!("den.local".parse::<Url>()?.to_string(), "ws://den.local:8765");
/// assert_eq!("ws://[::1]".parse::<Url>()?.port(), 80);
/// let url: Url = "https://10.0.0.1:8765/#token=a-long-enough-token".parse()?;
/// assert_eq!(url.to_string(), "wss://10.0.0.1:8765");
/// assert_eq!(url.token().unwrap().reveal(), "a-long-enough-token");
/// # Ok::<(), halloo_proto::url::UrlError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Url {
    secure: bool,
    host: Host,
    port: u16,
    /// Path and query for the request line.
    resource: String,
    token: Option<Token>,
    fingerprint: Option<Fingerprint>,
}

/// The host of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// An IP address.
    Ip(IpAddr),
    /// A name to resolve.
    Name(String),
}

/// Why a URL is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// The scheme is not supported.
    #[error("`{0}://` is not the scheme of a WebSocket URL; use ws://HOST:PORT or wss://HOST:PORT")]
    Scheme(String),
    /// The host is missing or malformed.
    #[error(
        "`{0}` is not a valid host; use an address such as 192.168.1.5 or [fe80::1], or a name of ASCII letters and digits"
    )]
    Host(String),
    /// The port is invalid.
    #[error("`{0}` is not a valid port; use a number from 1 to 65535")]
    Port(String),
    /// The URL contains a user name or password.
    #[error("a URL with a user name or password is not supported; remove the part up to `@`")]
    UserInfo,
    /// The fragment has an unknown key. The error does not contain it: it may be a token with a typing error.
    #[error("a URL may only end in `#token=…` and `&fp=…`; remove the rest after `#`")]
    Fragment,
    /// The token in the fragment is invalid.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The fingerprint in the fragment is invalid.
    #[error(transparent)]
    Fingerprint(#[from] FingerprintError),
    /// There is a fingerprint, but no TLS.
    #[error("a fingerprint needs TLS; use wss:// or https://, or remove `fp=`")]
    PlainFingerprint,
    /// The path or query contains a character that a request cannot contain.
    #[error("`{0}` is not allowed in a path or query; percent-encode it")]
    Resource(String),
}

impl Url {
    /// Creates a URL with the path `/`; `secure` for `wss://`.
    pub fn new(secure: bool, host: Host, port: u16) -> Url {
        Url { secure, host, port, resource: "/".into(), token: None, fingerprint: None }
    }

    /// Returns whether the URL uses TLS.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Returns the same URL with TLS and the same port.
    #[must_use]
    pub fn secured(mut self) -> Url {
        self.secure = true;
        self
    }

    /// Returns the token in the fragment. A token in the query is part of [`Url::resource`].
    pub fn token(&self) -> Option<&Token> {
        self.token.as_ref()
    }

    /// Returns the fingerprint in the fragment.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        self.fingerprint
    }

    /// Returns the host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Returns the TCP port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns path and query, for the request line.
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// Returns the value of the `Host` header, without the default port of the scheme (RFC 6455 section 4.1).
    pub fn authority(&self) -> String {
        let default_port = if self.secure { 443 } else { 80 };
        if self.port == default_port { self.host.to_string() } else { format!("{}:{}", self.host, self.port) }
    }
}

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
        Ok(Url { secure, host: read_host(host)?, port, resource: format!("{slash}{resource}"), token, fingerprint })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "wss" } else { "ws" };
        let resource = if self.resource == "/" { "" } else { &self.resource };
        write!(f, "{scheme}://{}:{}", self.host, self.port)?;
        let Some((path, query)) = resource.split_once('?') else { return f.write_str(resource) };
        let hidden = |pair: &str| if pair.starts_with("token=") { "token=…" } else { pair }.to_owned();
        write!(f, "{path}?{}", query.split('&').map(hidden).collect::<Vec<_>>().join("&"))
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Url({self})")
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
            Host::Ip(ip) => ip.fmt(f),
            Host::Name(name) => f.write_str(name),
        }
    }
}

fn read_fragment(fragment: &str) -> Result<(Option<Token>, Option<Fingerprint>), UrlError> {
    let (mut token, mut fingerprint) = (None, None);
    for pair in fragment.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("token", text)) => token = Some(Token::new(text)?),
            Some(("fp", text)) => fingerprint = Some(text.parse()?),
            _ => return Err(UrlError::Fragment),
        }
    }
    Ok((token, fingerprint))
}

/// Splits host and port. The port is empty if it is missing, also after a colon.
fn split_port(authority: &str) -> Result<(&str, &str), UrlError> {
    // The colons of an IPv6 address without brackets do not begin a port.
    if authority.parse::<IpAddr>().is_ok() {
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

fn read_host(text: &str) -> Result<Host, UrlError> {
    let wrong = || UrlError::Host(escaped(text));
    if let Some(inside) = text.strip_prefix('[') {
        let inside = inside.strip_suffix(']').ok_or_else(wrong)?;
        return inside.parse().map(|ip| Host::Ip(IpAddr::V6(ip))).map_err(|_| wrong());
    }
    if let Ok(ip) = text.parse() {
        return Ok(Host::Ip(ip));
    }
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    // The longest DNS name has 253 characters (RFC 1035 section 3.1).
    if text.is_empty() || text.len() > 253 || !text.bytes().all(fits) {
        return Err(wrong());
    }
    Ok(Host::Name(text.to_ascii_lowercase()))
}

fn escaped(text: &str) -> String {
    escape(text, 100)
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(authority("ws://a:8765/x"), "a:8765");
        assert_eq!((authority("wss://a"), authority("wss://a:80")), ("a".into(), "a:80".into()));
    }
}
