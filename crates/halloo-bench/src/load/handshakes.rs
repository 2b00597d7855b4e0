//! Clients that connect and disconnect.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::connect::connect_plain;
use super::meter::{Meter, Usage};
use super::target::{Protocol, Target};
use super::wire;

/// Clients that connect at the same time: few enough for every listen backlog.
const GROUP: usize = 100;

/// Opens and resets connections for `time`, and returns the usage with handshakes as messages.
pub(crate) fn handshakes(target: &Target, time: Duration) -> Result<Usage> {
    connect_group(target)?;
    let meter = Meter::start(target.pid);
    let end = Instant::now() + time;
    let mut count = 0;
    while Instant::now() < end {
        count += connect_group(target)?;
    }
    Ok(meter.stop(count))
}

fn connect_group(target: &Target) -> Result<u64> {
    let mut streams = connect_plain(target, GROUP)?;
    if target.protocol == Protocol::Tcp {
        // As many bytes and turns as a handshake: the server returns the request.
        let request = wire::request(target.addr.port());
        let mut reply = vec![0; request.len()];
        for stream in &mut streams {
            stream.write_all(request.as_bytes())?;
        }
        for stream in &mut streams {
            stream.read_exact(&mut reply)?;
            if reply != request.as_bytes() {
                bail!("a wrong reply: {}", reply.escape_ascii());
            }
        }
    }
    Ok(streams.len() as u64)
}
