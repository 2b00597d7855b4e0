//! A socket that is connected to an address of the server.

use std::net::SocketAddr;

use mio::Token;

use crate::stream::Stream;

/// A socket that is connected to an address of the server, before, during and after the opening handshake.
#[derive(Debug)]
pub(super) struct ConnectedSocket {
    /// The token by which it is registered.
    pub(super) token: Token,
    pub(super) stream: Stream,
    pub(super) addr: SocketAddr,
}
