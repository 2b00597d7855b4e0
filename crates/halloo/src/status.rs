//! The state of a server at one moment.

use std::net::SocketAddr;

use serde::Serialize;

use crate::ClientId;

/// The state of a server. As JSON, the six keys of the reference script stand first and everything else under `halloo`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Status {
    /// Whether the server listens.
    pub server_running: bool,
    /// The TCP port it listens on.
    pub server_port: u16,
    /// Clients that finished their handshake and have not left.
    pub connected_clients: usize,
    /// Whether discovery is on.
    pub discovery_enabled: bool,
    /// Whether beacons are sent now: discovery is on and nobody is connected.
    pub discovery_active: bool,
    /// The address that other devices most likely reach this machine at.
    pub local_ip: String,
    /// What halloo tells beyond the reference script.
    #[serde(rename = "halloo")]
    pub extras: Extras,
}

/// The part of [`Status`] that the reference script did not have.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Extras {
    /// The version of halloo.
    pub version: String,
    /// The server's name.
    pub name: String,
    /// Whole seconds since the start.
    pub uptime_seconds: u64,
    /// Clients that ever joined.
    pub clients_total: u64,
    /// Messages that came in.
    pub messages_received: u64,
    /// Messages sent to clients, one to all counted once for each; those dropped for slow clients are among them.
    pub messages_sent: u64,
    /// Messages dropped for slow clients.
    pub messages_dropped: u64,
    /// Connections refused, for any reason.
    pub refused: u64,
    /// Memory in bytes that what waits for slow clients takes.
    pub outbox_bytes: usize,
    /// Each client.
    pub clients: Vec<ClientStatus>,
}

/// One client at one moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ClientStatus {
    /// Who it is.
    pub client: ClientId,
    /// Where it connected from.
    pub addr: SocketAddr,
    /// Round trip of the last heartbeat in milliseconds; `None` before the first.
    pub latency_ms: Option<f64>,
    /// Messages that wait for it.
    pub waiting: usize,
    /// Messages dropped for it.
    pub dropped: u64,
}
