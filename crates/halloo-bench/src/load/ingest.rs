//! Clients that send as fast as the server reads. The application counts the messages and reports the count in the end.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use mio::{Events, Interest, Poll, Token};
use socket2::SockRef;

use super::connect::connect_plain;
use super::meter::{Meter, Usage};
use super::ring::Ring;
use super::target::{Protocol, Target};
use super::wire;

/// The text message that asks how many binary messages arrived so far from all clients.
const COUNT_REQUEST: &[u8] = b"count";
/// Bytes per write.
const WRITE: usize = 64 * 1024;

/// The send buffer of a client in bytes: enough for any rate on one machine. By default, the kernel buffers megabytes,
/// which a slow server would need minutes to read from a hundred clients.
const SEND_BUFFER: usize = 256 * 1024;
/// How long the application may take for what is in the buffers of the kernel.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The shape of the load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ingest {
    pub(crate) clients: usize,
    pub(crate) size: usize,
    pub(crate) time: Duration,
}

/// Runs the load until the application has counted the last message.
pub(crate) fn ingest(target: &Target, load: &Ingest) -> Result<Usage> {
    let messages = (WRITE / load.size).max(2);
    let ring = Ring::new(target.protocol, load.size, messages);
    let mut senders = connect_plain(target, load.clients)?.into_iter().map(Sender::new).collect::<Result<Vec<_>>>()?;
    let before = match target.protocol {
        Protocol::WebSocket => request_count(&mut connect_plain(target, 1)?[0])?,
        Protocol::Tcp => 0,
    };
    let meter = Meter::start(target.pid);
    send_for(&mut senders, &ring, load.time)?;
    let mut sent = 0;
    for sender in &mut senders {
        sent += sender.finish(&ring)?;
    }
    let mut counted = 0;
    for sender in &mut senders {
        match target.protocol {
            Protocol::WebSocket => counted = counted.max(read_count(&mut sender.blocking)? - before),
            Protocol::Tcp => counted += sender.read_bytes()? / ring.request_length as u64,
        }
    }
    let usage = meter.stop(counted);
    if counted != sent {
        bail!("{sent} messages were sent and {counted} received");
    }
    Ok(usage)
}

fn send_for(senders: &mut [Sender], ring: &Ring, time: Duration) -> Result<()> {
    let mut poll = Poll::new()?;
    for (number, sender) in senders.iter_mut().enumerate() {
        poll.registry().register(&mut sender.stream, Token(number), Interest::WRITABLE)?;
    }
    let mut events = Events::with_capacity(1024);
    let mut writable: Vec<usize> = (0..senders.len()).collect();
    let end = Instant::now() + time;
    while Instant::now() < end {
        // One write per client in turn, so that all of them make progress.
        let mut still = Vec::with_capacity(writable.len());
        for number in writable {
            if senders[number].write(ring)? {
                still.push(number);
            }
        }
        writable = still;
        let timeout = if writable.is_empty() { Duration::from_millis(10) } else { Duration::ZERO };
        poll.poll(&mut events, Some(timeout))?;
        writable.extend(events.iter().map(|event| event.token().0));
        writable.sort_unstable();
        writable.dedup();
    }
    Ok(())
}

struct Sender {
    stream: mio::net::TcpStream,
    /// Another handle of the same socket, which is in blocking mode in the end.
    blocking: TcpStream,
    at: usize,
    bytes: u64,
}

impl Sender {
    fn new(stream: TcpStream) -> Result<Sender> {
        SockRef::from(&stream).set_send_buffer_size(SEND_BUFFER)?;
        let blocking = stream.try_clone()?;
        blocking.set_read_timeout(Some(TIMEOUT))?;
        stream.set_nonblocking(true)?;
        Ok(Sender { stream: mio::net::TcpStream::from_std(stream), blocking, at: 0, bytes: 0 })
    }

    /// Writes once. Returns `false` if the socket accepts nothing.
    fn write(&mut self, ring: &Ring) -> Result<bool> {
        match self.stream.write(ring.requests(self.at, ring.requests_length())) {
            Ok(count) => {
                self.at = (self.at + count) % ring.requests_length();
                self.bytes += count as u64;
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error).context("cannot send to the server"),
        }
    }

    /// Sends the rest of the last message and the request for the count. Returns how many messages were sent.
    fn finish(&mut self, ring: &Ring) -> Result<u64> {
        self.blocking.set_nonblocking(false)?;
        let rest = (ring.request_length - self.at % ring.request_length) % ring.request_length;
        self.blocking.write_all(ring.requests(self.at, rest))?;
        self.bytes += rest as u64;
        match ring.protocol {
            Protocol::Tcp => self.blocking.shutdown(Shutdown::Write)?,
            Protocol::WebSocket => self.blocking.write_all(&count_request())?,
        }
        Ok(self.bytes / ring.request_length as u64)
    }

    /// Reads the number of bytes that the raw TCP server received.
    fn read_bytes(&mut self) -> Result<u64> {
        let mut reply = Vec::new();
        self.blocking.read_to_end(&mut reply).context("the server reported no count")?;
        parse(&reply)
    }
}

fn count_request() -> Vec<u8> {
    let mut request = Vec::new();
    wire::encode(&mut request, wire::TEXT, COUNT_REQUEST, Some([1, 2, 3, 4]));
    request
}

/// Asks how many binary messages the application has received since its start.
fn request_count(stream: &mut TcpStream) -> Result<u64> {
    stream.write_all(&count_request())?;
    read_count(stream)
}

/// Reads the reply of the application: a number as text.
fn read_count(stream: &mut TcpStream) -> Result<u64> {
    let mut received = Vec::new();
    loop {
        let mut buffer = [0; 256];
        let count = stream.read(&mut buffer).context("the application reported no count")?;
        if count == 0 {
            bail!("the server closed the connection");
        }
        received.extend_from_slice(&buffer[..count]);
        while let Some((opcode, payload, length)) = wire::short_frame(&received)? {
            if opcode == wire::TEXT {
                return parse(payload);
            }
            received.drain(..length);
        }
    }
}

fn parse(digits: &[u8]) -> Result<u64> {
    let text = String::from_utf8_lossy(digits);
    text.parse().with_context(|| format!("{text:?} is not a count"))
}
