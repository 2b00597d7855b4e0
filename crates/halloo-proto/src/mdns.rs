//! Multicast DNS (RFC 6762) and DNS-based service discovery (RFC 6763), as much as a server and a search for it need.
//!
//! [`Responder`] publishes one service with its host, [`Querier`] searches for services and hosts. Both are given
//! packets with the index of the interface that they came from, and the time, and return the packets to send. All
//! memory, and the packets that are sent, are bounded, whatever arrives.

mod link;
mod name;
mod packet;
mod record;
mod service;
mod transmit;

mod own_records;
mod responder;

mod cache;
mod querier;

mod random;
mod token_bucket;

pub use link::Link;
pub use name::Name;
pub use packet::{MAX_PACKET_BYTES, Packet};
pub use querier::{FoundService, MAX_ADDRESSES, Querier, ServiceChange};
pub use record::{Data, Question, Record, RecordType};
pub use responder::{Publication, Responder};
pub use service::{InvalidService, Service};
pub use transmit::{Destination, Transmit};

use std::net::{Ipv4Addr, Ipv6Addr};

/// The UDP port of multicast DNS.
pub const PORT: u16 = 5353;
/// The IPv4 group of multicast DNS.
pub const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
/// The IPv6 group of multicast DNS.
pub const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb);
