//! One client sends, all receive; the next message is sent when the last client has received the one before.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::meter::{Meter, Usage};
use super::pool::ClientPool;
use super::ring::Ring;
use super::target::Target;

/// Messages in the ring.
const RING: usize = 64;

/// The shape of the load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FanOut {
    pub(crate) clients: usize,
    pub(crate) size: usize,
    /// Messages in flight; at most 64.
    pub(crate) in_flight: usize,
    pub(crate) warm_up: Duration,
    pub(crate) time: Duration,
}

/// Runs the load and returns the usage, with deliveries as messages, and the time of each message until the last client
/// had received it.
pub(crate) fn fan_out(target: &Target, load: &FanOut) -> Result<(Usage, Vec<Duration>)> {
    let ring = Ring::new(target.protocol, load.size, RING);
    let mut pool = ClientPool::connect(target, &ring, load.clients, |_| 0)?;
    let mut rounds = Rounds::new(load.clients);
    rounds.send(&mut pool, &ring, load.in_flight)?;
    rounds.run_for(&mut pool, &ring, load.warm_up)?;
    rounds.latencies.clear();
    let meter = Meter::start(target.pid);
    let deliveries = rounds.run_for(&mut pool, &ring, load.time)?;
    let usage = meter.stop(deliveries);
    rounds.finish(&mut pool, &ring)?;
    Ok((Usage { total: rounds.sent * load.clients as u64, ..usage }, rounds.latencies))
}

/// The messages in flight.
pub(super) struct Rounds {
    clients: usize,
    /// Messages sent.
    sent: u64,
    /// Messages that all clients have received.
    done: u64,
    /// For each message in flight: when it was sent, and how many clients have received it.
    in_flight: Vec<(Instant, usize)>,
    pub(super) latencies: Vec<Duration>,
}

impl Rounds {
    pub(super) fn new(clients: usize) -> Rounds {
        Rounds { clients, sent: 0, done: 0, in_flight: vec![(Instant::now(), 0); RING], latencies: Vec::new() }
    }

    pub(super) fn send(&mut self, pool: &mut ClientPool, ring: &Ring, messages: usize) -> Result<()> {
        for _ in 0..messages {
            self.in_flight[self.sent as usize % RING] = (Instant::now(), 0);
            self.sent += 1;
        }
        pool.clients[0].send(ring, messages)
    }

    /// Records that a client has received its messages up to `received`, of which `messages` are new. Returns for how many of
    /// them it was the last client.
    pub(super) fn arrive(&mut self, received: u64, messages: usize) -> Result<usize> {
        if received > self.sent {
            bail!("a message was delivered twice");
        }
        let done = self.done;
        for message in received - messages as u64..received {
            let (sent_at, receivers) = &mut self.in_flight[message as usize % RING];
            *receivers += 1;
            if *receivers == self.clients {
                self.latencies.push(sent_at.elapsed());
                self.done += 1;
            }
        }
        Ok((self.done - done) as usize)
    }

    fn run_for(&mut self, pool: &mut ClientPool, ring: &Ring, time: Duration) -> Result<u64> {
        let end = Instant::now() + time;
        let mut deliveries = 0;
        while Instant::now() < end {
            let mut next = 0;
            pool.poll_busy(ring, |clients, number, messages| {
                deliveries += messages as u64;
                next += self.arrive(clients[number].received(ring), messages)?;
                Ok(())
            })?;
            if next > 0 {
                self.send(pool, ring, next)?;
            }
        }
        Ok(deliveries)
    }

    /// Waits until every client has received every message.
    fn finish(&mut self, pool: &mut ClientPool, ring: &Ring) -> Result<()> {
        while self.done < self.sent {
            pool.poll_busy(ring, |clients, number, messages| {
                self.arrive(clients[number].received(ring), messages).map(|_| ())
            })?;
        }
        Ok(())
    }
}
