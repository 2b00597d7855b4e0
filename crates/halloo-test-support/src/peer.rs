//! A WebSocket client of another implementation.

use std::net::TcpStream;

use halloo::Server;
use tungstenite::WebSocket;

use crate::raw_socket::{connect_tcp, loopback};

/// A client of the crate `tungstenite`.
pub type Peer = WebSocket<TcpStream>;

/// Connects to `server` on loopback. Reads fail after [`TEST_TIMEOUT`](crate::TEST_TIMEOUT).
pub fn connect_peer(server: &Server) -> Peer {
    let stream = connect_tcp(loopback(server));
    tungstenite::client(server.url(), stream).expect("the server accepts the handshake").0
}
