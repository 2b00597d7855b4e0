//! A file descriptor in reserve, so that a connection can be accepted and refused when there is no other.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr};

use halloo_proto::http::respond;
use mio::net::{TcpListener, TcpStream};
use socket2::{Domain, Socket, Type};

/// Bytes of a request that are read before the response: closing a socket with unread bytes resets the connection.
const MAX_UNREAD: usize = 16 * 1024;

/// A socket that only holds a descriptor, or a peer that was accepted with this descriptor and may not be able to stay.
#[derive(Debug)]
pub(super) struct SpareDescriptor {
    placeholder: Option<Socket>,
    waiting: Option<(TcpStream, SocketAddr)>,
}

/// The result of accepting with the spare descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SpareAccept {
    /// A peer was accepted and waits.
    Waiting,
    /// No peer wanted to connect.
    Empty,
    /// The spare descriptor could not be restored the last time.
    Unavailable,
}

impl SpareDescriptor {
    pub(super) fn new() -> SpareDescriptor {
        let mut spare = SpareDescriptor { placeholder: None, waiting: None };
        spare.refill();
        spare
    }

    fn refill(&mut self) -> bool {
        if self.placeholder.is_none() {
            self.placeholder = Socket::new(Domain::IPV4, Type::DGRAM, None).ok();
        }
        self.placeholder.is_some()
    }

    /// Frees the descriptor and accepts with it. This is the only way to learn whether a peer waits: without a free
    /// descriptor, the system refuses before it looks.
    pub(super) fn accept(&mut self, listener: &TcpListener) -> SpareAccept {
        if self.placeholder.take().is_none() {
            self.refill();
            return SpareAccept::Unavailable;
        }
        self.waiting = listener.accept().ok();
        match self.waiting {
            Some(_) => SpareAccept::Waiting,
            None => {
                self.refill();
                SpareAccept::Empty
            }
        }
    }

    /// Returns whether a peer waits.
    pub(super) fn has_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// Returns the waiting peer if another descriptor is free by now, so that the peer may stay.
    pub(super) fn take_waiting(&mut self) -> Option<(TcpStream, SocketAddr)> {
        if self.has_waiting() && self.refill() { self.waiting.take() } else { None }
    }

    /// Refuses the waiting peer with 503 and takes the descriptor back.
    pub(super) fn refuse_waiting(&mut self) {
        if let Some((stream, _)) = self.waiting.take() {
            refuse(stream);
        }
        self.refill();
    }
}

fn refuse(mut stream: TcpStream) {
    let reason = b"the server has no file descriptor left; close other connections, or raise its limit of open files\n";
    // The peer may be gone or may not have sent its request yet; this is a best effort without waiting.
    let _ = stream.read(&mut [0; MAX_UNREAD]);
    let _ = stream.write(&respond(503, "text/plain; charset=utf-8", &[], reason, false));
    let _ = stream.shutdown(Shutdown::Write);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_peer_stays_when_another_descriptor_is_free() {
        let listener = TcpListener::bind(([127, 0, 0, 1], 0).into()).unwrap();
        let mut spare = SpareDescriptor::new();
        assert_eq!(spare.accept(&listener), SpareAccept::Empty);
        let peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        assert_eq!(spare.accept(&listener), SpareAccept::Waiting);
        assert_eq!(spare.take_waiting().unwrap().1, peer.local_addr().unwrap());
        assert!(!spare.has_waiting() && spare.placeholder.is_some());
    }
}
