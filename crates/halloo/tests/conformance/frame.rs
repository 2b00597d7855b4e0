//! Frames, valid or not, as a client sends them, and those of a server, read strictly.

use std::fmt;

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

pub(crate) const FIN: u8 = 0x80;
pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CONTINUATION: u8 = 0;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// A frame, or bytes that are none.
#[derive(Clone, PartialEq)]
pub(crate) enum Frame {
    /// A frame by its first byte and its payload.
    Whole(u8, Vec<u8>),
    Raw(Vec<u8>),
}

impl Frame {
    /// Returns the code of a close frame.
    pub(crate) fn close_code(&self) -> Option<u16> {
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

/// Returns bytes that are sent unchanged.
pub(crate) fn raw(bytes: impl AsRef<[u8]>) -> Frame {
    Frame::Raw(bytes.as_ref().to_vec())
}

/// Returns the header of a masked frame, whose payload may follow or not.
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

/// Returns the masked payload for a [`header`].
pub(crate) fn masked(payload: &[u8]) -> Vec<u8> {
    payload.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key).collect()
}

/// Returns the bytes of frames from a client.
pub(crate) fn encode(frames: &[Frame]) -> Vec<u8> {
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

/// Returns the frames from a server. Every byte must belong to one.
pub(crate) fn decode(mut bytes: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let (frame, length) = decode_first(bytes).expect("whole frames only");
        frames.push(frame);
        bytes = &bytes[length..];
    }
    frames
}

/// Returns the first frame from a server and its length, or `None` if it is incomplete.
pub(crate) fn decode_first(bytes: &[u8]) -> Option<(Frame, usize)> {
    let [first, second, rest @ ..] = bytes else { return None };
    assert_eq!(second & 0x80, 0, "a server must not mask");
    let (length, extended) = match second {
        126 => (u64::from(u16::from_be_bytes(*rest.first_chunk()?)), 2),
        127 => (u64::from_be_bytes(*rest.first_chunk()?), 8),
        _ => (u64::from(*second), 0),
    };
    let shortest = [0, 126, 65536][[0, 2, 8].iter().position(|&bytes| bytes == extended).unwrap()];
    assert!(length >= shortest, "the length must have its shortest form");
    let payload = rest.get(extended..extended + length as usize)?;
    Some((frame(*first, payload), 2 + extended + payload.len()))
}
