//! Resolving the name of a host: by the system, and names under `.local` by multicast DNS as well.

use std::net::{SocketAddr, ToSocketAddrs};

use crate::Search;

/// The addresses of a host, or why there are none.
type Addresses = Result<Vec<SocketAddr>, String>;

/// Resolves a host name, or an IPv6 address with a zone. Blocks until there is a result.
///
/// A system without multicast DNS does not know `.local` (RFC 6762 section 3), so that the search for servers asks the
/// network itself at the same time. The first result is used.
pub(super) fn resolve(host: &str, port: u16, search: &Search) -> Addresses {
    by_system_and_network(host, port, search).unwrap_or_else(|| by_system(host, port))
}

fn by_system(host: &str, port: u16) -> Addresses {
    let addresses = (host, port).to_socket_addrs();
    addresses.map(Iterator::collect).map_err(|error| match host.split_once('%') {
        Some((ip, zone)) => {
            format!("cannot use {ip} with the zone {zone} ({error}); choose an interface of this machine")
        }
        None => format!("cannot resolve host name {host}: {error}"),
    })
}

/// Resolves a name under `.local` in both ways; `None` for another name, and if there is no search by multicast DNS.
#[cfg(feature = "mdns")]
fn by_system_and_network(host: &str, port: u16, search: &Search) -> Option<Addresses> {
    let name = host.strip_suffix('.').unwrap_or(host).to_owned();
    if !name.ends_with(".local") || search.browser.local || !search.browser.mdns {
        return None;
    }
    let (by_network, results) = std::sync::mpsc::channel();
    let by_resolver = by_network.clone();
    let (host, timeout) = (host.to_owned(), search.timeout);
    let spawn = |name: &str, run: Box<dyn FnOnce() + Send>| {
        std::thread::Builder::new().name(name.into()).spawn(run).map_err(|error| tracing::debug!("no thread: {error}"))
    };
    // A thread whose result comes too late is left to itself, since a lookup by the system cannot be interrupted.
    let ask_network = move || {
        let found = crate::mdns::resolve_host(&name, timeout).map_err(|error| error.to_string());
        let addresses = found.map(|found| found.into_iter().map(|ip| SocketAddr::new(ip, port)).collect());
        let _ = by_network.send(addresses);
    };
    let ask_system = move || drop(by_resolver.send(by_system(&host, port)));
    // A thread that is not started drops its sender, so that the other result is the last.
    let _ = spawn("halloo-resolve-mdns", Box::new(ask_network));
    let _ = spawn("halloo-resolve", Box::new(ask_system));
    let mut failure = String::from("cannot start a thread to resolve the host name");
    for result in results {
        match result {
            Ok(addresses) if !addresses.is_empty() => return Some(Ok(addresses)),
            Ok(_) => {}
            Err(error) => failure = error,
        }
    }
    Some(Err(failure))
}

#[cfg(not(feature = "mdns"))]
fn by_system_and_network(_: &str, _: u16, _: &Search) -> Option<Addresses> {
    None
}
