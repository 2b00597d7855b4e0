//! Faults that happen without an attacker: how ten clients are affected, and how soon they recover.

mod addresses;
mod network;
mod processes;
mod sockets;
mod storage;

mod recovery;

pub(crate) use addresses::{address_change, link_down};
pub(crate) use storage::full_disk;

use crate::scenario::Scenario;

/// Every fault, in the order of the table.
pub(crate) const ALL: [Scenario; 14] = [
    network::LATENCY,
    network::SLOW,
    network::ONE_BYTE_PACKETS,
    network::BLACK_HOLE,
    sockets::HALF_CLOSE,
    sockets::RESET,
    sockets::FULL_ACCEPT_QUEUE,
    processes::SERVER_SUSPENDED,
    processes::CLIENT_SUSPENDED,
    processes::CLIENT_SUSPENDED_LONG,
    processes::SERVER_KILLED,
    addresses::LINK_DOWN,
    addresses::ADDRESS_CHANGE,
    storage::FULL_DISK,
];
