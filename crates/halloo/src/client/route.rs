//! How to reach a target.

use std::net::SocketAddr;

use halloo_proto::announcement::{MAX_NAME_CHARS, clean};
use halloo_proto::fingerprint::Fingerprint;
use halloo_proto::url::{Host, Url, UrlError};

use super::lookup::{Location, Lookup, ServerQuery};
use super::target::{Target, TargetKind, without_secrets};
use crate::ConnectError;

/// How to reach a target: its addresses, how to look up others, and the URL for the handshake.
#[derive(Debug)]
pub(super) struct Route {
    /// The addresses to try, best first.
    pub(super) known: Vec<SocketAddr>,
    pub(super) lookup: Lookup,
    /// The URL of a target that was given as an address. For others it follows from the address that is tried.
    url: Option<Url>,
    /// Whether to use TLS with a target that was not given as an address.
    secure: bool,
    /// Whether to use TLS even if the server does not announce it.
    pinned: bool,
}

impl Route {
    /// Returns the route to `target`. If its certificate is `pinned`, the route uses TLS in any case.
    pub(super) fn new(target: Target, pinned: bool) -> Result<Route, ConnectError> {
        if pinned && !cfg!(feature = "tls") {
            return Err(ConnectError::NoTls);
        }
        if let Some(name) = target.as_name() {
            let unknown = Location { addresses: Vec::new(), tls: false };
            return Ok(Route::to_server(name, None, unknown, pinned));
        }
        match target.0 {
            TargetKind::Text(text) | TargetKind::Name(text) => {
                let invalid = |error: UrlError| ConnectError::Address { text: without_secrets(&text), error };
                let url: Url = text.parse().map_err(invalid)?;
                if url.is_secure() && !cfg!(feature = "tls") {
                    return Err(ConnectError::NoTls);
                }
                Ok(Route::to_url(if pinned { url.secured() } else { url }))
            }
            TargetKind::Server(server) => {
                let location = Location::from(&*server);
                Ok(Route::to_server(&server.name, Some(server.id), location, pinned))
            }
        }
    }

    fn to_url(url: Url) -> Route {
        let (known, lookup) = match url.host() {
            Host::Ip(ip) => (vec![SocketAddr::new(*ip, url.port())], Lookup::NotNeeded),
            Host::Name(name) => (Vec::new(), Lookup::Resolve(name.clone(), url.port())),
        };
        Route { known, lookup, url: Some(url), secure: false, pinned: false }
    }

    fn to_server(name: &str, id: Option<String>, location: Location, pinned: bool) -> Route {
        let name = clean(name.trim(), MAX_NAME_CHARS);
        // Without a name the server cannot be recognised after a restart.
        let lookup = if name.is_empty() { Lookup::NotNeeded } else { Lookup::Search(ServerQuery { name, id }) };
        let Location { addresses: known, tls } = location;
        Route { known, lookup, url: None, secure: tls || pinned, pinned }
    }

    /// Returns the fingerprint of the certificate in the URL.
    pub(super) fn fingerprint(&self) -> Option<Fingerprint> {
        self.url.as_ref().and_then(Url::fingerprint)
    }

    /// Returns the URL for a handshake with `addr`.
    pub(super) fn url(&self, addr: SocketAddr) -> Url {
        self.url.clone().unwrap_or_else(|| Url::new(self.secure, Host::Ip(addr.ip()), addr.port()))
    }

    /// Returns `true` if no search leads to another address, so that the peer at this one is the target or there is none.
    pub(super) fn is_fixed(&self) -> bool {
        !matches!(self.lookup, Lookup::Search(_))
    }

    /// Keeps the location that a search found. Host names are resolved for each attempt, since their addresses change.
    pub(super) fn learn(&mut self, location: &Location) {
        if matches!(self.lookup, Lookup::Search(_)) {
            self.known = location.addresses.clone();
            self.secure = location.tls || self.pinned;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_route_to_a_name_can_lead_elsewhere() {
        let route = |text: &str| Route::new(text.into(), false);
        for address in ["ws://a", "a:80", "10.0.0.1", "den.local", "::1", "localhost"] {
            assert!(route(address).unwrap().is_fixed(), "{address}");
        }
        for name in ["den", "Living room", "halloo", " den "] {
            assert!(!route(name).unwrap().is_fixed(), "{name}");
        }
        assert!(!Route::new(Target::name("v2.0"), false).unwrap().is_fixed());
    }

    #[test]
    fn an_invalid_address_is_reported_without_its_token() {
        let route = |text: &str| Route::new(text.into(), false);
        let error = route("ws://a\nb/#token=secret").unwrap_err().to_string();
        assert!(error.contains("a\\nb") && !error.contains("secret"), "{error}");
        assert!(route("").is_err());
    }
}
