//! One client of the attacker: RFC 6455 written apart from the product, so that a mistake there does not cancel out
//! here, and free to break every rule of it.

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
/// Set in the first byte of a frame that ends its message.
pub(crate) const FIN: u8 = 0x80;

const KEY: [u8; 4] = [0x12, 0x34, 0x56, 0x78];
/// A server that takes longer to answer is taken as broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A socket that speaks as much of the protocol as it is told to.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    received: Vec<u8>,
}

/// What came of waiting for a frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Got {
    Frame {
        opcode: u8,
        payload: Vec<u8>,
    },
    /// Nothing within the time.
    Nothing,
    /// The end, or a reset.
    End,
}

impl Peer {
    /// Opens a socket and says nothing.
    pub(crate) fn open(port: u16) -> io::Result<Peer> {
        Peer::open_at((Ipv4Addr::LOCALHOST, port).into())
    }

    pub(crate) fn open_at(addr: SocketAddr) -> io::Result<Peer> {
        Peer::on(TcpStream::connect_timeout(&addr, PATIENCE)?)
    }

    fn on(stream: TcpStream) -> io::Result<Peer> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        // Closed with a reset, so that a hundred thousand ports do not lie waiting.
        SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
        Ok(Peer { stream, received: Vec::new() })
    }

    /// A client that has finished its handshake.
    pub(crate) fn join(port: u16) -> Result<Peer> {
        Peer::join_at((Ipv4Addr::LOCALHOST, port).into())
    }

    pub(crate) fn join_at(addr: SocketAddr) -> Result<Peer> {
        Peer::open_at(addr).context("cannot connect")?.shake_hands(addr)
    }

    /// The same from one of several addresses of this machine.
    pub(crate) fn join_from(source: IpAddr, addr: SocketAddr) -> Result<Peer> {
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None)?;
        socket.bind(&SocketAddr::new(source, 0).into())?;
        socket.connect_timeout(&addr.into(), PATIENCE).context("cannot connect")?;
        Peer::on(socket.into())?.shake_hands(addr)
    }

    fn shake_hands(mut self, addr: SocketAddr) -> Result<Peer> {
        let peer = &mut self;
        peer.stream.write_all(request("/", &addr.to_string(), "").as_bytes())?;
        let head = peer.response()?;
        if !head.starts_with("HTTP/1.1 101") {
            bail!("the handshake was refused: {}", head.lines().next().unwrap_or_default());
        }
        Ok(self)
    }

    /// The head of an HTTP response; what follows it is kept.
    pub(crate) fn response(&mut self) -> Result<String> {
        loop {
            if let Some(end) = self.received.windows(4).position(|four| four == b"\r\n\r\n") {
                let rest = self.received.split_off(end + 4);
                let head = std::mem::replace(&mut self.received, rest);
                return Ok(String::from_utf8_lossy(&head).into_owned());
            }
            let mut piece = [0; 4096];
            match self.stream.read(&mut piece).context("no answer")? {
                0 => bail!("hung up before the end of the answer"),
                count => self.received.extend_from_slice(&piece[..count]),
            }
        }
    }

    /// All that comes until the end.
    pub(crate) fn rest(mut self) -> Vec<u8> {
        // A reset ends it as well.
        let _ = self.stream.read_to_end(&mut self.received);
        self.received
    }

    pub(crate) fn send(&mut self, opcode: u8, payload: &[u8]) -> io::Result<()> {
        self.stream.write_all(&frame(FIN | opcode, payload))
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// The next frame within `timeout`. Pings are handed out like all others.
    pub(crate) fn next(&mut self, timeout: Duration) -> Got {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some((opcode, start, end)) = parse(&self.received) {
                let rest = self.received.split_off(end);
                let frame = std::mem::replace(&mut self.received, rest);
                return Got::Frame { opcode, payload: frame[start..].to_vec() };
            }
            let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            if self.stream.set_read_timeout(Some(left)).is_err() {
                return Got::End;
            }
            let mut piece = [0; 64 * 1024];
            match self.stream.read(&mut piece) {
                Ok(0) => return Got::End,
                Ok(count) => self.received.extend_from_slice(&piece[..count]),
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    if Instant::now() >= deadline {
                        return Got::Nothing;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Got::End,
            }
        }
    }

    /// Reads until the close frame and answers its code; `None` when the end comes without one.
    pub(crate) fn close_code(&mut self, timeout: Duration) -> Option<u16> {
        let deadline = Instant::now() + timeout;
        loop {
            match self.next(deadline.saturating_duration_since(Instant::now())) {
                Got::Frame { opcode: CLOSE, payload } => {
                    return Some(payload.first_chunk().map_or(1005, |&code| u16::from_be_bytes(code)));
                }
                Got::Frame { .. } => {}
                Got::Nothing | Got::End => return None,
            }
        }
    }

    /// Sends a ping and waits for its pong.
    pub(crate) fn round_trip(&mut self, payload: &[u8]) -> Result<Duration> {
        let begin = Instant::now();
        self.send(PING, payload).context("the server does not take a ping")?;
        loop {
            match self.next(PATIENCE) {
                Got::Frame { opcode: PONG, payload: answer } if answer == payload => return Ok(begin.elapsed()),
                Got::Frame { opcode: PING, payload } => self.send(PONG, &payload)?,
                Got::Frame { opcode: CLOSE, .. } | Got::End => bail!("a client that did nothing wrong was cut off"),
                Got::Frame { .. } => {}
                Got::Nothing => bail!("no pong within {PATIENCE:?}"),
            }
        }
    }

    /// Answers pings and drops messages for `span`; whether the connection is still there.
    pub(crate) fn linger(&mut self, span: Duration) -> bool {
        let deadline = Instant::now() + span;
        loop {
            match self.next(deadline.saturating_duration_since(Instant::now())) {
                Got::Frame { opcode: PING, payload } => drop(self.send(PONG, &payload)),
                Got::Frame { opcode: CLOSE, payload } => {
                    let _ = self.send(CLOSE, &payload);
                    let _ = self.stream.shutdown(Shutdown::Write);
                    return false;
                }
                Got::Frame { .. } => {}
                Got::Nothing => return true,
                Got::End => return false,
            }
        }
    }
}

/// An upgrade request; `extra` are whole header lines.
pub(crate) fn request(path: &str, host: &str, extra: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{extra}\r\n"
    )
}

/// A masked frame with this first byte.
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

/// Opcode, start and end of the payload of the whole, unmasked frame at the start of `bytes`.
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
    fn frames_are_those_of_the_rfc() {
        assert_eq!(frame(0x81, b"Hi"), [0x81, 0x82, 0x12, 0x34, 0x56, 0x78, b'H' ^ 0x12, b'i' ^ 0x34]);
        assert_eq!(frame(0x82, &[0; 256])[..8], [0x82, 0xfe, 1, 0, 0x12, 0x34, 0x56, 0x78]);
        assert_eq!(frame(0x82, &[0; 65536])[..10], [0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0]);
        assert_eq!(parse(&[0x81, 2, b'H', b'i', 0x89]), Some((TEXT, 2, 4)));
        assert_eq!(parse(&[0x82, 126, 0, 130]), None);
        assert_eq!(parse(&[0x82]), None);
    }
}
