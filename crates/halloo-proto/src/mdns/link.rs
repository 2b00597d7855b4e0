//! An interface on which multicast DNS is spoken.

use std::net::IpAddr;

/// An interface, with the addresses of this machine on its network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The name of the interface, for log messages.
    pub name: String,
    /// The index of the interface, which identifies it. An interface that was removed and created again has another.
    pub index: u32,
    /// The addresses to publish on this interface, and only on it.
    pub addresses: Vec<IpAddr>,
}
