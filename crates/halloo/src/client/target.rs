//! Where to connect to.

use std::fmt;
use std::net::SocketAddr;

use halloo_proto::announcement::{MAX_NAME_CHARS, clean};
use halloo_proto::fingerprint::Fingerprint;
use halloo_proto::text::escape;
use halloo_proto::url::{Host, Url, UrlError};

use super::locate::{Found, Lookup, Wanted};
use crate::{ConnectError, ServerInfo};

/// What a client connects to.
///
/// Text with a scheme, a dot or a colon in it is an address, and so is `localhost`; any other text is the name of a
/// server on the local network. A server that was found, or is known by its name, is searched for again by that name
/// when it no longer answers, because it may have moved to another port or address.
///
/// ```
/// use halloo::{Target, discover};
///
/// let address = Target::from("ws://192.168.1.5:8765");
/// let name = Target::from("Living room");
/// let odd_name = Target::name("v2.0");
/// # fn found() -> std::io::Result<Option<Target>> {
/// let found = discover(std::time::Duration::from_secs(3))?.first().map(Target::from);
/// # Ok(found)
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target(Kind);

#[derive(Clone, PartialEq, Eq)]
enum Kind {
    Text(String),
    Name(String),
    Server(Box<ServerInfo>),
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Text(text) => write!(f, "{:?}", shown(text)),
            Kind::Name(name) => write!(f, "{name:?}"),
            Kind::Server(server) => server.fmt(f),
        }
    }
}

impl Target {
    /// Returns the target for the server called `name`, whatever the name looks like.
    pub fn name(name: impl Into<String>) -> Target {
        Target(Kind::Name(name.into()))
    }

    /// Returns the name to search for, if the address is not known.
    pub fn as_name(&self) -> Option<&str> {
        match &self.0 {
            Kind::Text(text) if is_address(text) => None,
            Kind::Text(name) | Kind::Name(name) => Some(name),
            Kind::Server(_) => None,
        }
    }
}

impl From<&str> for Target {
    fn from(text: &str) -> Target {
        Target(Kind::Text(text.into()))
    }
}

impl From<String> for Target {
    fn from(text: String) -> Target {
        Target(Kind::Text(text))
    }
}

impl From<&String> for Target {
    fn from(text: &String) -> Target {
        Target(Kind::Text(text.clone()))
    }
}

impl From<ServerInfo> for Target {
    fn from(server: ServerInfo) -> Target {
        Target(Kind::Server(Box::new(server)))
    }
}

impl From<&ServerInfo> for Target {
    fn from(server: &ServerInfo) -> Target {
        Target::from(server.clone())
    }
}

/// What is known about the way to a target.
#[derive(Debug)]
pub(super) struct Route {
    /// Addresses to try, best first.
    pub(super) known: Vec<SocketAddr>,
    /// How to learn others.
    pub(super) lookup: Lookup,
    /// The address as it was given, for the request; otherwise the root of the one that is tried.
    url: Option<Url>,
    /// Whether a server without an address of its own is to be spoken to by TLS.
    secure: bool,
    /// Whether TLS is spoken whatever the server says of itself.
    pinned: bool,
}

impl Route {
    /// The way to `target`; to one whose certificate is `pinned` by TLS in any case.
    pub(super) fn new(target: Target, pinned: bool) -> Result<Route, ConnectError> {
        if pinned && !cfg!(feature = "tls") {
            return Err(ConnectError::NoTls);
        }
        if let Some(name) = target.as_name() {
            let nowhere = Found { addresses: Vec::new(), tls: false };
            return Ok(Route::to_server(name.to_owned(), None, nowhere, pinned));
        }
        match target.0 {
            Kind::Text(text) | Kind::Name(text) => {
                let wrong = |error: UrlError| ConnectError::Address { text: shown(&text), error };
                let url: Url = text.parse().map_err(wrong)?;
                if url.is_secure() && !cfg!(feature = "tls") {
                    return Err(ConnectError::NoTls);
                }
                Ok(Route::to_url(if pinned { url.secured() } else { url }))
            }
            Kind::Server(server) => {
                let known = Found { addresses: server.candidates(), tls: server.tls };
                Ok(Route::to_server(server.name, Some(server.id), known, pinned))
            }
        }
    }

