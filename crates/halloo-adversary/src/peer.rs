//! A client of an attacker: RFC 6455, implemented independently of `halloo-proto`, so that a mistake in one does not
//! hide a mistake in the other, and without any of its restrictions.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use socket2::{Domain, SockRef, Socket, Type};

pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;
/// The bit in the first byte of a frame that marks the last frame of a message.
pub(crate) const FIN: u8 = 0x80;

const KEY: [u8; 4] = [0x12, 0x34, 0x56, 0x78];
/// How long to wait for a response before the scenario fails.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(20);

/// A connection that sends exactly what the scenario asks for.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    received: Vec<u8>,
}

/// The result of waiting for a frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Received {
    Frame {
        opcode: u8,
        payload: Vec<u8>,
    },
    /// No complete frame arrived in time.
    Timeout,
    /// The connection was closed or reset.
    Closed,
}

impl Peer {
    /// Opens a TCP connection to a port of this machine and sends nothing.
    pub(crate) fn open(port: u16) -> io::Result<Peer> {
        Peer::open_at((Ipv4Addr::LOCALHOST, port).into())
    }

    pub(crate) fn open_at(addr: SocketAddr) -> io::Result<Peer> {
        Peer::on(TcpStream::connect_timeout(&addr, TIMEOUT)?)
    }

    fn on(stream: TcpStream) -> io::Result<Peer> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        // Closing resets the connection, so that a hundred thousand ports do not stay in TIME_WAIT.
        SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
        Ok(Peer { stream, received: Vec::new() })
    }

    /// Opens a connection to a port of this machine and completes the handshake.
    pub(crate) fn join(port: u16) -> Result<Peer> {
        Peer::join_at((Ipv4Addr::LOCALHOST, port).into())
    }

    pub(crate) fn join_at(addr: SocketAddr) -> Result<Peer> {
        Peer::open_at(addr).context("cannot connect")?.handshake("/", addr)
    }

    /// Opens a connection and completes the handshake for `path`.
    pub(crate) fn join_path(port: u16, path: &str) -> Result<Peer> {
        let addr = (Ipv4Addr::LOCALHOST, port).into();
        Peer::open_at(addr).context("cannot connect")?.handshake(path, addr)
    }

    /// Connects from a given address of this machine and completes the handshake.
    pub(crate) fn join_from(source: IpAddr, addr: SocketAddr) -> Result<Peer> {
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None)?;
        socket.bind(&SocketAddr::new(source, 0).into())?;
        socket.connect_timeout(&addr.into(), TIMEOUT).context("cannot connect")?;
        Peer::on(socket.into())?.handshake("/", addr)
    }

    fn handshake(mut self, path: &str, addr: SocketAddr) -> Result<Peer> {
        let peer = &mut self;
        peer.stream.write_all(request(path, &addr.to_string(), "").as_bytes())?;
        let head = peer.response()?;
        if !head.starts_with("HTTP/1.1 101") {
            bail!("the handshake was refused: {}", head.lines().next().unwrap_or_default());
        }
        Ok(self)
    }

    /// Reads the head of an HTTP response. The bytes after it are kept.
    pub(crate) fn response(&mut self) -> Result<String> {
        loop {
            if let Some(end) = self.received.windows(4).position(|four| four == b"\r\n\r\n") {
                let rest = self.received.split_off(end + 4);
                let head = std::mem::replace(&mut self.received, rest);
                return Ok(String::from_utf8_lossy(&head).into_owned());
            }
            let mut piece = [0; 4096];
            match self.stream.read(&mut piece).context("no response")? {
                0 => bail!("the connection was closed before the end of the response head"),
                count => self.received.extend_from_slice(&piece[..count]),
            }
        }
    }

    /// Reads some bytes: first those that arrived with the head of a response.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.received.is_empty() {
            return self.stream.read(buffer);
        }
        let count = self.received.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.received[..count]);
        self.received.drain(..count);
        Ok(count)
    }

    /// Reads until the connection is closed.
    pub(crate) fn read_to_end(mut self) -> Vec<u8> {
        // A reset counts as the end.
        let _ = self.stream.read_to_end(&mut self.received);
        self.received
    }

    pub(crate) fn send(&mut self, opcode: u8, payload: &[u8]) -> io::Result<()> {
        self.stream.write_all(&frame(FIN | opcode, payload))
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Reads the next frame within `timeout`. Pings are returned like all other frames.
    pub(crate) fn next(&mut self, timeout: Duration) -> Received {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some((opcode, start, end)) = parse(&self.received) {
                let rest = self.received.split_off(end);
                let frame = std::mem::replace(&mut self.received, rest);
                return Received::Frame { opcode, payload: frame[start..].to_vec() };
            }
            let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            if self.stream.set_read_timeout(Some(left)).is_err() {
                return Received::Closed;
            }
            let mut piece = [0; 64 * 1024];
            match self.stream.read(&mut piece) {
                Ok(0) => return Received::Closed,
                Ok(count) => self.received.extend_from_slice(&piece[..count]),
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    if Instant::now() >= deadline {
                        return Received::Timeout;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Received::Closed,
            }
        }
    }

    /// Reads until a close frame and returns its code (1005 without one); `None` if the connection ends first.
    pub(crate) fn close_code(&mut self, timeout: Duration) -> Option<u16> {
        let deadline = Instant::now() + timeout;
        loop {
            match self.next(deadline.saturating_duration_since(Instant::now())) {
                Received::Frame { opcode: CLOSE, payload } => {
                    return Some(payload.first_chunk().map_or(1005, |&code| u16::from_be_bytes(code)));
                }
                Received::Frame { .. } => {}
                Received::Timeout | Received::Closed => return None,
            }
        }
    }

    /// Sends a ping and returns the time until its pong.
    pub(crate) fn round_trip(&mut self, payload: &[u8]) -> Result<Duration> {
        let start = Instant::now();
        self.send(PING, payload).context("cannot send a ping")?;
        loop {
            match self.next(TIMEOUT) {
                Received::Frame { opcode: PONG, payload: pong } if pong == payload => return Ok(start.elapsed()),
                Received::Frame { opcode: PING, payload } => self.send(PONG, &payload)?,
                Received::Frame { opcode: CLOSE, .. } | Received::Closed => {
                    bail!("a well-behaved client was disconnected")
                }
                Received::Frame { .. } => {}
                Received::Timeout => bail!("no pong within {TIMEOUT:?}"),
            }
        }
    }

    /// Answers pings and drops messages for this long. Returns `false` if the connection was closed.
    pub(crate) fn answer_pings(&mut self, time: Duration) -> bool {
        let deadline = Instant::now() + time;
        loop {
            match self.next(deadline.saturating_duration_since(Instant::now())) {
                Received::Frame { opcode: PING, payload } => drop(self.send(PONG, &payload)),
                Received::Frame { opcode: CLOSE, payload } => {
                    let _ = self.send(CLOSE, &payload);
                    let _ = self.stream.shutdown(Shutdown::Write);
                    return false;
                }
                Received::Frame { .. } => {}
                Received::Timeout => return true,
                Received::Closed => return false,
            }
        }
    }
}

