//! Clients that send nothing.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::connect::connect;
use super::meter::Meter;
use super::pool::ClientPool;
use super::ring::Ring;
use super::target::Target;
use crate::machine;

/// How long a server gets after the last handshake to free what it needed for them.
const SETTLE: Duration = Duration::from_millis(300);

/// Returns the growth of the resident size of the server per client, in bytes.
pub(crate) fn memory(target: &Target, clients: usize) -> Result<f64> {
    let pid = target.pid.context("the server must be a process of its own")?;
    // The first client causes one-time allocations, which are not part of the cost of each client.
    drop(connect(target, 1)?);
    std::thread::sleep(SETTLE);
    let before = machine::resident(pid).context("cannot read the resident size")?;
    let ring = Ring::new(target.protocol, 64, 2);
    let mut pool = ClientPool::connect(target, &ring, clients, |_| 0)?;
    wait(&mut pool, &ring, SETTLE)?;
    let after = machine::resident(pid).context("the server has ended")?;
    Ok((after as f64 - before as f64) / clients as f64)
}

/// Returns the share of a core that the server uses while `clients` are idle, in percent.
pub(crate) fn cpu_percent(target: &Target, clients: usize, time: Duration) -> Result<f64> {
    let ring = Ring::new(target.protocol, 64, 2);
    let mut pool = ClientPool::connect(target, &ring, clients, |_| 0)?;
    wait(&mut pool, &ring, SETTLE)?;
    let meter = Meter::start(target.pid);
    wait(&mut pool, &ring, time)?;
    let usage = meter.stop(0);
    let server = usage.server.context("cannot read the CPU time of the server")?;
    Ok(100.0 * server.as_secs_f64() / usage.elapsed.as_secs_f64())
}

/// Waits for `time` and answers pings meanwhile.
fn wait(pool: &mut ClientPool, ring: &Ring, time: Duration) -> Result<()> {
    let end = Instant::now() + time;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        pool.poll_once(ring, left, |_, _, _| anyhow::bail!("an unexpected message"))?;
    }
}
