//! Finding the addresses of a target: asking the system about a host, or the network about a server.

use std::net::{SocketAddr, ToSocketAddrs};

use crate::{Search, ServerInfo};

/// How a target's addresses are learnt.
#[derive(Clone, Debug)]
pub(super) enum Lookup {
    /// They are known.
    Nothing,
    /// By the system's resolver: host and port.
    Resolve(String, u16),
    /// By discovery.
    Search(Wanted),
}

/// Where a target is.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) addresses: Vec<SocketAddr>,
    /// Whether it says that it speaks TLS.
    pub(super) tls: bool,
}

/// The server that is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) name: String,
    /// The id it had when it was found; another one after a restart.
    pub(super) id: Option<String>,
}

/// Looks on a thread of its own, because the system's resolver may block, and hands the result to `report`.
pub(super) fn start(
    lookup: Lookup,
    search: Search,
    report: impl FnOnce(Result<Found, String>) + Send + 'static,
) -> std::io::Result<()> {
    let look = move || report(look(&lookup, &search));
    std::thread::Builder::new().name("halloo-locate".into()).spawn(look).map(drop)
}

/// The same at once; an error is a sentence.
pub(super) fn look(lookup: &Lookup, search: &Search) -> Result<Found, String> {
    match lookup {
        Lookup::Nothing => Ok(Found { addresses: Vec::new(), tls: false }),
        Lookup::Resolve(host, port) => resolve(host, *port).map(|addresses| Found { addresses, tls: false }),
        Lookup::Search(wanted) => find(wanted, search),
    }
}

fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    match (host, port).to_socket_addrs() {
        Ok(found) => Ok(found.collect()),
        Err(error) => Err(format!("cannot find the host {host}: {error}")),
    }
}

fn find(wanted: &Wanted, search: &Search) -> Result<Found, String> {
    let mut search = search.clone();
    // Without an id to prefer, namesakes are not waited for.
    search.first |= wanted.id.is_none();
    let found = search.find(&wanted.name).map_err(|error| format!("cannot search for servers: {error}"))?;
    // Among several of one name, the one that was meant before.
    let meant = found.iter().find(|server| Some(&server.id) == wanted.id.as_ref()).or(found.first());
    let known = |server: &ServerInfo| Found { addresses: server.candidates(), tls: server.tls };
    meant.map(known).ok_or_else(|| format!("no server called {} answered", wanted.name))
}
