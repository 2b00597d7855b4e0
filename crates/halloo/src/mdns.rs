//! Multicast DNS: the server as a service `_halloo._tcp` (RFC 6763) and under a name of its own, NAME.local.

#[cfg(feature = "mdns")]
mod publication;
#[cfg(feature = "mdns")]
mod search;

#[cfg(not(feature = "mdns"))]
#[path = "mdns/absent.rs"]
mod publication;

pub(crate) use publication::Publication;
#[cfg(feature = "mdns")]
pub(crate) use search::ServiceSearch;

/// What servers are published as.
#[cfg(feature = "mdns")]
const SERVICE: &str = "_halloo._tcp.local.";
