//! The state of a server at one moment.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::{ClientId, ClusterStatus};

/// The state of a server. As JSON, the six keys of the reference script come first, and everything else is under
/// `halloo`. Keys that this version does not know are ignored when it is read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Status {
    /// Whether the server is running.
    pub server_running: bool,
    /// The TCP port it listens on.
    pub server_port: u16,
    /// The number of connected clients: their handshake is complete, and they have not left.
    pub connected_clients: usize,
    /// Whether discovery is on.
    pub discovery_enabled: bool,
    /// Whether beacons are sent now: discovery is on and no client is connected.
    pub discovery_active: bool,
    /// The address at which other devices most likely reach this machine; 127.0.0.1 if there is none. It is an IPv6
    /// address only where that is the better one.
    pub local_ip: String,
    /// What the reference script did not have.
    #[serde(rename = "halloo", default)]
    pub extras: Extras,
}

/// The part of [`Status`] that the reference script did not have.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Extras {
    /// The version of halloo.
    pub version: String,
    /// The server's name.
    pub name: String,
    /// The server's application id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// Whole seconds since the start.
    pub uptime_seconds: u64,
    /// Clients that ever joined.
    pub clients_total: u64,
    /// Messages received.
    pub messages_received: u64,
    /// Messages sent to clients, including dropped ones; a broadcast counts once per client.
    pub messages_sent: u64,
    /// Messages dropped for slow clients.
    pub messages_dropped: u64,
    /// Connections refused, for any reason.
    pub refused: u64,
    /// Bytes of memory that messages waiting for slow clients take.
    pub outbox_bytes: usize,
    /// Every client.
    pub clients: Vec<ClientStatus>,
    /// Every room that has members, ordered by name.
    pub rooms: Vec<RoomStatus>,
    /// The cluster, if the server is in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterStatus>,
}

/// One client at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ClientStatus {
    /// The client's id.
    pub client: ClientId,
    /// The address it connected from.
    pub addr: SocketAddr,
    /// Round trip of the last answered ping in milliseconds; `None` before the first.
    pub latency_ms: Option<f64>,
    /// Messages that wait to be sent to it.
    pub waiting: usize,
    /// Messages dropped for it.
    pub dropped: u64,
    /// The path and query that it connected to, without a token: `/room/red?seat=3`.
    #[serde(default)]
    pub path: String,
    /// The subprotocols of the application that it offered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subprotocols: Vec<String>,
    /// The subprotocol of the application that was chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subprotocol: Option<String>,
    /// The origin of the web page that connected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// What the client calls itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// The rooms it is in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rooms: Vec<String>,
}

/// One room at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RoomStatus {
    /// The name of the room.
    pub room: String,
    /// The number of clients in it.
    pub clients: usize,
}
