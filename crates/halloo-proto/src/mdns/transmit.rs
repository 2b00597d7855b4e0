//! Packets to send.

use std::net::SocketAddr;

/// A packet to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// The index of the interface to send it through.
    pub interface: u32,
    /// Where to send it.
    pub to: Destination,
    /// The packet.
    pub bytes: Vec<u8>,
}

/// The destination of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// The groups of multicast DNS, in each address family that the interface has.
    Multicast,
    /// One address.
    Unicast(SocketAddr),
}
