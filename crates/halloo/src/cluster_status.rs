//! The state of a server's connection to other nodes, at one moment.

use serde::{Deserialize, Serialize};

/// Whether a server exchanges messages with other nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ClusterState {
    /// It has not reached a broker since its start.
    #[default]
    Connecting,
    /// It is connected to a broker and relays messages.
    Joined,
    /// It has lost the broker, or the broker refuses it. Its own clients are served; nothing is relayed.
    Degraded,
}

/// A node of a cluster as the node itself sees the others. The counters begin at the start of the server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ClusterStatus {
    /// Whether messages are relayed.
    pub state: ClusterState,
    /// Why they are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whole seconds since the state changed.
    pub since_seconds: u64,
    /// The name of the cluster.
    pub name: String,
    /// The address of the broker that the node is connected to, or tries.
    pub broker: String,
    /// The version of the broker; empty while it is not known.
    pub version: String,
    /// Round trip to the broker in milliseconds; `None` while it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtt_ms: Option<f64>,
    /// The number of this node: the upper bits of the ids of its clients.
    pub node: u32,
    /// The number of nodes that are alive, this one included.
    pub nodes: usize,
    /// The number of clients of all nodes.
    pub clients: u64,
    /// Whether all expected nodes are counted.
    pub complete: bool,
    /// Messages passed to the broker; one for many clients counts once.
    pub sent: u64,
    /// Messages received from other nodes.
    pub received: u64,
    /// Messages that were not passed to the broker, because it accepts less than is sent, or is away.
    pub dropped_out: u64,
    /// Messages of other nodes that were not delivered, because they came faster than this server delivers, or were
    /// invalid.
    pub dropped_in: u64,
    /// Messages of other nodes that did not arrive, known by their sequence numbers.
    pub lost: u64,
    /// Messages larger than the broker accepts, which went to this server's own clients only.
    pub too_large: u64,
    /// How often the broker was reached again.
    pub reconnects: u64,
}
