//! Opens many connections.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use socket2::SockRef;

use super::link::Link;
use super::target::{Protocol, Target};
use super::wire;

/// Handshakes at the same time: enough to keep a server busy, fewer than any listen backlog.
const AT_ONCE: usize = 100;
/// How long a server may take to connect or respond.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Opens `count` connections without TLS and completes their handshakes. The sockets are in blocking mode.
pub(crate) fn connect_plain(target: &Target, count: usize) -> Result<Vec<TcpStream>> {
    ensure!(!target.secure, "this load has no TLS");
    Ok(connect(target, count)?.into_iter().map(Link::into_socket).collect())
}

/// Opens `count` connections and completes their handshakes. The sockets are in blocking mode.
pub(crate) fn connect(target: &Target, count: usize) -> Result<Vec<Link<TcpStream>>> {
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

fn open(target: &Target) -> Result<Link<TcpStream>> {
    let stream = TcpStream::connect_timeout(&target.addr, TIMEOUT).context("cannot connect")?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    // Closing resets the connection, so that thousands of ports do not stay in TIME_WAIT between runs.
    SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
    Ok(Link::new(stream, target)?)
}

fn read_response(stream: &mut Link<TcpStream>) -> Result<()> {
    let mut response = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        match stream.read(&mut buffer).context("no response to the handshake")? {
            0 => bail!("the server closed the connection during the handshake"),
            count => response.extend_from_slice(&buffer[..count]),
        }
        if wire::check_response(&response)? {
            return Ok(());
        }
    }
}
