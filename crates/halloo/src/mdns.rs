//! Multicast DNS: publishes the server as a service `_halloo._tcp` (RFC 6763) and as the host NAME.local (RFC 6762),
//! and searches for such services.

#[cfg(feature = "mdns")]
mod links;
#[cfg(feature = "mdns")]
mod publication;
#[cfg(feature = "mdns")]
mod read_budget;
#[cfg(feature = "mdns")]
mod search;
#[cfg(feature = "mdns")]
mod sockets;

#[cfg(not(feature = "mdns"))]
#[path = "mdns/stub.rs"]
mod publication;

pub(crate) use publication::Publication;
#[cfg(feature = "mdns")]
pub(crate) use publication::planned_host;
#[cfg(feature = "mdns")]
pub(crate) use search::{ServiceSearch, resolve_host};

/// The service type of a halloo server.
#[cfg(feature = "mdns")]
const SERVICE_TYPE: &str = "_halloo._tcp.local";
