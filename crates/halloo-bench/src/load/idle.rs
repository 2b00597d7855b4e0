//! Clients that say nothing.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::crowd::Crowd;
use super::meter::Meter;
use super::ring::Ring;
use super::{Target, connect};
use crate::machine;

/// After the last handshake, until a server has put away what it needed for them.
const SETTLE: Duration = Duration::from_millis(300);

/// Bytes by which the server's resident size grows for each of `clients`.
pub(crate) fn memory(target: &Target, clients: usize) -> Result<f64> {
    let pid = target.pid.context("a server of its own is needed")?;
    // What the first client alone costs is not a cost for each.
    drop(connect(target, 1)?);
    std::thread::sleep(SETTLE);
    let before = machine::resident(pid).context("the system does not tell the resident size")?;
    let ring = Ring::new(target.protocol, 64, 2);
    let mut crowd = Crowd::connect(target, &ring, clients, |_| 0)?;
    rest(&mut crowd, &ring, SETTLE)?;
    let after = machine::resident(pid).context("the server is gone")?;
    Ok((after as f64 - before as f64) / clients as f64)
}

/// The part of one core that the server needs while `clients` say nothing, in percent.
pub(crate) fn processor(target: &Target, clients: usize, time: Duration) -> Result<f64> {
    let ring = Ring::new(target.protocol, 64, 2);
    let mut crowd = Crowd::connect(target, &ring, clients, |_| 0)?;
    rest(&mut crowd, &ring, SETTLE)?;
    let meter = Meter::start(target.pid);
    rest(&mut crowd, &ring, time)?;
    let usage = meter.stop(0);
    let server = usage.server.context("the system does not tell the server's processor time")?;
    Ok(100.0 * server.as_secs_f64() / usage.elapsed.as_secs_f64())
}

/// Lets time pass, answering pings.
fn rest(crowd: &mut Crowd, ring: &Ring, time: Duration) -> Result<()> {
    let end = Instant::now() + time;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        crowd.turn(ring, left, |_, _, _| anyhow::bail!("a message that nobody asked for"))?;
    }
}
