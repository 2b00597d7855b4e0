//! Looking up the addresses of a target: by the system's resolver, or by discovery.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

use crate::{Search, ServerInfo};

/// How the addresses of a target are looked up. Every lookup blocks.
#[derive(Clone, Debug)]
pub(super) enum Lookup {
    /// Not at all, since they are known.
    NotNeeded,
    /// By the system's resolver, from a host and a port.
    Resolve(String, u16),
    /// By discovery.
    Search(ServerQuery),
}

/// A server to search for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ServerQuery {
    pub(super) name: String,
    /// The id that it had when it was discovered, to prefer it among servers of the same name. It changes with a restart.
    pub(super) id: Option<String>,
}

/// Where a server is.
#[derive(Debug)]
pub(super) struct Location {
    /// The addresses to try, best first.
    pub(super) addresses: Vec<SocketAddr>,
    /// Whether the server announces TLS.
    pub(super) tls: bool,
}

/// A location, or why there is none.
pub(super) type LookupResult = Result<Location, String>;

impl Lookup {
    /// Looks the target up on a thread of its own, which passes the result to `deliver`.
    pub(super) fn spawn(&self, search: &Search, deliver: impl FnOnce(LookupResult) + Send + 'static) -> io::Result<()> {
        let (lookup, search) = (self.clone(), search.clone());
        let thread = std::thread::Builder::new().name("halloo-lookup".into());
        thread.spawn(move || deliver(lookup.run(&search))).map(drop)
    }

    /// Looks the target up and blocks until there is a result.
    pub(super) fn run(&self, search: &Search) -> LookupResult {
        match self {
            Lookup::NotNeeded => Ok(Location { addresses: Vec::new(), tls: false }),
            Lookup::Resolve(host, port) => resolve(host, *port),
            Lookup::Search(query) => query.run(search),
        }
    }
}

impl ServerQuery {
    fn run(&self, search: &Search) -> LookupResult {
        let mut search = search.clone();
        // Without an id to prefer, the first server of this name will do.
        search.first |= self.id.is_none();
        let servers = search.find(&self.name).map_err(|error| format!("cannot search for servers: {error}"))?;
        let same_id = servers.iter().find(|server| Some(&server.id) == self.id.as_ref());
        let server = same_id.or(servers.first());
        server.map(Location::from).ok_or_else(|| format!("no server named `{}` was found", self.name))
    }
}

impl From<&ServerInfo> for Location {
    /// The address in the URL of the server is tried first.
    fn from(server: &ServerInfo) -> Location {
        Location { addresses: best_first(&server.url, &server.addresses), tls: server.tls }
    }
}

fn resolve(host: &str, port: u16) -> LookupResult {
    match (host, port).to_socket_addrs() {
        Ok(addresses) => Ok(Location { addresses: addresses.collect(), tls: false }),
        Err(error) => Err(format!("cannot resolve host name {host}: {error}")),
    }
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
