//! Finding the addresses of a target: asking the system about a host, or the network about a server.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::line::Line;
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

/// The server that is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) name: String,
    /// The id it had when it was found; another one after a restart.
    pub(super) id: Option<String>,
}

/// The first two turns of a search. A turn hears out everybody who answers within it, so short ones come first.
const SHORT_TURNS: [Duration; 2] = [Duration::from_millis(250); 2];
/// The turns after them. Each asks anew, for the server may just be starting.
const TURN: Duration = Duration::from_secs(1);

/// Looks on a thread of its own, for the system's resolver may take its time; the line gets what was found.
pub(super) fn start(lookup: Lookup, search: Search, line: Arc<Line>) -> std::io::Result<()> {
    let look = move || {
        let found = match lookup {
            Lookup::Nothing => Ok(Vec::new()),
            Lookup::Resolve(host, port) => resolve(&host, port),
            Lookup::Search(wanted) => find(&wanted, &search),
        };
        line.located(found);
    };
    std::thread::Builder::new().name("halloo-locate".into()).spawn(look).map(drop)
}

fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    match (host, port).to_socket_addrs() {
        Ok(found) => Ok(found.collect()),
        Err(error) => Err(format!("cannot find the host {host}: {error}")),
    }
}

fn find(wanted: &Wanted, search: &Search) -> Result<Vec<SocketAddr>, String> {
    let start = Instant::now();
    let mut turn = search.clone();
    // Most networks have one server, and whoever answers first is the one.
    turn.first = true;
    let mut lengths = SHORT_TURNS.into_iter();
    loop {
        let left = search.timeout.saturating_sub(start.elapsed());
        turn.timeout = left.min(lengths.next().unwrap_or(TURN));
        let found = turn.run().map_err(|error| format!("cannot search for servers: {error}"))?;
        if let Some(server) = choose(&found, wanted) {
            return Ok(server.candidates());
        }
        if left.is_zero() {
            return Err(format!("no server called {} answered", wanted.name));
        }
        turn.first = false;
    }
}

/// Among several servers of one name, the one that was meant before.
fn choose<'s>(found: &'s [ServerInfo], wanted: &Wanted) -> Option<&'s ServerInfo> {
    let mut named = found.iter().filter(|server| server.name.to_lowercase() == wanted.name.to_lowercase());
    let first = named.next();
    first.into_iter().chain(named).find(|server| Some(&server.id) == wanted.id.as_ref()).or(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(name: &str, id: &str) -> ServerInfo {
        let (name, id, url) = (name.into(), id.into(), String::new());
        ServerInfo { id, name, url, addresses: Vec::new(), clients: None }
    }

    #[test]
    fn the_same_server_before_one_of_the_same_name() {
        let found = [server("other", "a"), server("Den", "b"), server("den", "c")];
        let chosen = |name: &str, id: Option<&str>| {
            let wanted = Wanted { name: name.into(), id: id.map(Into::into) };
            choose(&found, &wanted).map(|server| server.id.as_str())
        };
        assert_eq!(chosen("den", Some("c")), Some("c"));
        assert_eq!(chosen("den", Some("gone")), Some("b"));
        assert_eq!(chosen("DEN", None), Some("b"));
        assert_eq!(chosen("den", Some("a")), Some("b"), "an id alone is not enough");
        assert_eq!(chosen("attic", None), None);
    }
}
