//! Every client keeps a number of messages on their way and sends one for each that comes back.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::Target;
use super::crowd::Crowd;
use super::meter::{Meter, Usage};
use super::ring::Ring;

/// Messages in the circle: more than are ever on their way, few enough to stay in the cache.
const RING: usize = 64;

/// The shape of the load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Echo {
    pub(crate) clients: usize,
    /// Bytes of payload.
    pub(crate) size: usize,
    /// Messages on their way for each client.
    pub(crate) in_flight: usize,
    pub(crate) warm_up: Duration,
    pub(crate) time: Duration,
}

/// Runs the load and answers how many messages came back in the measured time.
pub(crate) fn echo(target: &Target, load: &Echo) -> Result<Usage> {
    let ring = Ring::new(target.protocol, load.size, RING);
    // Steps of five spread the clients over all of the circle.
    let mut crowd = Crowd::connect(target, &ring, load.clients, |number| number * 5)?;
    for client in &mut crowd.clients {
        client.send(&ring, load.in_flight)?;
    }
    run_for(&mut crowd, &ring, load.warm_up)?;
    let meter = Meter::start(target.pid);
    let messages = run_for(&mut crowd, &ring, load.time)?;
    let usage = meter.stop(messages);
    finish(&mut crowd, &ring)?;
    Ok(Usage { in_all: crowd.clients.iter().map(|client| client.sent).sum(), ..usage })
}

fn run_for(crowd: &mut Crowd, ring: &Ring, time: Duration) -> Result<u64> {
    let end = Instant::now() + time;
    let mut total = 0;
    while Instant::now() < end {
        crowd.busy_turn(ring, |clients, number, messages| {
            total += messages as u64;
            let client = &mut clients[number];
            if client.received(ring) > client.sent {
                bail!("more answers than questions");
            }
            client.send(ring, messages)
        })?;
    }
    Ok(total)
}

/// Every question must be answered in the end.
fn finish(crowd: &mut Crowd, ring: &Ring) -> Result<()> {
    let open = |crowd: &Crowd| crowd.clients.iter().any(|client| client.received(ring) < client.sent);
    while open(crowd) {
        crowd.busy_turn(ring, |_, _, _| Ok(()))?;
    }
    match crowd.clients.iter().find(|client| client.received(ring) > client.sent) {
        Some(client) => bail!("{} answers to {} questions", client.received(ring), client.sent),
        None => Ok(()),
    }
}
