//! Clients that come and go.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::meter::{Meter, Usage};
use super::{Protocol, Target, connect, wire};

/// Clients that come together: few enough for every backlog.
const GROUP: usize = 100;

/// Opens and resets connections for `time`; the usage counts handshakes as messages.
pub(crate) fn handshakes(target: &Target, time: Duration) -> Result<Usage> {
    come_and_go(target)?;
    let meter = Meter::start(target.pid);
    let end = Instant::now() + time;
    let mut count = 0;
    while Instant::now() < end {
        count += come_and_go(target)?;
    }
    Ok(meter.stop(count))
}

fn come_and_go(target: &Target) -> Result<u64> {
    let mut streams = connect(target, GROUP)?;
    if target.protocol == Protocol::Tcp {
        // As many bytes and turns as a handshake has: the request is returned.
        let request = wire::request(target.addr.port());
        let mut answer = vec![0; request.len()];
        for stream in &mut streams {
            stream.write_all(request.as_bytes())?;
        }
        for stream in &mut streams {
            stream.read_exact(&mut answer)?;
            if answer != request.as_bytes() {
                bail!("a wrong answer: {}", answer.escape_ascii());
            }
        }
    }
    Ok(streams.len() as u64)
}
