//! What the browser knows about a server, and what it reports about it.

use std::net::SocketAddr;

use serde::Serialize;

use crate::Time;
use crate::meta::Meta;
use crate::proof::Challenge;

/// A server, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// The id, random for each start of a server; for a server that sends none, its address.
    pub id: String,
    /// The display name, without characters that could deceive; empty if the server sends none.
    pub name: String,
    /// The addresses to connect to, best first, at most eight: those its datagrams came from, then others that it lists. One
    /// that was configured to be advertised comes first.
    pub addresses: Vec<SocketAddr>,
    /// The addresses its datagrams came from. The others are claims.
    pub sources: Vec<SocketAddr>,
    /// The number of connected clients, if the server sent it.
    pub clients: Option<u32>,
    /// Whether the server requires a token.
    pub auth: bool,
    /// Whether the server uses TLS.
    pub tls: bool,
    /// The application id, without characters that could deceive, if the server has one.
    pub app: Option<String>,
    /// The cluster to whose servers it belongs, without characters that could deceive, if it belongs to one.
    pub cluster: Option<String>,
    /// What the server says about itself.
    pub meta: Meta,
    /// The challenge in its last reply, for a proof of the token.
    pub challenge: Option<Challenge>,
    /// How the server was found.
    pub via: DiscoveryMethod,
    /// When the last datagram or response was received from the server.
    pub last_received: Time,
}

/// How a server was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum DiscoveryMethod {
    /// By a beacon, or by its reply to a probe.
    Udp,
    /// By DNS-SD, confirmed over TCP.
    Mdns,
}

/// A change of the set of servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A new server was found.
    Found(Server),
    /// A known server changed: what it says about itself, or its addresses.
    Updated(Server),
    /// A server is gone: it said goodbye, was replaced by its own restart, or no longer responds.
    Lost(Server),
}

impl Change {
    /// Returns the server that changed.
    pub fn server(&self) -> &Server {
        match self {
            Change::Found(server) | Change::Updated(server) | Change::Lost(server) => server,
        }
    }
}
