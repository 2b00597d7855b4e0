//! How to reach a target.

use std::net::SocketAddr;

use halloo_proto::fingerprint::Fingerprint;
use halloo_proto::handshake::ExpectedServer;
use halloo_proto::name::is_blank;
use halloo_proto::proof::Challenge;
use halloo_proto::room;
use halloo_proto::token::Token;
use halloo_proto::url::{Host, Reading, Url};

use super::config::ClientConfig;
use super::identity::Identity;
use super::lookup::{Location, Lookup, ServerQuery, Source};
use super::target::{TargetKind, without_secrets};
use crate::ConnectError;

/// How to reach a target: its addresses, how to look up others, and the URL for the handshake.
#[derive(Debug)]
pub(super) struct Route {
    /// The addresses to try, best first.
    pub(super) known: Vec<SocketAddr>,
    pub(super) lookup: Lookup,
    /// The URL of a target that was given as an address. For others it follows from the address that is tried.
    url: Option<Url>,
    /// Whether the text that was given as an address turned out to be a name.
    is_name: bool,
    /// Whether to use TLS with a target that was not given as an address: its certificate is pinned, or the server
    /// announced TLS once. Anyone can send a later reply that denies it.
    secure: bool,
    /// The server that was found last.
    identity: Option<Identity>,
    /// The addresses that it answered from when it was looked up in the current attempt.
    answered_at: Vec<SocketAddr>,
    /// Whether the server was announced without TLS, although an earlier reply or the application said otherwise.
    tls_denied: bool,
    /// The room to join instead of what the path of the URL says.
    room: Option<String>,
}

impl Route {
    /// Returns the route to the target of `config`. If its certificate is pinned, the route uses TLS in any case.
    pub(super) fn new(config: &ClientConfig) -> Result<Route, ConnectError> {
        if let Some(room) = &config.room {
            room::to_path(room)?;
        }
        Ok(Route { room: config.room.clone(), ..Route::to_target(config)? })
    }

    fn to_target(config: &ClientConfig) -> Result<Route, ConnectError> {
        let pinned = config.fingerprint.is_some();
        if pinned && !cfg!(feature = "tls") {
            return Err(ConnectError::NoTls);
        }
        let text = match &config.target.0 {
            TargetKind::Text(text) => text,
            TargetKind::Name(name) => return Ok(Route::to_name(name, pinned)),
            TargetKind::Server(server) => {
                let location = Location::from(&**server);
                let (name, id, last_at) = (server.name.clone(), Some(server.id.clone()), location.answered_at.clone());
                return Ok(Route::to_server(ServerQuery { name, id, last_at }, location, pinned));
            }
        };
        match Reading::of(text) {
            Reading::Name => Ok(Route::to_name(text, pinned)),
            Reading::Invalid(error) => Err(ConnectError::Address { text: without_secrets(text), error }),
            Reading::AddressOrName(url) => Route::to_url(url, Some(text), pinned),
            Reading::Address(url) => Route::to_url(url, None, pinned),
        }
    }

    /// Returns the route to `url`. If its host is not resolved, it leads to the server called `name`.
    fn to_url(url: Url, name: Option<&String>, pinned: bool) -> Result<Route, ConnectError> {
        if url.is_secure() && !cfg!(feature = "tls") {
            return Err(ConnectError::NoTls);
        }
        let url = if pinned { url.secured() } else { url };
        let (known, lookup) = match (url.host(), url.zone(), name) {
            // The number of an interface may change, and the system knows it by its name.
            (Host::Ip(ip), Some(zone), _) => (Vec::new(), Lookup::Resolve(format!("{ip}%{zone}"), url.port())),
            (Host::Ip(ip), None, _) => (vec![SocketAddr::new(*ip, url.port())], Lookup::NotNeeded),
            (Host::Name(host), _, None) => (Vec::new(), Lookup::Resolve(host.clone(), url.port())),
            (Host::Name(host), _, Some(name)) => {
                let query = ServerQuery { name: name.clone(), id: None, last_at: Vec::new() };
                (Vec::new(), Lookup::ResolveOrSearch(host.clone(), url.port(), query))
            }
        };
        let (identity, answered_at) = (None, Vec::new());
        Ok(Route {
            known,
            lookup,
            url: Some(url),
            is_name: false,
            secure: pinned,
            identity,
            answered_at,
            tls_denied: false,
            room: None,
        })
    }

    fn to_name(name: &str, pinned: bool) -> Route {
        let unknown = Location { source: Source::Name, ..Location::of_host(Vec::new()) };
        Route::to_server(ServerQuery { name: name.trim().to_owned(), id: None, last_at: Vec::new() }, unknown, pinned)
    }

    fn to_server(query: ServerQuery, location: Location, pinned: bool) -> Route {
        // Without a name the server cannot be recognised after a restart.
        let lookup = if is_blank(&query.name) { Lookup::NotNeeded } else { Lookup::Search(query) };
        let Location { addresses: known, tls, identity, .. } = location;
        let (secure, answered_at) = (tls || pinned, Vec::new());
        Route { known, lookup, url: None, is_name: true, secure, identity, answered_at, tls_denied: false, room: None }
    }

    /// Returns the fingerprint of the certificate in the URL.
    pub(super) fn fingerprint(&self) -> Option<Fingerprint> {
        self.url.as_ref().and_then(Url::fingerprint)
    }

    /// Returns the token in the URL.
    pub(super) fn token(&self) -> Option<&Token> {
        self.url.as_ref().and_then(Url::token)
    }

