//! A server that was found.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use halloo_proto::Time;
use halloo_proto::browser::{DiscoveryMethod, Server};
use halloo_proto::meta::Meta;
use halloo_proto::name::{self, ServerMatch};
use halloo_proto::proof::Challenge;
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
    /// The addresses that the server responded or sent beacons from.
    #[serde(skip)]
    pub(crate) sources: Vec<SocketAddr>,
    /// The number of connected clients, if known.
    pub clients: Option<u32>,
    /// Whether the server requires a token.
    pub auth: bool,
    /// Whether the server uses TLS.
    pub tls: bool,
    /// What a [`Client`](crate::Client) proves its knowledge of the token with, without a round trip to ask for it.
    #[serde(skip)]
    pub(crate) challenge: Option<Challenge>,
    /// The application id of the server, without control or bidirectional characters, if it has one.
    pub app: Option<String>,
    /// The cluster to which the server belongs, without control or bidirectional characters, if it belongs to one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// What the server says about itself, without control or bidirectional characters.
    pub meta: Meta,
    /// How the server was found.
    pub via: DiscoveryMethod,
    /// When the last beacon or response was received from the server.
    #[serde(skip)]
    pub last_received: Instant,
}

impl ServerInfo {
    /// Returns the time since the last beacon or response. A server sends no beacons while it has clients, but replies
    /// to a probe every three seconds.
    pub fn age(&self) -> Duration {
        self.last_received.elapsed()
    }

    /// Returns whether `name` is the name or the id of the server. The case and the form of the characters do not matter,
    /// nor what is between letters and digits: `living-room` is "Living Room". [`find`](crate::find) prefers a server
    /// that matches better.
    pub fn is_called(&self, name: &str) -> bool {
        self.match_with(name).is_some()
    }

    /// Returns how well `text` matches; `None` if it does not.
    pub(super) fn match_with(&self, text: &str) -> Option<ServerMatch> {
        name::match_server(text, &self.id, &self.name)
    }

    /// Returns whether `text` is the id of the server.
    pub(crate) fn has_id(&self, text: &str) -> bool {
        name::has_id(text, &self.id)
    }

    /// Converts a server of the core, whose times are relative to `epoch`.
    pub(super) fn new(server: Server, epoch: Instant) -> ServerInfo {
        let scheme = if server.tls { "wss" } else { "ws" };
        ServerInfo {
            url: server.addresses.first().map(|addr| format!("{scheme}://{addr}")).unwrap_or_default(),
            id: server.id,
            name: server.name,
            addresses: server.addresses,
            sources: server.sources,
            clients: server.clients,
            auth: server.auth,
            tls: server.tls,
            challenge: server.challenge,
            app: server.app,
            cluster: server.cluster,
            meta: server.meta,
            via: server.via,
            last_received: epoch + (server.last_received - Time::ZERO),
        }
    }
}
