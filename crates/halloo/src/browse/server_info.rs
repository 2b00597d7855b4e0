//! A server that was found.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use halloo_proto::Time;
use halloo_proto::browser::{DiscoveryMethod, Server};
use serde::Serialize;

/// A server that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ServerInfo {
    /// The id of the server, random at each start; its address if it has no id.
    pub id: String,
    /// The name of the server, at most 64 characters, without control or bidirectional characters; empty if it has
    /// none.
    pub name: String,
    /// The URL to connect to. Its address is one that the server responded or sent beacons from, preferably not
    /// loopback.
    pub url: String,
    /// Addresses to try, best first, at most eight: those that the server responded or sent beacons from, then others
    /// that it lists.
    pub addresses: Vec<SocketAddr>,
    /// The number of connected clients, if known.
    pub clients: Option<u32>,
    /// Whether the server requires a token.
    pub auth: bool,
    /// Whether the server uses TLS.
    pub tls: bool,
    /// How the server was found.
    pub via: DiscoveryMethod,
    /// When the last beacon or response was received from the server.
    #[serde(skip)]
    pub heard: Instant,
}

impl ServerInfo {
    /// Returns the time since the last beacon or response. A server sends no beacons while it has clients, but replies
    /// to a probe every three seconds.
    pub fn age(&self) -> Duration {
        self.heard.elapsed()
    }

    /// Returns whether `name` is the name, ignoring case, or the id of the server.
    pub fn is_called(&self, name: &str) -> bool {
        self.id.eq_ignore_ascii_case(name) || self.name.to_lowercase() == name.to_lowercase()
    }

    /// Converts a server of the core, whose times are relative to `epoch`.
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
