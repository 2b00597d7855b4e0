//! The server under test.

use std::net::SocketAddr;

/// The server that receives a load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) addr: SocketAddr,
    pub(crate) protocol: Protocol,
    /// Whether the protocol is within TLS.
    pub(crate) secure: bool,
    /// The process whose CPU time is measured; `None` for a thread of this process.
    pub(crate) pid: Option<u32>,
}

/// The protocol on the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Protocol {
    WebSocket,
    /// The same bytes without a protocol: the server returns what it receives.
    Tcp,
}
