//! The address of a server, as a person writes it.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::defaults::PORT;
use crate::fingerprint::{Fingerprint, FingerprintError};
use crate::text::escape;
use crate::token::{Token, TokenError};

/// A `ws://` or `wss://` address (RFC 6455 section 3).
///
/// Also accepted: `http://` and `https://`, as on a page or in a QR code, and a bare host, which becomes `ws://`. With a
/// scheme the port is 80 or 443 unless one is given; without one it is halloo's own. A fragment, which RFC 6455 does
/// not know, may hold what a server's QR code has: `#token=…&fp=…`.
///
/// It is shown without its fragment, and without the value of a `token=` in its query: a token does not belong in a log.
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
    /// Path and query, as they go into the request.
    resource: String,
    token: Option<Token>,
    fingerprint: Option<Fingerprint>,
}

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// At this address.
    Ip(IpAddr),
    /// At the addresses that this name stands for.
    Name(String),
}

/// What is wrong with an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// Another scheme.
    #[error("`{0}://` is no WebSocket address; use ws://HOST:PORT or wss://HOST:PORT")]
    Scheme(String),
    /// No host, or none that could be one.
    #[error("`{0}` is no host; use an address like 192.168.1.5, [fe80::1] or a name of ASCII letters and digits")]
    Host(String),
    /// A port that is none.
    #[error("`{0}` is no port; use a number from 1 to 65535")]
    Port(String),
    /// A user name or password.
    #[error("an address with `@` is not supported; leave user name and password out")]
    UserInfo,
    /// A fragment that is not one of ours; not repeated, for it may be a token with a slip in it.
    #[error("only `#token=…` and `&fp=…` may follow an address; leave out the rest")]
    Fragment,
    /// A token that is none.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// A fingerprint that is none.
    #[error(transparent)]
    Fingerprint(#[from] FingerprintError),
    /// A fingerprint without TLS.
    #[error("a fingerprint is of no use without TLS; write wss:// or https://, or leave `fp=` out")]
    PlainFingerprint,
    /// A path or query that cannot stand in a request as it is.
    #[error("`{0}` cannot stand in a path or query; write it percent-encoded")]
    Resource(String),
}

impl Url {
    /// The address of the root at `host` and `port`; `secure` for `wss://`.
    pub fn new(secure: bool, host: Host, port: u16) -> Url {
        Url { secure, host, port, resource: "/".into(), token: None, fingerprint: None }
    }

    /// Whether it is to be reached by TLS.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// The same address by TLS; the port stays.
    #[must_use]
    pub fn secured(mut self) -> Url {
        self.secure = true;
        self
    }

    /// The token in its fragment. One in its query is a part of [`Url::resource`].
    pub fn token(&self) -> Option<&Token> {
        self.token.as_ref()
    }

    /// The fingerprint in its fragment.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        self.fingerprint
    }

    /// Where the server is.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The TCP port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Path and query, for the request line.
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// The value of the `Host` header: without the port when it is the one of the scheme (RFC 6455 section 4.1).
    pub fn authority(&self) -> String {
        let usual = if self.secure { 443 } else { 80 };
        if self.port == usual { self.host.to_string() } else { format!("{}:{}", self.host, self.port) }
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
                _ => return Err(UrlError::Scheme(shown(scheme))),
            },
            None => (false, text, PORT),
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, resource) = rest.split_at(end);
        if authority.contains('@') {
            return Err(UrlError::UserInfo);
        }
        if let Some(wrong) = resource.chars().find(|character| !character.is_ascii_graphic()) {
            return Err(UrlError::Resource(shown(&wrong.to_string())));
        }
        let (host, port) = split_port(authority)?;
        let port = match port {
            "" => default_port,
            digits => port_number(digits).ok_or_else(|| UrlError::Port(shown(digits)))?,
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

/// Host and port; a port that is left out is empty, and so is one that is only announced by its colon.
fn split_port(authority: &str) -> Result<(&str, &str), UrlError> {
    // An IPv6 address without its brackets has colons of its own, and no port.
    if authority.parse::<IpAddr>().is_ok() {
        return Ok((authority, ""));
    }
    let after_host = match authority.starts_with('[') {
        true => authority.rfind(']').ok_or_else(|| UrlError::Host(shown(authority)))?,
        false => 0,
    };
    match authority[after_host..].find(':') {
        Some(colon) => Ok((&authority[..after_host + colon], &authority[after_host + colon + 1..])),
        None => Ok((authority, "")),
    }
}

/// Only digits: the parser of numbers would take `+80`, too.
fn port_number(digits: &str) -> Option<u16> {
    let number = digits.parse().ok().filter(|&port| port > 0);
    number.filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()))
}

fn read_host(text: &str) -> Result<Host, UrlError> {
    let wrong = || UrlError::Host(shown(text));
    if let Some(inside) = text.strip_prefix('[') {
        let inside = inside.strip_suffix(']').ok_or_else(wrong)?;
        return inside.parse().map(|ip| Host::Ip(IpAddr::V6(ip))).map_err(|_| wrong());
    }
    if let Ok(ip) = text.parse() {
        return Ok(Host::Ip(ip));
    }
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    // The longest name that there can be has 253 characters (RFC 1035 section 3.1).
    if text.is_empty() || text.len() > 253 || !text.bytes().all(fits) {
        return Err(wrong());
    }
    Ok(Host::Name(text.to_ascii_lowercase()))
}

fn shown(text: &str) -> String {
    escape(text, 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<String, UrlError> {
        text.parse::<Url>().map(|url| url.to_string())
    }

    #[test]
    fn what_people_write() {
        for (written, meant) in [
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
            assert_eq!(parse(written).as_deref(), Ok(meant), "{written}");
            assert_eq!(parse(meant).as_deref(), Ok(meant));
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
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
    fn a_fragment_brings_what_a_qr_code_has() {
        let (token, fingerprint) = (Token::from([1; 16]), Fingerprint::from([2; 32]));
        let link = format!("https://10.0.0.1:8765/#token={}&fp={}", token.reveal(), fingerprint.short());
        let url: Url = link.parse().unwrap();
        assert_eq!((url.token(), url.fingerprint(), url.resource()), (Some(&token), Some(fingerprint), "/"));
        assert_eq!(parse(&link.replace("https", "http")), Err(UrlError::PlainFingerprint));
        let url: Url = "ws://10.0.0.1:8765/?a=b&token=secret-secret-se&c".parse().unwrap();
        assert_eq!(url.resource(), "/?a=b&token=secret-secret-se&c", "for servers of others that have one there");
        for shown in [url.to_string(), format!("{url:?}")] {
            assert!(shown.contains("/?a=b&token=…&c") && !shown.contains("secret"), "{shown}");
        }
    }

    #[test]
    fn the_host_header_leaves_the_usual_port_out() {
        let authority = |text: &str| text.parse::<Url>().unwrap().authority();
        assert_eq!(authority("ws://[::1]"), "[::1]");
        assert_eq!(authority("ws://a:8765/x"), "a:8765");
        assert_eq!((authority("wss://a"), authority("wss://a:80")), ("a".into(), "a:80".into()));
    }
}
