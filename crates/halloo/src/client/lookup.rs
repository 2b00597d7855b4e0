//! Looking up the addresses of a target: by the system's resolver, or by discovery.

use std::io;
use std::net::SocketAddr;

use halloo_proto::cluster::least_busy;
use halloo_proto::text::escape;
use halloo_proto::token::Token;

use super::identity::{Identity, sources};
use super::resolve::resolve;
use crate::cancellable_thread::{Cancel, CancellableThread};
use crate::discovery::interfaces;
use crate::{Search, ServerInfo};

/// Bytes of a name in an error.
const MAX_SHOWN_BYTES: usize = 256;

/// How the addresses of a target are looked up. Every lookup blocks.
#[derive(Clone, Debug)]
pub(super) enum Lookup {
    /// Not at all, since they are known.
    NotNeeded,
    /// By the system's resolver and multicast DNS, from a host and a port.
    Resolve(String, u16),
    /// In the same way. If that fails, by discovery, since the text may be a name.
    ResolveOrSearch(String, u16, ServerQuery),
    /// By discovery.
    Search(ServerQuery),
}

/// A server to search for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ServerQuery {
    /// Its name or its id.
    pub(super) name: String,
    /// The id that it had when it was discovered, to prefer it among servers of the same name. It changes with a restart.
    pub(super) id: Option<String>,
    /// Where it was last. It is asked there as well, so that it is found after a restart also where broadcasts do not
    /// reach it.
    pub(super) last_at: Vec<SocketAddr>,
}

/// Where a server is.
#[derive(Debug)]
pub(super) struct Location {
    /// The addresses to try, best first.
    pub(super) addresses: Vec<SocketAddr>,
    /// Whether the server announces TLS.
    pub(super) tls: bool,
    pub(super) source: Source,
    /// Which server it is, if it was discovered and sends an id.
    pub(super) identity: Option<Identity>,
    /// The addresses that a server answered a search from.
    pub(super) answered_at: Vec<SocketAddr>,
}

impl Location {
    /// A location that no server has confirmed.
    pub(super) fn of_host(addresses: Vec<SocketAddr>) -> Location {
        Location { addresses, tls: false, source: Source::Host, identity: None, answered_at: Vec::new() }
    }
}

/// What a location was found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The name of its host.
    Host,
    /// The name of the server.
    Name,
    /// The id of the server. After a restart, another server may be at the same address.
    Id,
}

/// A location, or why there is none.
pub(super) type LookupResult = Result<Location, String>;

impl Lookup {
    /// Looks the target up on a thread of its own, which passes the result to `deliver`. Dropping the handle cancels it.
    pub(super) fn spawn(
        &self,
        search: &Search,
        deliver: impl FnOnce(LookupResult) + Send + 'static,
    ) -> io::Result<CancellableThread> {
        let (lookup, search) = (self.clone(), search.clone());
        CancellableThread::spawn("halloo-lookup", move |cancel| deliver(lookup.run(&search, cancel)))
    }

    /// Looks the target up and blocks until there is a result, or until it is cancelled.
    pub(super) fn run(&self, search: &Search, cancel: &Cancel) -> LookupResult {
        match self {
            Lookup::NotNeeded => Ok(Location::of_host(Vec::new())),
            Lookup::Resolve(host, port) => resolve(host, *port, search, cancel).map(Location::of_host),
            Lookup::ResolveOrSearch(host, port, query) => resolve(host, *port, search, cancel)
                .map(Location::of_host)
                .or_else(|unresolved| query.run(search, cancel).map_err(|error| format!("{unresolved}; {error}"))),
            Lookup::Search(query) => query.run(search, cancel),
        }
    }
}

impl ServerQuery {
    fn run(&self, search: &Search, cancel: &Cancel) -> LookupResult {
        let mut search = search.clone();
        // A server of this name may not be the one with this id.
        search.first &= self.id.is_none();
        let found = search.find_among_and_at(&self.name, &self.last_at, cancel);
        let found = found.map_err(|error| format!("cannot search for servers: {error}"))?;
        let has_id = |server: &&ServerInfo| self.id.as_ref() == Some(&server.id);
        let same = found.matching.iter().chain(&found.others).find(has_id);
        let same = same.or_else(|| least_busy(&found.matching, |server| (server.cluster.as_deref(), server.clients)));
        let server = match (same, &found.matching[..]) {
            (Some(server), _) => server,
            (None, []) if found.others.is_empty() && !search.browser.local && !crate::has_network() => {
                return Err(format!("{}; this machine has no network", not_found(&self.name, &[])));
            }
            (None, []) => return Err(not_found(&self.name, &found.others)),
            (None, several) => return Err(ambiguous(&self.name, several)),
        };
        let source = if server.has_id(&self.name) { Source::Id } else { Source::Name };
        Ok(Location { source, ..Location::from(server) })
    }
}

impl From<&ServerInfo> for Location {
    /// The address in the URL of the server is tried first. An address that is merely claimed is left out if it is one of
    /// this machine, such as that of its own virtual network, unless the server sends from this machine.
    fn from(server: &ServerInfo) -> Location {
        let identity = Identity::of(server);
        let mut addresses = best_first(&server.url, &server.addresses);
        let claimed = Identity::claimed(server);
        if !claimed.is_empty() {
            // Without the list, any of them may be.
            let own = interfaces::own_addresses().ok();
            let is_own =
                |addr: &SocketAddr| addr.ip().is_loopback() || own.as_ref().is_none_or(|own| own.contains(&addr.ip()));
            if !server.sources.iter().any(is_own) {
                addresses.retain(|addr| !claimed.contains(addr) || !is_own(addr));
            }
        }
        let answered_at = sources(server).collect();
        Location { addresses, tls: server.tls, source: Source::Name, identity, answered_at }
    }
}

fn not_found(name: &str, others: &[ServerInfo]) -> String {
    let names: Vec<String> =
        others.iter().filter(|other| !other.name.is_empty()).take(5).map(|other| format!("`{}`", other.name)).collect();
    let found = if names.is_empty() { String::new() } else { format!("; there is {}", names.join(", ")) };
    format!("no server named `{}` was found{found}", escape(&Token::hide(name), MAX_SHOWN_BYTES))
}

fn ambiguous(name: &str, servers: &[ServerInfo]) -> String {
    let servers: Vec<String> = servers.iter().map(|server| format!("{} (id {})", server.url, server.id)).collect();
    let (count, name) = (servers.len(), escape(&Token::hide(name), MAX_SHOWN_BYTES));
    format!("{count} servers are named `{name}`: {}; use an id or an address instead of the name", servers.join(", "))
}

fn best_first(url: &str, addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let best = url.split_once("://").and_then(|(_, addr)| addr.parse().ok());
    let others = addresses.iter().copied().filter(|&addr| Some(addr) != best);
    best.into_iter().chain(others).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_in_the_url_comes_first() {
        let [a, b]: [SocketAddr; 2] = ["127.0.0.1:1".parse().unwrap(), "10.0.0.1:1".parse().unwrap()];
        assert_eq!(best_first("ws://10.0.0.1:1", &[a, b]), [b, a]);
        assert_eq!(best_first("wss://10.0.0.1:1", &[a, b]), [b, a]);
        assert_eq!(best_first("?", &[a, b]), [a, b]);
    }
}
