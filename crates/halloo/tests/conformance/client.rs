//! A client that sends what it is told, right or wrong, and reads strictly.

use std::fmt;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
/// Long enough for a loaded machine; no test waits for it unless it fails.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) const FIN: u8 = 0x80;
pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CONTINUATION: u8 = 0;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// A frame by its first byte and its payload; or bytes that are none.
#[derive(Clone, PartialEq)]
pub(crate) enum Frame {
    Whole(u8, Vec<u8>),
    Raw(Vec<u8>),
}

impl Frame {
    /// The code of a close frame.
    pub(crate) fn code(&self) -> Option<u16> {
        match self {
            Frame::Whole(0x88, payload) => payload.first_chunk().map(|&code| u16::from_be_bytes(code)),
            _ => None,
        }
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, payload) = match self {
            Frame::Whole(first, payload) => (*first, payload),
            Frame::Raw(bytes) => (0, bytes),
        };
        write!(f, "{first:02x} with {} bytes {:02x?}", payload.len(), &payload[..payload.len().min(16)])
    }
}

pub(crate) fn frame(first: u8, payload: impl AsRef<[u8]>) -> Frame {
    Frame::Whole(first, payload.as_ref().to_vec())
}

pub(crate) fn text(payload: impl AsRef<[u8]>) -> Frame {
    frame(FIN | TEXT, payload)
}

pub(crate) fn binary(payload: impl AsRef<[u8]>) -> Frame {
    frame(FIN | BINARY, payload)
}

pub(crate) fn ping(payload: impl AsRef<[u8]>) -> Frame {
    frame(FIN | PING, payload)
}

pub(crate) fn pong(payload: impl AsRef<[u8]>) -> Frame {
    frame(FIN | PONG, payload)
}

pub(crate) fn close(code: u16, reason: impl AsRef<[u8]>) -> Frame {
    frame(FIN | CLOSE, [&code.to_be_bytes(), reason.as_ref()].concat())
}

/// Bytes as they stand.
pub(crate) fn raw(bytes: impl AsRef<[u8]>) -> Frame {
    Frame::Raw(bytes.as_ref().to_vec())
}

/// The header of a masked frame, whose payload may or may not come.
pub(crate) fn header(first: u8, length: u64) -> Vec<u8> {
    let mut out = vec![first];
    match length {
        0..126 => out.push(0x80 | length as u8),
        126..65536 => {
            out.push(0x80 | 126);
            out.extend((length as u16).to_be_bytes());
        }
        _ => {
            out.push(0x80 | 127);
            out.extend(length.to_be_bytes());
        }
    }
    out.extend(KEY);
    out
}

/// `payload`, masked, to stand behind a [`header`].
pub(crate) fn masked(payload: &[u8]) -> Vec<u8> {
    payload.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key).collect()
}

/// The frames as a client sends them.
pub(crate) fn wire(frames: &[Frame]) -> Vec<u8> {
    let mut out = Vec::new();
    for frame in frames {
        match frame {
            Frame::Raw(bytes) => out.extend(bytes),
            Frame::Whole(first, payload) => {
                out.extend(header(*first, payload.len() as u64));
                out.extend(masked(payload));
            }
        }
    }
    out
}

/// A connection past its handshake.
pub(crate) struct Client {
    stream: TcpStream,
    /// What came behind the answer to the handshake.
    behind: Vec<u8>,
}

/// The head of a handshake, with more headers when there are some.
pub(crate) fn request(port: u16, more: &str) -> Vec<u8> {
    format!(
        "GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{more}\r\n"
    )
    .into_bytes()
}

impl Client {
    pub(crate) fn connect(port: u16) -> Client {
        Client::open(port, &request(port, "")).0
    }

    /// Sends `first`, which begins with a request head, and answers the client and the head that came back.
    pub(crate) fn open(port: u16, first: &[u8]) -> (Client, String) {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(first).unwrap();
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).expect("an answer to the handshake");
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        (Client { stream, behind: Vec::new() }, head)
    }

    /// Writes `bytes` in pieces while it reads, to the end that the server makes.
    pub(crate) fn play(mut self, bytes: &[u8], piece: usize) -> Vec<Frame> {
        let mut writer = self.stream.try_clone().unwrap();
        let mut got = std::mem::take(&mut self.behind);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for piece in bytes.chunks(piece) {
                    writer.write_all(piece).expect("the server reads to the end");
                }
            });
            self.stream.read_to_end(&mut got).expect("a clean end, within time");
        });
        frames(&got)
    }

    pub(crate) fn write(&mut self, frames: &[Frame]) {
        self.stream.write_all(&wire(frames)).unwrap();
    }

    /// Reads the next frame.
    pub(crate) fn read(&mut self) -> Frame {
        loop {
            if let Some((frame, length)) = first_frame(&self.behind) {
                self.behind.drain(..length);
                return frame;
            }
            let mut buffer = [0; 4096];
            let count = self.stream.read(&mut buffer).expect("a frame, within time");
            assert!(count > 0, "the server hung up");
            self.behind.extend(&buffer[..count]);
        }
    }

    /// Reads to the end, where nothing but the end may come.
    pub(crate) fn ends(mut self) {
        assert!(self.behind.is_empty());
        assert_eq!(self.stream.read(&mut [0]).expect("a clean end, within time"), 0);
    }
}

/// The frames of a server, of which every byte must be accounted for.
fn frames(mut bytes: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let (frame, length) = first_frame(bytes).expect("whole frames only");
        frames.push(frame);
        bytes = &bytes[length..];
    }
    frames
}

fn first_frame(bytes: &[u8]) -> Option<(Frame, usize)> {
    let [first, second, rest @ ..] = bytes else { return None };
    assert_eq!(second & 0x80, 0, "a server does not mask");
    let (length, extended) = match second {
        126 => (u64::from(u16::from_be_bytes(*rest.first_chunk()?)), 2),
        127 => (u64::from_be_bytes(*rest.first_chunk()?), 8),
        _ => (u64::from(*second), 0),
    };
    let shortest = [0, 126, 65536][[0, 2, 8].iter().position(|&bytes| bytes == extended).unwrap()];
    assert!(length >= shortest, "the shortest form of the length");
    let payload = rest.get(extended..extended + length as usize)?;
    Some((frame(*first, payload), 2 + extended + payload.len()))
}
