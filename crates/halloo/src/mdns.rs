//! Multicast DNS: publishes the server as a service `_halloo._tcp` (RFC 6763) and as the host NAME.local (RFC 6762),
//! and searches for such services.

#[cfg(feature = "mdns")]
mod publication;
#[cfg(feature = "mdns")]
mod search;

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
const SERVICE_TYPE: &str = "_halloo._tcp.local.";

/// Returns the interfaces on which nothing is sent: those that `filter` does not allow, loopback, and IPv6.
#[cfg(feature = "mdns")]
fn unused_interfaces(filter: halloo_proto::interface_filter::InterfaceFilter) -> Vec<mdns_sd::IfKind> {
    use mdns_sd::{IfKind, IfPredicate};
    let excluded = IfPredicate::new(move |interface| !filter.allows(&interface.name));
    vec![IfKind::IPv6, IfKind::LoopbackV4, IfKind::LoopbackV6, IfKind::Predicate(excluded)]
}