    /// Returns the URL for a handshake with `addr`.
    pub(super) fn url(&self, addr: SocketAddr) -> Url {
        let of_address = self.url.clone().filter(|_| !self.is_name);
        let url = of_address.unwrap_or_else(|| Url::new(self.secure, Host::Ip(addr.ip()), addr.port()));
        match &self.room {
            // It was checked in the beginning.
            Some(room) => url.clone().in_room(room).unwrap_or(url),
            None => url,
        }
    }

    /// Returns the server that must be at `addr`; `None` if any may be.
    pub(super) fn expected_at(&self, addr: SocketAddr) -> Option<ExpectedServer> {
        self.identity.as_ref()?.expected_at(addr, !matches!(self.lookup, Lookup::NotNeeded))
    }

    /// Starts a new attempt to connect.
    pub(super) fn begin(&mut self) {
        self.answered_at.clear();
    }

    /// Returns whether the server at `addr` is certainly the target, so that its answer is final: the target is an address,
    /// or the server has just answered a search from there. `named_id` is the id in its answer, which shows the same at
    /// another address of the server that was found.
    pub(super) fn is_confirmed_at(&self, addr: SocketAddr, named_id: Option<&str>) -> bool {
        let is_named = self.identity.as_ref().zip(named_id).map(|(server, id)| server.has_id(id));
        self.is_fixed() || is_named.map_or(self.answered_at.contains(&addr), |is_it| is_it && self.was_looked_up())
    }

    fn was_looked_up(&self) -> bool {
        !self.answered_at.is_empty()
    }

    /// Handles that the server confirmed its id in the handshake.
    pub(super) fn handle_confirmed(&mut self) {
        self.identity.iter_mut().for_each(Identity::handle_confirmed);
    }

    /// Forgets the addresses if others can be looked up, since another server may have them.
    pub(super) fn forget_addresses(&mut self) {
        if !matches!(self.lookup, Lookup::NotNeeded) {
            self.known.clear();
        }
    }

    /// Returns what to add to a failure of TLS if the server was known with TLS and is announced without it now.
    pub(super) fn tls_advice(&self) -> &'static str {
        if !self.tls_denied {
            return "";
        }
        "; this server was known with TLS and is announced without it now: if you have turned TLS off, search for the \
         server again and start a new client without a fingerprint; otherwise another device answers for it"
    }

    /// Returns the challenge that the server sent when it was found.
    pub(super) fn challenge(&self) -> Option<&Challenge> {
        self.identity.as_ref()?.challenge()
    }

    /// Returns `true` if no search leads to another address, so that the peer at this one is the target or there is none.
    pub(super) fn is_fixed(&self) -> bool {
        match self.lookup {
            Lookup::NotNeeded | Lookup::Resolve(..) => true,
            Lookup::ResolveOrSearch(..) => !self.is_name,
            Lookup::Search(_) => false,
        }
    }

    /// Keeps the location that a lookup found. Hosts are resolved and ids searched for in each attempt, since another
    /// server may get the address.
    pub(super) fn learn(&mut self, location: &Location) {
        self.is_name = location.source != Source::Host;
        let earlier = std::mem::replace(&mut self.identity, location.identity.clone());
        if let (Some(identity), Some(earlier)) = (&mut self.identity, &earlier) {
            identity.resume(earlier);
        }
        self.answered_at.clone_from(&location.answered_at);
        if let Lookup::Search(query) | Lookup::ResolveOrSearch(_, _, query) = &mut self.lookup {
            query.last_at.clone_from(&location.answered_at);
        }
        if self.is_name {
            self.tls_denied = self.secure && !location.tls;
            self.secure |= location.tls;
            self.known = match (&self.lookup, location.source) {
                (Lookup::Search(_), Source::Name) => location.addresses.clone(),
                _ => Vec::new(),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Target;

    fn route(target: impl Into<Target>) -> Result<Route, ConnectError> {
        Route::new(&ClientConfig::new(target))
    }

    #[test]
    fn only_a_route_to_a_name_can_lead_elsewhere() {
        for address in ["ws://a", "a:80", "10.0.0.1", "den.local", "::1", "localhost"] {
            assert!(route(address).unwrap().is_fixed(), "{address}");
        }
        for name in ["den", "Living room", "halloo", " den ", "v2.0"] {
            assert!(!route(name).unwrap().is_fixed(), "{name}");
        }
        assert!(!route(Target::name("den.local")).unwrap().is_fixed());
    }

    #[test]
    fn an_address_with_a_zone_is_resolved_by_the_system() {
        let route = route("[fe80::1%25eth0]:9").unwrap();
        assert!(matches!(route.lookup, Lookup::Resolve(host, 9) if host == "fe80::1%eth0"));
    }

    #[test]
    fn an_address_is_not_kept_for_an_id() {
        let location = |source| Location { tls: true, source, ..Location::of_host(vec![([10, 0, 0, 1], 1).into()]) };
        let mut route = route("5f0c9a3be1d24477").unwrap();
        route.learn(&location(Source::Id));
        assert!(route.known.is_empty() && route.secure);
        route.learn(&location(Source::Name));
        assert_eq!(route.known.len(), 1);
    }

    #[test]
    fn an_invalid_address_is_reported_without_its_token() {
        let error = route("ws://a\nb/#token=secret").unwrap_err().to_string();
        assert!(error.contains("a\\nb") && !error.contains("secret"), "{error}");
        assert!(route("").is_err());
    }
}
