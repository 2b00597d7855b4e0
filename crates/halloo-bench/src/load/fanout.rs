//! One client speaks, all get it; the next message goes out when the last client has the one before.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::Target;
use super::crowd::Crowd;
use super::meter::{Meter, Usage};
use super::ring::Ring;

const RING: usize = 64;

/// The shape of the load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FanOut {
    pub(crate) clients: usize,
    pub(crate) size: usize,
    /// Messages on their way; at most 64.
    pub(crate) in_flight: usize,
    pub(crate) warm_up: Duration,
    pub(crate) time: Duration,
}

/// Runs the load. Answers deliveries, and for every message the time until its last receiver had it.
pub(crate) fn fan_out(target: &Target, load: &FanOut) -> Result<(Usage, Vec<Duration>)> {
    let ring = Ring::new(target.protocol, load.size, RING);
    let mut crowd = Crowd::connect(target, &ring, load.clients, |_| 0)?;
    let mut rounds = Rounds::new(load.clients);
    rounds.send(&mut crowd, &ring, load.in_flight)?;
    rounds.run_for(&mut crowd, &ring, load.warm_up)?;
    rounds.latencies.clear();
    let meter = Meter::start(target.pid);
    let deliveries = rounds.run_for(&mut crowd, &ring, load.time)?;
    let usage = meter.stop(deliveries);
    rounds.finish(&mut crowd, &ring)?;
    Ok((Usage { in_all: rounds.sent * load.clients as u64, ..usage }, rounds.latencies))
}

/// Which messages are on their way.
pub(super) struct Rounds {
    clients: usize,
    /// Sent, and had by all.
    sent: u64,
    done: u64,
    /// For each message on its way: when it was sent and how many have it.
    on_the_way: Vec<(Instant, usize)>,
    pub(super) latencies: Vec<Duration>,
}

impl Rounds {
    pub(super) fn new(clients: usize) -> Rounds {
        Rounds { clients, sent: 0, done: 0, on_the_way: vec![(Instant::now(), 0); RING], latencies: Vec::new() }
    }

    pub(super) fn send(&mut self, crowd: &mut Crowd, ring: &Ring, messages: usize) -> Result<()> {
        for _ in 0..messages {
            self.on_the_way[self.sent as usize % RING] = (Instant::now(), 0);
            self.sent += 1;
        }
        crowd.clients[0].send(ring, messages)
    }

    /// A client has the messages up to `received`, of which `messages` are new. Answers how many it was the last to get.
    pub(super) fn arrive(&mut self, received: u64, messages: usize) -> Result<usize> {
        if received > self.sent {
            bail!("a message was delivered twice");
        }
        let done = self.done;
        for message in received - messages as u64..received {
            let (sent_at, had_by) = &mut self.on_the_way[message as usize % RING];
            *had_by += 1;
            if *had_by == self.clients {
                self.latencies.push(sent_at.elapsed());
                self.done += 1;
            }
        }
        Ok((self.done - done) as usize)
    }

    fn run_for(&mut self, crowd: &mut Crowd, ring: &Ring, time: Duration) -> Result<u64> {
        let end = Instant::now() + time;
        let mut deliveries = 0;
        while Instant::now() < end {
            let mut next = 0;
            crowd.busy_turn(ring, |clients, number, messages| {
                deliveries += messages as u64;
                next += self.arrive(clients[number].received(ring), messages)?;
                Ok(())
            })?;
            if next > 0 {
                self.send(crowd, ring, next)?;
            }
        }
        Ok(deliveries)
    }

    /// Everybody must have everything in the end.
    fn finish(&mut self, crowd: &mut Crowd, ring: &Ring) -> Result<()> {
        while self.done < self.sent {
            crowd.busy_turn(ring, |clients, number, messages| {
                self.arrive(clients[number].received(ring), messages).map(|_| ())
            })?;
        }
        Ok(())
    }
}
