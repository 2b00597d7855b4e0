//! Latencies of clients that all send, either at a steady rate or as soon as they have their reply.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::pool::{ClientPool, TIMEOUT};
use super::ring::Ring;
use super::target::Target;

const SIZE: usize = 64;
/// Messages in the ring: more than are ever in flight.
const RING: usize = 256;

/// The shape of the load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Steady {
    pub(crate) clients: usize,
    /// Messages per second of each client; `None` to send when the reply has arrived.
    pub(crate) rate: Option<u32>,
}

/// Connected clients, which are measured several times.
pub(crate) struct SteadyClients {
    load: Steady,
    ring: Ring,
    pool: ClientPool,
    /// When the messages in flight were sent, by client.
    sent: Vec<VecDeque<Instant>>,
}

impl SteadyClients {
    pub(crate) fn connect(target: &Target, load: Steady) -> Result<SteadyClients> {
        let ring = Ring::new(target.protocol, SIZE, RING);
        let pool = ClientPool::connect(target, &ring, load.clients, |number| number * 5)?;
        Ok(SteadyClients { load, ring, pool, sent: vec![VecDeque::new(); load.clients] })
    }

    /// Sends for `time`, and returns how long each reply took. Everything that was sent has its reply then.
    pub(crate) fn run(&mut self, time: Duration) -> Result<Vec<Duration>> {
        let mut latencies = Vec::new();
        let (start, clients) = (Instant::now(), self.load.clients as u64);
        let interval = self.load.rate.map(|rate| Duration::from_secs(1) / rate / self.load.clients as u32);
        let mut total = 0_u64;
        if interval.is_none() {
            (0..self.load.clients).try_for_each(|number| self.send(number))?;
        }
        while start.elapsed() < time {
            let Some(interval) = interval else {
                self.receive(TIMEOUT, &mut latencies, true)?;
                continue;
            };
            while start.elapsed() >= interval * u32::try_from(total).context("too many messages")? {
                // One client after the other, evenly distributed over time, as independent clients would send.
                self.send((total % clients) as usize)?;
                total += 1;
            }
            self.receive(Duration::from_millis(1), &mut latencies, false)?;
        }
        let end = Instant::now();
        while self.sent.iter().any(|sent| !sent.is_empty()) {
            ensure!(end.elapsed() < TIMEOUT, "a reply is missing");
            self.receive(TIMEOUT, &mut latencies, false)?;
        }
        Ok(latencies)
    }

    fn send(&mut self, number: usize) -> Result<()> {
        ensure!(self.sent[number].len() < RING, "the server does not keep up");
        self.sent[number].push_back(Instant::now());
        self.pool.clients[number].send(&self.ring, 1)
    }

    /// Receives what arrives within `timeout`, and sends another message for each if it `continues`.
    fn receive(&mut self, timeout: Duration, latencies: &mut Vec<Duration>, continues: bool) -> Result<()> {
        let (ring, sent) = (&self.ring, &mut self.sent);
        self.pool.poll_once(ring, timeout, |clients, number, messages| {
            for _ in 0..messages {
                latencies.push(sent[number].pop_front().context("a reply to no message")?.elapsed());
            }
            if continues {
                for _ in 0..messages {
                    sent[number].push_back(Instant::now());
                }
                clients[number].send(ring, messages)?;
            }
            Ok(())
        })?;
        Ok(())
    }
}
