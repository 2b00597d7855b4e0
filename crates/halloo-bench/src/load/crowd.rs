//! Many clients on one readiness loop.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use mio::{Events, Interest, Poll, Token};

use super::client::Client;
use super::ring::Ring;
use super::{Target, connect};

/// No server that works keeps everybody waiting so long.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
const READ_BUFFER: usize = 256 * 1024;

/// Connected clients, and the loop that tells which of them have something to read.
pub(super) struct Crowd {
    pub(super) clients: Vec<Client>,
    pub(super) poll: Poll,
    pub(super) events: Events,
    pub(super) buffer: Vec<u8>,
}

impl Crowd {
    /// Connects `count` clients; client `n` begins with message `first(n)` of the circle.
    pub(super) fn connect(target: &Target, ring: &Ring, count: usize, first: fn(usize) -> usize) -> Result<Crowd> {
        let poll = Poll::new().context("cannot create a poll")?;
        let mut clients = Vec::with_capacity(count);
        for (number, stream) in connect(target, count)?.into_iter().enumerate() {
            stream.set_nonblocking(true)?;
            let mut stream = mio::net::TcpStream::from_std(stream);
            poll.registry().register(&mut stream, Token(number), Interest::READABLE | Interest::WRITABLE)?;
            clients.push(Client::new(stream, ring, first(number)));
        }
        Ok(Crowd { clients, poll, events: Events::with_capacity(1024), buffer: vec![0; READ_BUFFER] })
    }

    /// Waits for readiness and calls `arrived(clients, number, messages)` for every client that got whole messages.
    /// Answers whether anything was ready within `timeout`.
    pub(super) fn turn<F>(&mut self, ring: &Ring, timeout: Duration, mut arrived: F) -> Result<bool>
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

    /// A turn in which something must happen.
    pub(super) fn busy_turn<F>(&mut self, ring: &Ring, arrived: F) -> Result<()>
    where
        F: FnMut(&mut [Client], usize, usize) -> Result<()>,
    {
        if !self.turn(ring, PATIENCE, arrived)? {
            bail!("the server has been silent for {PATIENCE:?} and owes answers");
        }
        Ok(())
    }
}
