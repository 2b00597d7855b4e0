//! Every client keeps a number of messages in flight and sends another for each reply.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::meter::{Meter, Usage};
use super::pool::ClientPool;
use super::ring::Ring;
use super::target::Target;

/// Messages in the ring: more than are ever in flight, few enough to stay in the cache.
const RING: usize = 64;

/// The shape of the load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Echo {
    pub(crate) clients: usize,
    /// Bytes of payload.
    pub(crate) size: usize,
    /// Messages in flight per client.
    pub(crate) in_flight: usize,
    pub(crate) warm_up: Duration,
    pub(crate) time: Duration,
}

/// Runs the load and returns the usage, with the replies in the measured time as messages.
pub(crate) fn echo(target: &Target, load: &Echo) -> Result<Usage> {
    let ring = Ring::new(target.protocol, load.size, RING);
    // Steps of five distribute the clients over the ring.
    let mut pool = ClientPool::connect(target, &ring, load.clients, |number| number * 5)?;
    for client in &mut pool.clients {
        client.send(&ring, load.in_flight)?;
    }
    run_for(&mut pool, &ring, load.warm_up)?;
    let meter = Meter::start(target.pid);
    let messages = run_for(&mut pool, &ring, load.time)?;
    let usage = meter.stop(messages);
    finish(&mut pool, &ring)?;
    Ok(Usage { total: pool.clients.iter().map(|client| client.sent).sum(), ..usage })
}

fn run_for(pool: &mut ClientPool, ring: &Ring, time: Duration) -> Result<u64> {
    let end = Instant::now() + time;
    let mut total = 0;
    while Instant::now() < end {
        pool.poll_busy(ring, |clients, number, messages| {
            total += messages as u64;
            let client = &mut clients[number];
            if client.received(ring) > client.sent {
                bail!("more replies than requests");
            }
            client.send(ring, messages)
        })?;
    }
    Ok(total)
}

/// Waits until every request has its reply.
fn finish(pool: &mut ClientPool, ring: &Ring) -> Result<()> {
    let outstanding = |pool: &ClientPool| pool.clients.iter().any(|client| client.received(ring) < client.sent);
    while outstanding(pool) {
        pool.poll_busy(ring, |_, _, _| Ok(()))?;
    }
    match pool.clients.iter().find(|client| client.received(ring) > client.sent) {
        Some(client) => bail!("{} replies to {} requests", client.received(ring), client.sent),
        None => Ok(()),
    }
}
