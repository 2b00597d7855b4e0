//! Accepts sockets, and what happens when the system has no file descriptor left.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use halloo_proto::Time;
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};

use super::listening_socket;
use super::spare_descriptor::{SpareAccept, SpareDescriptor};
use crate::{Config, StartError};

/// Delay before accepting again after the file descriptors ran out.
const RETRY_DELAY: Duration = Duration::from_millis(200);

/// Accepts sockets.
#[derive(Debug)]
pub(super) struct Listener {
    socket: TcpListener,
    spare: SpareDescriptor,
    /// Sockets may wait to be accepted for which the poll does not wake again.
    is_ready: bool,
    /// There is no descriptor: accept again at this time.
    retry_at: Option<Time>,
    connections_at_exhaustion: usize,
    is_exhaustion_reported: bool,
}

/// The result of [`Listener::accept`].
#[derive(Debug)]
pub(super) enum Accepted {
    Socket(TcpStream, SocketAddr),
    /// A peer was accepted with the spare descriptor: free another one and call [`Listener::take_waiting`].
    NeedsDescriptor,
    /// No peer waits, or accepting is retried later.
    Nothing,
}

impl Listener {
    /// Listens on the first free port of the configured range.
    pub(super) fn bind(config: &Config, registry: &Registry, token: Token) -> Result<Listener, StartError> {
        let mut socket = listening_socket::open(config)?;
        registry
            .register(&mut socket, token, Interest::READABLE)
            .map_err(StartError::system("watch the listening socket"))?;
        Ok(Listener {
            socket,
            spare: SpareDescriptor::new(),
            is_ready: true,
            retry_at: None,
            connections_at_exhaustion: 0,
            is_exhaustion_reported: false,
        })
    }

    pub(super) fn port(&self) -> io::Result<u16> {
        Ok(self.socket.local_addr()?.port())
    }

    /// Records that sockets wait to be accepted.
    pub(super) fn handle_readable(&mut self) {
        self.is_ready = true;
    }

    /// Resumes accepting after the descriptors ran out, if the delay is over or a connection has freed one.
    pub(super) fn handle_timeout(&mut self, connections: usize, now: Time) {
        let is_freed = connections < self.connections_at_exhaustion;
        if self.retry_at.is_some_and(|retry_at| is_freed || now >= retry_at) {
            self.retry_at = None;
            self.is_ready = true;
        }
    }

    /// Returns when [`Listener::handle_timeout`] is due.
    pub(super) fn poll_timeout(&self) -> Option<Time> {
        self.retry_at
    }

    /// Returns whether [`Listener::accept`] may return a socket.
    pub(super) fn may_accept(&self) -> bool {
        self.retry_at.is_none() && (self.is_ready || self.spare.has_waiting())
    }

    /// Accepts one socket.
    pub(super) fn accept(&mut self, connections: usize, now: Time) -> Accepted {
        loop {
            if self.spare.has_waiting() {
                return Accepted::NeedsDescriptor;
            }
            if !self.is_ready || self.retry_at.is_some() {
                return Accepted::Nothing;
            }
            match self.socket.accept() {
                Ok((stream, peer)) => return Accepted::Socket(stream, peer),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    (self.is_ready, self.is_exhaustion_reported) = (false, false);
                }
                // The peer was gone before it was accepted: the next one waits behind it.
                Err(error) if concerns_the_peer(&error) => {}
                Err(error) => match self.spare.accept(&self.socket) {
                    SpareAccept::Empty => self.is_ready = false,
                    SpareAccept::Unavailable => self.retry_later(connections, now),
                    SpareAccept::Waiting => {
                        if !std::mem::replace(&mut self.is_exhaustion_reported, true) {
                            tracing::warn!(
                                "cannot accept: {error}; close other connections, or raise the limit of open files"
                            );
                        }
                    }
                },
            }
        }
    }

    /// Returns the peer that waits with the spare descriptor, if another descriptor is free by now.
    pub(super) fn take_waiting(&mut self) -> Option<(TcpStream, SocketAddr)> {
        self.spare.take_waiting()
    }

    /// Refuses the peer that waits with the spare descriptor.
    pub(super) fn refuse_waiting(&mut self) {
        self.spare.refuse_waiting();
    }

    /// Pauses accepting for [`RETRY_DELAY`], or until a connection has freed a descriptor.
    pub(super) fn retry_later(&mut self, connections: usize, now: Time) {
        self.connections_at_exhaustion = connections;
        self.retry_at = Some(now + RETRY_DELAY);
    }
}

fn concerns_the_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}
