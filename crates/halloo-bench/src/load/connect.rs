//! Opening many connections.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use socket2::SockRef;

use super::wire;
use super::{Protocol, Target};

/// Connections that shake hands at the same time: enough to keep a server busy, fewer than any backlog.
const AT_ONCE: usize = 100;
/// A server that takes longer to answer is taken as broken.
const PATIENCE: Duration = Duration::from_secs(10);

/// Opens `count` connections that have finished their handshake. They still block.
pub(crate) fn connect(target: &Target, count: usize) -> Result<Vec<TcpStream>> {
    let mut streams = Vec::with_capacity(count);
    while streams.len() < count {
        let at_once = AT_ONCE.min(count - streams.len());
        let mut group = (0..at_once).map(|_| open(target)).collect::<Result<Vec<_>>>()?;
        if target.protocol == Protocol::WebSocket {
            let request = wire::request(target.addr.port());
            for stream in &mut group {
                stream.write_all(request.as_bytes())?;
            }
            for stream in &mut group {
                read_response(stream)?;
            }
        }
        streams.append(&mut group);
    }
    Ok(streams)
}

fn open(target: &Target) -> Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&target.addr, PATIENCE).context("cannot connect")?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    // Closed with a reset, so that thousands of ports do not lie waiting between two runs.
    SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
    Ok(stream)
}

fn read_response(stream: &mut TcpStream) -> Result<()> {
    let mut response = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        match stream.read(&mut buffer).context("no answer to the handshake")? {
            0 => bail!("the server hung up during the handshake"),
            count => response.extend_from_slice(&buffer[..count]),
        }
        if wire::check_response(&response)? {
            return Ok(());
        }
    }
}
