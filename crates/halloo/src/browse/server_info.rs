//! A server as those see it who look for one.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use halloo_proto::Time;
use halloo_proto::browser::{DiscoveryMethod, Server};
use serde::Serialize;

/// A server that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ServerInfo {
    /// Random for each start of a server; for one that tells none, its address.
    pub id: String,
    /// What people call it, at most 64 characters and none that could deceive; empty when it does not tell.
    pub name: String,
    /// Where to connect: an address that it was heard from, rather one of the network than loopback.
    pub url: String,
    /// Where else to try, best first, at most eight: first those it was heard from, then others that it lists.
    pub addresses: Vec<SocketAddr>,
    /// How many clients it has, when it told.
    pub clients: Option<u32>,
    /// Whether it wants a token.
    pub auth: bool,
    /// Whether it speaks TLS.
    pub tls: bool,
    /// How it was found.
    pub via: DiscoveryMethod,
    /// When it was last heard.
    #[serde(skip)]
    pub heard: Instant,
}

impl ServerInfo {
    /// How long ago it was last heard. A server is silent while it has clients, but answers every three seconds.
    pub fn age(&self) -> Duration {
        self.heard.elapsed()
    }

    /// Whether `name` is its name, letter case aside, or its id.
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