    fn to_url(url: Url) -> Route {
        let (known, lookup) = match url.host() {
            Host::Ip(ip) => (vec![SocketAddr::new(*ip, url.port())], Lookup::Nothing),
            Host::Name(name) => (Vec::new(), Lookup::Resolve(name.clone(), url.port())),
        };
        Route { known, lookup, url: Some(url), secure: false, pinned: false }
    }

    fn to_server(name: String, id: Option<String>, found: Found, pinned: bool) -> Route {
        let name = clean(name.trim(), MAX_NAME_CHARS);
        // Without a name there is nothing to know it by after a restart.
        let lookup = if name.is_empty() { Lookup::Nothing } else { Lookup::Search(Wanted { name, id }) };
        let Found { addresses: known, tls } = found;
        Route { known, lookup, url: None, secure: tls || pinned, pinned }
    }

    /// The certificate that the address names.
    pub(super) fn fingerprint(&self) -> Option<Fingerprint> {
        self.url.as_ref().and_then(Url::fingerprint)
    }

    /// The address by which `addr` is asked.
    pub(super) fn url(&self, addr: SocketAddr) -> Url {
        self.url.clone().unwrap_or_else(|| Url::new(self.secure, Host::Ip(addr.ip()), addr.port()))
    }

    /// Whether the target is exactly one address, so that a wrong answer there is the answer.
    pub(super) fn is_fixed(&self) -> bool {
        !matches!(self.lookup, Lookup::Search(_))
    }

    /// Takes over what a lookup found. Names are resolved for each attempt, for they may move.
    pub(super) fn learn(&mut self, found: &Found) {
        if matches!(self.lookup, Lookup::Search(_)) {
            self.known = found.addresses.clone();
            self.secure = found.tls || self.pinned;
        }
    }
}

impl ServerInfo {
    /// The addresses to try, the one of its URL first.
    pub(super) fn candidates(&self) -> Vec<SocketAddr> {
        best_first(&self.url, &self.addresses)
    }
}

fn best_first(url: &str, addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let best = url.split_once("://").and_then(|(_, addr)| addr.parse().ok());
    let others = addresses.iter().copied().filter(|&addr| Some(addr) != best);
    best.into_iter().chain(others).collect()
}

/// An address for a log: a token may follow it.
fn shown(text: &str) -> String {
    escape(text.split(['#', '?']).next().unwrap_or_default(), 200)
}

fn is_address(text: &str) -> bool {
    let text = text.trim();
    text.is_empty() || text.contains(['.', ':', '/', '[', '@']) || text.eq_ignore_ascii_case("localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_told_apart() {
        let route = |text: &str| Route::new(text.into(), false);
        for address in ["ws://a", "a:80", "10.0.0.1", "den.local", "::1", "localhost"] {
            assert!(route(address).unwrap().is_fixed(), "{address}");
        }
        for name in ["den", "Living room", "halloo", " den "] {
            assert!(!route(name).unwrap().is_fixed(), "{name}");
        }
        assert!(!Route::new(Target::name("v2.0"), false).unwrap().is_fixed());
        let error = route("ws://a\nb/#token=secret").unwrap_err().to_string();
        assert!(error.contains("a\\nb") && !error.contains("secret"), "{error}");
        assert!(route("").is_err());
    }

    #[test]
    fn the_address_of_the_url_is_tried_first() {
        let [a, b]: [SocketAddr; 2] = ["127.0.0.1:1".parse().unwrap(), "10.0.0.1:1".parse().unwrap()];
        assert_eq!(best_first("ws://10.0.0.1:1", &[a, b]), [b, a]);
        assert_eq!(best_first("wss://10.0.0.1:1", &[a, b]), [b, a]);
        assert_eq!(best_first("?", &[a, b]), [a, b]);
    }
}
