//! What `tungstenite` makes of the same bytes: of what this crate writes, of what it writes itself, and of damage.
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

use halloo_proto::close::CloseCode;
use halloo_proto::frame::{Opcode, Role, encode, encode_close};
use proptest::prelude::*;
use tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tungstenite::{Bytes, Error, Message, WebSocket, protocol};

use crate::traffic::{Frame, MESSAGE_SIZE, Seen, broken, read, role, sound, wire};

/// A connection without a network: reads what is there, then would block, and keeps what is written.
#[derive(Default)]
struct Wire {
    incoming: io::Cursor<Vec<u8>>,
    written: Vec<u8>,
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

fn socket(role: Role, incoming: &[u8]) -> WebSocket<Wire> {
    let role = match role {
        Role::Server => protocol::Role::Server,
        Role::Client => protocol::Role::Client,
    };
    let limits = WebSocketConfig::default().max_message_size(Some(MESSAGE_SIZE)).max_frame_size(Some(MESSAGE_SIZE));
    let wire = Wire { incoming: io::Cursor::new(incoming.to_vec()), written: Vec::new() };
    WebSocket::from_raw_socket(wire, role, Some(limits))
}

/// What tungstenite reads in `bytes`, up to a close or a refusal.
fn opinion(role: Role, bytes: &[u8]) -> Vec<Seen> {
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
fn agree(ours: &[Seen], theirs: &[Seen]) -> bool {
    let same = ours.iter().zip(theirs).take_while(|(a, b)| a == b).count();
    match (&ours[same..], &theirs[same..]) {
        ([], []) => true,
        ([Seen::Refused(1002, why)], _) if why.contains("shortest form") => true,
        // A short control frame with its length in a long form.
        ([Seen::Refused(1002, why)], [Seen::Ping(_) | Seen::Pong(_) | Seen::Close(..), ..]) => {
            why.contains("at most 125 bytes")
        }
        ([Seen::Refused(1002, _)], [Seen::Refused(1009, _)]) => true,
        ([Seen::Close(Some(1014), _)], [Seen::Refused(1002, _)]) => true,
        ([Seen::Refused(1002, why)], [Seen::Refused(1007, _)]) => why.contains("close code"),
        ([Seen::Refused(..)], []) => true,
        ([Seen::Refused(ours, _)], [Seen::Refused(theirs, _)]) => ours == theirs,
        _ => false,
    }
}

fn with_role<T: std::fmt::Debug>(traffic: impl Fn(Role) -> BoxedStrategy<T>) -> impl Strategy<Value = (Role, T)> {
    role().prop_flat_map(move |role| (Just(role), traffic(role)))
}

/// A message of either kind or a control frame.
fn content() -> impl Strategy<Value = (Opcode, Vec<u8>)> {
    let size = prop_oneof![0usize..20, 120usize..132, 250usize..=MESSAGE_SIZE];
    prop_oneof![
        "\\PC{0,60}".prop_map(|text| (Opcode::Text, text.into_bytes())),
        size.prop_flat_map(|size| prop::collection::vec(any::<u8>(), size)).prop_map(|bytes| (Opcode::Binary, bytes)),
        prop::collection::vec(any::<u8>(), 0..=125).prop_map(|payload| (Opcode::Ping, payload)),
        prop::collection::vec(any::<u8>(), 0..=125).prop_map(|payload| (Opcode::Pong, payload)),
    ]
}

fn seen((opcode, payload): &(Opcode, Vec<u8>)) -> Seen {
    match opcode {
        Opcode::Text => Seen::Text(String::from_utf8(payload.clone()).unwrap()),
        Opcode::Ping => Seen::Ping(payload.clone()),
        Opcode::Pong => Seen::Pong(payload.clone()),
        _ => Seen::Binary(payload.clone()),
    }
}

proptest! {
    #[test]
    fn what_we_write_is_read_as_it_was_meant(
        role in role(),
        contents in prop::collection::vec((content(), any::<[u8; 4]>()), 0..8),
        (code, reason) in (prop_oneof![1000u16..=1003, 1007u16..=1013, 3000u16..=4999], "\\PC{0,80}"),
    ) {
        let key = |key| (role == Role::Server).then_some(key);
        let mut bytes = Vec::new();
        for ((opcode, payload), mask) in &contents {
            encode(&mut bytes, *opcode, payload, key(*mask));
        }
        encode_close(&mut bytes, CloseCode::from(code), &reason, key([1, 2, 3, 4]));
        let theirs = opinion(role, &bytes);
        let meant: Vec<Seen> = contents.iter().map(|(content, _)| seen(content)).collect();
        prop_assert_eq!(&theirs[..meant.len()], &meant[..]);
        let [Seen::Close(Some(told), why)] = &theirs[meant.len()..] else { panic!("{theirs:?}") };
        prop_assert!(*told == code && reason.starts_with(why.as_str()), "{why}");
        prop_assert_eq!(read(role, [&bytes[..]]), theirs);
    }

    #[test]
    fn what_they_write_is_read_as_it_was_meant(role in role(), contents in prop::collection::vec(content(), 0..8)) {
        let writer = match role {
            Role::Server => Role::Client,
            Role::Client => Role::Server,
        };
        let mut socket = socket(writer, &[]);
        for (opcode, payload) in &contents {
            let bytes = Bytes::from(payload.clone());
            socket.send(match opcode {
                Opcode::Text => Message::Text(bytes.try_into().unwrap()),
                Opcode::Ping => Message::Ping(bytes),
                Opcode::Pong => Message::Pong(bytes),
                _ => Message::Binary(bytes),
            }).unwrap();
        }
        let close = CloseFrame { code: 4001.into(), reason: "enough".into() };
        socket.close(Some(close)).unwrap();
        let mut meant: Vec<Seen> = contents.iter().map(seen).collect();
        meant.push(Seen::Close(Some(4001), "enough".into()));
        prop_assert_eq!(read(role, [&socket.get_ref().written[..]]), meant);
    }

    #[test]
    fn sound_traffic((role, frames) in with_role(|role| sound(role).boxed())) {
        let frames: Vec<Frame> = frames;
        let bytes = wire(&frames);
        prop_assert_eq!(read(role, [&bytes[..]]), opinion(role, &bytes));
    }

    #[test]
    fn broken_traffic((role, bytes) in with_role(|role| broken(role).boxed())) {
        let (ours, theirs) = (read(role, [&bytes[..]]), opinion(role, &bytes));
        prop_assert!(agree(&ours, &theirs), "{ours:?}\n{theirs:?}");
    }

    #[test]
    fn any_bytes((role, bytes) in with_role(|_| prop::collection::vec(any::<u8>(), 0..200).boxed())) {
        let (ours, theirs) = (read(role, [&bytes[..]]), opinion(role, &bytes));
        prop_assert!(agree(&ours, &theirs), "{ours:?}\n{theirs:?}");
    }
}
