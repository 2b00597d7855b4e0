//! Connecting to one of a server's addresses: the best first, and the next one in parallel when it is slow.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;

use halloo_proto::Time;
use halloo_proto::defaults::{HANDSHAKE_TIMEOUT, NEXT_ADDRESS_DELAY};
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use socket2::SockRef;

use super::connected_socket::ConnectedSocket;
use super::failure::Failure;
use crate::stream::{Stream, limit_unsent_bytes};

/// An attempt to connect to one of several addresses (RFC 8305 section 5): the first that accepts is used.
#[derive(Debug)]
pub(super) struct Dial {
    /// The addresses that are still to be tried, best first.
    addresses: VecDeque<SocketAddr>,
    pending: Vec<PendingSocket>,
    /// When the next address is tried, unless all pending ones fail earlier.
    next_at: Time,
    /// The most telling failure of an address.
    failure: Option<Failure>,
}

#[derive(Debug)]
struct PendingSocket {
    token: Token,
    stream: TcpStream,
    addr: SocketAddr,
    deadline: Time,
}

impl Dial {
    pub(super) fn new(addresses: impl IntoIterator<Item = SocketAddr>, now: Time) -> Dial {
        Dial { addresses: addresses.into_iter().collect(), pending: Vec::new(), next_at: now, failure: None }
    }

    /// Tries `addresses` before the remaining ones, without those that are pending. The first of them is tried at once.
    pub(super) fn prefer(&mut self, addresses: Vec<SocketAddr>, now: Time) {
        let pending: Vec<SocketAddr> = self.pending.iter().map(|socket| socket.addr).collect();
        self.addresses.retain(|addr| !addresses.contains(addr));
        for addr in addresses.into_iter().filter(|addr| !pending.contains(addr)).rev() {
            self.addresses.push_front(addr);
            self.next_at = now;
        }
    }

    /// Gives up sockets that are not connected in time and tries the addresses that are due. `next_token` returns unused
    /// tokens.
    pub(super) fn handle_timeout(&mut self, now: Time, registry: &Registry, mut next_token: impl FnMut() -> Token) {
        while let Some(overdue) = self.pending.iter().position(|socket| now >= socket.deadline) {
            let socket = self.pending.swap_remove(overdue);
            self.record_failure(unreachable(socket.addr, "connection timed out"));
        }
        while now >= self.next_at || self.pending.is_empty() {
            let Some(addr) = self.addresses.pop_front() else { return };
            match PendingSocket::connect(addr, registry, next_token(), now) {
                Ok(socket) => {
                    self.pending.push(socket);
                    self.next_at = now + NEXT_ADDRESS_DELAY;
                }
                Err(error) => self.record_failure(unreachable(addr, error)),
            }
        }
    }

    /// Handles readiness of the socket with this token, and returns the socket if it is connected. Then the pending
    /// sockets are closed, and their addresses are the next to be tried if this one turns out to be wrong.
    pub(super) fn handle_ready(&mut self, token: Token, now: Time) -> Option<ConnectedSocket> {
        let index = self.pending.iter().position(|socket| socket.token == token)?;
        match self.pending[index].is_connected() {
            Ok(false) => None,
            Ok(true) => {
                let PendingSocket { stream, addr, .. } = self.pending.swap_remove(index);
                for socket in self.pending.drain(..).rev() {
                    self.addresses.push_front(socket.addr);
                }
                self.next_at = now;
                limit_unsent_bytes(SockRef::from(&stream));
                Some(ConnectedSocket { token, stream: Stream::plain(stream), addr })
            }
            Err(error) => {
                let socket = self.pending.swap_remove(index);
                self.record_failure(unreachable(socket.addr, error));
                self.next_at = now;
                None
            }
        }
    }

    /// Returns when [`Dial::handle_timeout`] is due.
    pub(super) fn poll_timeout(&self) -> Option<Time> {
        let next = (!self.addresses.is_empty()).then_some(self.next_at);
        self.pending.iter().map(|socket| socket.deadline).chain(next).min()
    }

    /// Returns `true` if all addresses failed.
    pub(super) fn is_exhausted(&self) -> bool {
        self.addresses.is_empty() && self.pending.is_empty()
    }

    /// Returns why no address is connected.
    pub(super) fn into_failure(self) -> Failure {
        self.failure.unwrap_or_else(Failure::no_address)
    }

    /// Keeps the failure of the attempt that came furthest; of equal ones the first, which is that of the best address.
    pub(super) fn record_failure(&mut self, failure: Failure) {
        self.failure = Some(match self.failure.take() {
            Some(earlier) => earlier.or_further(Some(failure)),
            None => failure,
        });
    }
}

impl PendingSocket {
    fn connect(addr: SocketAddr, registry: &Registry, token: Token, now: Time) -> io::Result<PendingSocket> {
        let mut stream = TcpStream::connect(addr)?;
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(PendingSocket { token, stream, addr, deadline: now + HANDSHAKE_TIMEOUT })
    }

    /// Returns whether the connection is established; an error if it failed.
    fn is_connected(&self) -> io::Result<bool> {
        if let Some(error) = self.stream.take_error()? {
            return Err(error);
        }
        match self.stream.peer_addr() {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Returns why `addr` is not reached. A link-local address without a zone is on every network (RFC 4007 section 6).
pub(super) fn unreachable(addr: SocketAddr, reason: impl std::fmt::Display) -> Failure {
    let advice = match addr {
        SocketAddr::V6(v6) if v6.ip().is_unicast_link_local() && v6.scope_id() == 0 => {
            format!("; a link-local address needs the interface that leads to it, as in [{}%eth0]", v6.ip())
        }
        _ => String::new(),
    };
    format!("cannot reach {addr}: {reason}{advice}").into()
}
