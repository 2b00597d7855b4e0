//! The reference reader, `tungstenite`, and its comparison with the codec. The fuzz target `frames` uses it, too.
//!
//! Both readers must agree on every message, and on every violation that RFC 6455 requires to be refused, with five
//! exceptions:
//! 1. A length that is not in its shortest form is refused here, because section 5.2 requires the shortest form.
//! 2. A header that violates a rule and announces too many bytes, or a length with its top bit set, is 1002 here, as
//!    section 5.2 requires; the reference checks the size first.
//! 3. Close code 1014, which was registered with IANA after the RFC, is accepted here, but not by the reference.
//! 4. A forbidden close code with a reason that is not UTF-8 is 1002 here and 1007 there; both are correct.
//! 5. This crate decides by the header, and by the first bytes that are not UTF-8; the reference when the frame is
//!    complete. So this crate may refuse while the reference still waits.

use std::io::{self, Read, Write};

use halloo_proto::frame::Role;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Error, Message, WebSocket, protocol};

use crate::reading::{MAX_MESSAGE_BYTES, Seen};

/// A connection without a network: reads return the given bytes and then would block, writes are stored.
#[derive(Default)]
pub(crate) struct Wire {
    incoming: io::Cursor<Vec<u8>>,
    pub(crate) written: Vec<u8>,
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.incoming.read(buffer)? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            count => Ok(count),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) fn socket(role: Role, incoming: &[u8]) -> WebSocket<Wire> {
    let role = match role {
        Role::Server => protocol::Role::Server,
        Role::Client => protocol::Role::Client,
    };
    let limits = WebSocketConfig::default()
        .read_buffer_size(4096)
        .max_message_size(Some(MAX_MESSAGE_BYTES))
        .max_frame_size(Some(MAX_MESSAGE_BYTES));
    let wire = Wire { incoming: io::Cursor::new(incoming.to_vec()), written: Vec::new() };
    WebSocket::from_raw_socket(wire, role, Some(limits))
}

/// Reads `bytes` with `tungstenite`, up to a close frame or a violation.
pub(crate) fn read_with_reference(role: Role, bytes: &[u8]) -> Vec<Seen> {
    let mut socket = socket(role, bytes);
    let mut seen = Vec::new();
    loop {
        seen.push(match socket.read() {
            Ok(Message::Text(text)) => Seen::Text(text.to_string()),
            Ok(Message::Binary(bytes)) => Seen::Binary(bytes.to_vec()),
            Ok(Message::Ping(payload)) => Seen::Ping(payload.to_vec()),
            Ok(Message::Pong(payload)) => Seen::Pong(payload.to_vec()),
            Ok(Message::Close(close)) => {
                seen.push(close.map_or(Seen::Close(None, String::new()), |close| {
                    if close.reason.as_str() == "Protocol violation" {
                        return Seen::Refused(1002, "the close code may not be sent".into());
                    }
                    Seen::Close(Some(close.code.into()), close.reason.to_string())
                }));
                return seen;
            }
            Ok(Message::Frame(_)) => unreachable!("only for writing"),
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => return seen,
            Err(error) => {
                let code = match error {
                    Error::Protocol(_) => 1002,
                    Error::Utf8(_) => 1007,
                    Error::Capacity(_) => 1009,
                    ref other => panic!("{other}"),
                };
                seen.push(Seen::Refused(code, error.to_string()));
                return seen;
            }
        });
    }
}

/// Returns whether the two results agree, apart from the exceptions above.
pub(crate) fn agree(ours: &[Seen], theirs: &[Seen]) -> bool {
    let common = ours.iter().zip(theirs).take_while(|(a, b)| a == b).count();
    match (&ours[common..], &theirs[common..]) {
        ([], []) => true,
        ([Seen::Refused(1002, why)], _) if why.contains("shortest form") => true,
        // A short control frame with its length in a long form.
        (
            [Seen::Refused(1002, why)],
            [Seen::Ping(_) | Seen::Pong(_) | Seen::Close(..) | Seen::Refused(1007, _), ..],
        ) if why.contains("at most 125 bytes") => true,
        ([Seen::Refused(1002, _)], [Seen::Refused(1009, _)]) => true,
        ([Seen::Close(Some(1014), _)], [Seen::Refused(1002, _)]) => true,
        ([Seen::Refused(1002, why)], [Seen::Refused(1007, _)]) => why.contains("close code"),
        ([Seen::Refused(..)], []) => true,
        ([Seen::Refused(ours, _)], [Seen::Refused(theirs, _)]) => ours == theirs,
        _ => false,
    }
}
