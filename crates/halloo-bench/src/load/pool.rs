//! Many clients on one readiness loop.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use mio::{Events, Interest, Poll, Token};

use super::client::Client;
use super::connect::connect;
use super::ring::Ring;
use super::target::Target;

/// How long all clients may wait for a reply before the run fails.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);
const READ_BUFFER: usize = 256 * 1024;

/// Connected clients, and the readiness loop for their sockets.
pub(super) struct ClientPool {
    pub(super) clients: Vec<Client>,
    pub(super) poll: Poll,
    pub(super) events: Events,
    pub(super) buffer: Vec<u8>,
}

impl ClientPool {
    /// Connects `count` clients. Client `n` begins with message `first(n)` of the ring.
    pub(super) fn connect(target: &Target, ring: &Ring, count: usize, first: fn(usize) -> usize) -> Result<ClientPool> {
        let poll = Poll::new().context("cannot create a poll")?;
        let mut clients = Vec::with_capacity(count);
        for (number, stream) in connect(target, count)?.into_iter().enumerate() {
            let mut stream = stream.into_nonblocking()?;
            poll.registry().register(stream.socket_mut(), Token(number), Interest::READABLE | Interest::WRITABLE)?;
            clients.push(Client::new(stream, ring, first(number)));
        }
        Ok(ClientPool { clients, poll, events: Events::with_capacity(1024), buffer: vec![0; READ_BUFFER] })
    }

    /// Waits for readiness and calls `arrived(clients, number, messages)` for every client that got complete messages.
    /// Returns whether any socket was ready within `timeout`.
    pub(super) fn poll_once<F>(&mut self, ring: &Ring, timeout: Duration, mut arrived: F) -> Result<bool>
    where
        F: FnMut(&mut [Client], usize, usize) -> Result<()>,
    {
        match self.poll.poll(&mut self.events, Some(timeout)) {
            Err(error) if error.kind() != std::io::ErrorKind::Interrupted => return Err(error.into()),
            _ => {}
        }
        for event in &self.events {
            let Token(number) = event.token();
            let client = &mut self.clients[number];
            if event.is_writable() {
                client.write(ring)?;
            }
            if event.is_readable() || event.is_read_closed() {
                let messages = client.read(ring, &mut self.buffer)?;
                if messages > 0 {
                    arrived(&mut self.clients, number, messages)?;
                }
            }
        }
        Ok(!self.events.is_empty())
    }

    /// Waits as [`poll_once`](ClientPool::poll_once) does. Returns an error if no socket gets ready.
    pub(super) fn poll_busy<F>(&mut self, ring: &Ring, arrived: F) -> Result<()>
    where
        F: FnMut(&mut [Client], usize, usize) -> Result<()>,
    {
        if !self.poll_once(ring, TIMEOUT, arrived)? {
            bail!("the server sent nothing for {TIMEOUT:?} although replies are outstanding");
        }
        Ok(())
    }
}
