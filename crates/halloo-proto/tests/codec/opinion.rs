//! A second reader, `tungstenite`, and whether the two agree. The fuzzer of frames uses it, too.
//!
//! Both readers must agree on every message, and on every refusal that RFC 6455 demands, but for five differences:
//! 1. A length not in its shortest form: refused here, for section 5.2 says that the shortest must be used.
//! 2. A header that breaks a rule and announces too much, or a length with its top bit set: 1002 here, which section
//!    5.2 demands, too large there, which is judged first.
//! 3. Close code 1014: registered with IANA after the RFC, so let through here, and not there.
//! 4. A close code that may not be sent with a reason that is not UTF-8: 1002 here, 1007 there, either being right.
//! 5. This crate judges by the header, and by the first bytes that cannot become UTF-8; the other when the frame is
//!    there. So it may refuse while the other still waits.

use std::io::{self, Read, Write};

use halloo_proto::frame::Role;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Error, Message, WebSocket, protocol};

use crate::reading::{MAX_MESSAGE_BYTES, Seen};

/// A connection without a network: reads what is there, then would block, and keeps what is written.
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

/// What tungstenite reads in `bytes`, up to a close or a refusal.
pub(crate) fn opinion(role: Role, bytes: &[u8]) -> Vec<Seen> {
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
            Ok(Message::Frame(_)) => unreachable!("only ever written"),
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

/// Whether the two readings agree but for the differences named above.
pub(crate) fn agree(ours: &[Seen], theirs: &[Seen]) -> bool {
    let same = ours.iter().zip(theirs).take_while(|(a, b)| a == b).count();
    match (&ours[same..], &theirs[same..]) {
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
