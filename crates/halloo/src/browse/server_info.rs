//! A server as a search finds it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use halloo_proto::Time;
use halloo_proto::browser::{DiscoveryMethod, Server};
use serde::Serialize;

/// A server that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ServerInfo {
    /// Random at each start of a server; its address for a server without an id.
    pub id: String,
    /// Its name, at most 64 characters without control or bidirectional ones; empty when it has none.
    pub name: String,
    /// Where to connect: an address that it was heard from, preferably on the network.
    pub url: String,
    /// Where else to try, best first, at most eight: addresses that it was heard from, then others that it lists.
    pub addresses: Vec<SocketAddr>,
    /// Its number of clients, if known.
    pub clients: Option<u32>,
    /// Whether it requires a token.
    pub auth: bool,
    /// Whether it uses TLS.
    pub tls: bool,
    /// How it was found.
    pub via: DiscoveryMethod,
    /// When it was last heard from.
    #[serde(skip)]
    pub heard: Instant,
}

impl ServerInfo {
    /// Returns how long ago it was last heard from. A server sends no beacons while it has clients, but answers a
    /// probe every three seconds.
    pub fn age(&self) -> Duration {
        self.heard.elapsed()
    }

    /// Returns whether `name` is its name, ignoring case, or its id.
    pub fn is_called(&self, name: &str) -> bool {
        self.id.eq_ignore_ascii_case(name) || self.name.to_lowercase() == name.to_lowercase()
    }

    /// What the core knows, with its times since `epoch`.
    pub(super) fn new(server: Server, epoch: Instant) -> ServerInfo {
        let scheme = if server.tls { "wss" } else { "ws" };
        ServerInfo {
            url: server.addresses.first().map(|addr| format!("{scheme}://{addr}")).unwrap_or_default(),
            id: server.id,
            name: server.name,
            addresses: server.addresses,
            clients: server.clients,
            auth: server.auth,
            tls: server.tls,
            via: server.via,
            heard: epoch + (server.heard - Time::ZERO),
        }
    }
}
