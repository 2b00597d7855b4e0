//! Ports on which nothing listens.

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};

/// Returns a discovery port for one test. The nine ports after it are unused as well, since some probes go to all ten.
///
/// They are below the range that the system assigns, so that no other program happens to have one of them.
pub fn unused_discovery_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    10_000 + (std::process::id() % 90) as u16 * 200 + NEXT.fetch_add(10, Ordering::Relaxed)
}

/// Returns an unused UDP port on loopback.
pub fn unused_udp_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Returns an address on loopback that refuses connections.
pub fn unused_tcp_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
