//! Calling a server at its addresses: the best first, the next one beside it when it is slow to answer.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;

use halloo_proto::Time;
use halloo_proto::defaults::{HANDSHAKE_TIMEOUT, NEXT_ADDRESS_DELAY};
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use crate::stream::Stream;

/// An attempt to reach one of several addresses, as RFC 8305 section 5 has it: the first that answers is taken.
#[derive(Debug)]
pub(super) struct Dial {
    addresses: VecDeque<SocketAddr>,
    calls: Vec<Call>,
    /// When the next address is called, unless all calls fail before.
    next_at: Time,
    /// Why the best address did not answer.
    failure: Option<String>,
}

#[derive(Debug)]
struct Call {
    token: Token,
    stream: TcpStream,
    addr: SocketAddr,
    until: Time,
}

/// An address that answered.
#[derive(Debug)]
pub(super) struct Reached {
    pub(super) token: Token,
    pub(super) stream: Stream,
    pub(super) addr: SocketAddr,
}

impl Dial {
    pub(super) fn new(addresses: impl IntoIterator<Item = SocketAddr>, now: Time) -> Dial {
        Dial { addresses: addresses.into_iter().collect(), calls: Vec::new(), next_at: now, failure: None }
    }

    /// Puts `addresses` before those that are left, but for those that are being called, and calls the first at once.
    pub(super) fn prefer(&mut self, addresses: Vec<SocketAddr>, now: Time) {
        let called: Vec<SocketAddr> = self.calls.iter().map(|call| call.addr).collect();
        self.addresses.retain(|addr| !addresses.contains(addr));
        for addr in addresses.into_iter().filter(|addr| !called.contains(addr)).rev() {
            self.addresses.push_front(addr);
            self.next_at = now;
        }
    }

    /// Ends calls that last too long, and begins those that are due. `token` gives a fresh token.
    pub(super) fn handle_timeout(&mut self, now: Time, registry: &Registry, mut token: impl FnMut() -> Token) {
        while let Some(overdue) = self.calls.iter().position(|call| now >= call.until) {
            let call = self.calls.swap_remove(overdue);
            self.note(unreachable(call.addr, "no answer"));
        }
        while now >= self.next_at || self.calls.is_empty() {
            let Some(addr) = self.addresses.pop_front() else { return };
            match call(addr, registry, token()) {
                Ok((stream, token)) => {
                    self.calls.push(Call { token, stream, addr, until: now + HANDSHAKE_TIMEOUT });
                    self.next_at = now + NEXT_ADDRESS_DELAY;
                }
                Err(error) => self.note(unreachable(addr, error)),
            }
        }
    }

    /// The socket with this token has news. When it is connected, the other calls are given up, and their addresses
    /// are the next to be tried should this one prove wrong.
    pub(super) fn handle_ready(&mut self, token: Token, now: Time) -> Option<Reached> {
        let index = self.calls.iter().position(|call| call.token == token)?;
        match connected(&self.calls[index].stream) {
            Ok(false) => None,
            Ok(true) => {
                let Call { stream, addr, .. } = self.calls.swap_remove(index);
                for call in self.calls.drain(..).rev() {
                    self.addresses.push_front(call.addr);
                }
                self.next_at = now;
                Some(Reached { token, stream: Stream::plain(stream), addr })
            }
            Err(error) => {
                let call = self.calls.swap_remove(index);
                self.note(unreachable(call.addr, error));
                self.next_at = now;
                None
            }
        }
    }

    /// When to look again.
    pub(super) fn next_timeout(&self) -> Option<Time> {
        let next = (!self.addresses.is_empty()).then_some(self.next_at);
        self.calls.iter().map(|call| call.until).chain(next).min()
    }

    /// Whether no address is left.
    pub(super) fn is_over(&self) -> bool {
        self.addresses.is_empty() && self.calls.is_empty()
    }

    /// Why nothing was reached, as a sentence.
    pub(super) fn failure(self) -> String {
        self.failure.unwrap_or_else(|| "the server has no address".into())
    }

    /// Remembers the first failure, which is that of the best address.
    pub(super) fn note(&mut self, failure: String) {
        self.failure.get_or_insert(failure);
    }
}

fn unreachable(addr: SocketAddr, why: impl std::fmt::Display) -> String {
    format!("cannot reach {addr}: {why}")
}

fn call(addr: SocketAddr, registry: &Registry, token: Token) -> io::Result<(TcpStream, Token)> {
    let mut stream = TcpStream::connect(addr)?;
    registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
    Ok((stream, token))
}

/// Whether the connection stands; an error when it never will.
fn connected(stream: &TcpStream) -> io::Result<bool> {
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    match stream.peer_addr() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
        Err(error) => Err(error),
    }
}
