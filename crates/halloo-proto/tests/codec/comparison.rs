//! Compares the codec with `tungstenite`: each reads what the other writes, and both read malformed traffic.

use halloo_proto::close::CloseCode;
use halloo_proto::frame::{Opcode, Role, encode, encode_close};
use proptest::prelude::*;
use tungstenite::protocol::CloseFrame;
use tungstenite::{Bytes, Message};

use crate::reading::{MAX_MESSAGE_BYTES, Seen, read};
use crate::reference::{agree, read_with_reference, socket};
use crate::traffic::{Frame, malformed, role, valid, wire};

fn with_role<T: std::fmt::Debug>(traffic: impl Fn(Role) -> BoxedStrategy<T>) -> impl Strategy<Value = (Role, T)> {
    role().prop_flat_map(move |role| (Just(role), traffic(role)))
}

/// A text or binary message, or a control frame.
fn content() -> impl Strategy<Value = (Opcode, Vec<u8>)> {
    let size = prop_oneof![0usize..20, 120usize..132, 250usize..=MAX_MESSAGE_BYTES];
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
    fn reference_reads_what_we_write(
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
        let theirs = read_with_reference(role, &bytes);
        let written: Vec<Seen> = contents.iter().map(|(content, _)| seen(content)).collect();
        prop_assert_eq!(&theirs[..written.len()], &written[..]);
        let [Seen::Close(Some(theirs_code), why)] = &theirs[written.len()..] else { panic!("{theirs:?}") };
        prop_assert!(*theirs_code == code && reason.starts_with(why.as_str()), "{why}");
        prop_assert_eq!(read(role, [&bytes[..]]), theirs);
    }

    #[test]
    fn we_read_what_the_reference_writes(role in role(), contents in prop::collection::vec(content(), 0..8)) {
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
        let mut written: Vec<Seen> = contents.iter().map(seen).collect();
        written.push(Seen::Close(Some(4001), "enough".into()));
        prop_assert_eq!(read(role, [&socket.get_ref().written[..]]), written);
    }

    #[test]
    fn valid_traffic_is_read_as_by_the_reference((role, frames) in with_role(|role| valid(role).boxed())) {
        let frames: Vec<Frame> = frames;
        let bytes = wire(&frames);
        prop_assert_eq!(read(role, [&bytes[..]]), read_with_reference(role, &bytes));
    }

    #[test]
    fn malformed_traffic_is_refused_as_by_the_reference((role, bytes) in with_role(|role| malformed(role).boxed())) {
        let (ours, theirs) = (read(role, [&bytes[..]]), read_with_reference(role, &bytes));
        prop_assert!(agree(&ours, &theirs), "{ours:?}\n{theirs:?}");
    }

    #[test]
    fn random_bytes_are_read_as_by_the_reference((role, bytes) in with_role(|_| prop::collection::vec(any::<u8>(), 0..200).boxed())) {
        let (ours, theirs) = (read(role, [&bytes[..]]), read_with_reference(role, &bytes));
        prop_assert!(agree(&ours, &theirs), "{ours:?}\n{theirs:?}");
    }
}