/// Returns an upgrade request. `extra` consists of complete header lines.
pub(crate) fn request(path: &str, host: &str, extra: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{extra}\r\n"
    )
}

/// Returns a masked frame with the given first byte.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    match payload.len() {
        length @ 0..=125 => out.push(0x80 | length as u8),
        length @ 126..=0xffff => {
            out.push(0x80 | 126);
            out.extend((length as u16).to_be_bytes());
        }
        length => {
            out.push(0x80 | 127);
            out.extend((length as u64).to_be_bytes());
        }
    }
    out.extend(KEY);
    out.extend(payload.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key));
    out
}

/// Parses the unmasked frame at the start of `bytes` and returns its opcode, and the start and end of its payload; `None`
/// while it is incomplete.
fn parse(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let &[first, length, ref rest @ ..] = bytes else { return None };
    let (length, start) = match length {
        126 => (usize::from(u16::from_be_bytes(*rest.first_chunk()?)), 4),
        127 => (usize::try_from(u64::from_be_bytes(*rest.first_chunk()?)).ok()?, 10),
        short => (usize::from(short), 2),
    };
    (bytes.len() >= start + length).then_some((first & 0x0f, start, start + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_have_the_lengths_of_rfc_6455() {
        assert_eq!(frame(0x81, b"Hi"), [0x81, 0x82, 0x12, 0x34, 0x56, 0x78, b'H' ^ 0x12, b'i' ^ 0x34]);
        assert_eq!(frame(0x82, &[0; 256])[..8], [0x82, 0xfe, 1, 0, 0x12, 0x34, 0x56, 0x78]);
        assert_eq!(frame(0x82, &[0; 65536])[..10], [0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0]);
        assert_eq!(parse(&[0x81, 2, b'H', b'i', 0x89]), Some((TEXT, 2, 4)));
        assert_eq!(parse(&[0x82, 126, 0, 130]), None);
        assert_eq!(parse(&[0x82]), None);
    }
}
