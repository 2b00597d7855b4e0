//! However the bytes of a valid conversation are sliced, both sides see the same.

use halloo_proto::close::CloseCode;
use halloo_proto::frame::{Opcode, Role};
use proptest::prelude::*;

use super::endpoint::{Packet, Seen};
use super::pair::Pair;

#[derive(Clone, Debug)]
enum Say {
    Text(String),
    Binary(Vec<u8>),
    Fragments(Vec<String>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
}

fn say() -> impl Strategy<Value = Say> {
    prop_oneof![
        ".{0,300}".prop_map(Say::Text),
        prop::collection::vec(any::<u8>(), 0..70_000).prop_map(Say::Binary),
        prop::collection::vec(".{0,40}", 1..5).prop_map(Say::Fragments),
        prop::collection::vec(any::<u8>(), 0..126).prop_map(Say::Ping),
        prop::collection::vec(any::<u8>(), 0..126).prop_map(Say::Pong),
    ]
}

fn speak(pair: &mut Pair, role: Role, say: &Say) {
    let (speaker, _) = pair.ends(role);
    match say {
        Say::Text(text) => speaker.text(text),
        Say::Binary(bytes) => speaker.frame(Opcode::Binary, bytes),
        Say::Ping(payload) => speaker.frame(Opcode::Ping, payload),
        Say::Pong(payload) => speaker.frame(Opcode::Pong, payload),
        Say::Fragments(pieces) => {
            let (last, first) = pieces.split_last().unwrap();
            for (index, piece) in first.iter().enumerate() {
                speaker.fragment(if index == 0 { Opcode::Text } else { Opcode::Continuation }, piece.as_bytes());
            }
            speaker.frame(if first.is_empty() { Opcode::Text } else { Opcode::Continuation }, last.as_bytes());
        }
    }
}

/// Cuts what `role` has sent into pieces of the given lengths, again and again.
fn slice(pair: &mut Pair, role: Role, lengths: &[usize]) {
    let (speaker, _) = pair.ends(role);
    let mut bytes = Vec::new();
    for packet in speaker.sent.drain(..) {
        match packet {
            Packet::Bytes(more) => bytes.extend(more),
            Packet::Eof => panic!("the conversation has not ended"),
        }
    }
    let mut lengths = lengths.iter().cycle();
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        let (piece, more) = rest.split_at((*lengths.next().unwrap()).min(rest.len()));
        speaker.sent.push(Packet::Bytes(piece.to_vec()));
        rest = more;
    }
}

/// Holds the conversation and returns what both sides saw.
fn converse(says: &[(bool, Say)], closer: Role, lengths: Option<&[usize]>) -> (Vec<Seen>, Vec<Seen>) {
    let mut pair = Pair::default();
    for (by_client, say) in says {
        speak(&mut pair, if *by_client { Role::Client } else { Role::Server }, say);
    }
    assert!(pair.ends(closer).0.close(CloseCode::Normal, "that was all"));
    if let Some(lengths) = lengths {
        slice(&mut pair, Role::Client, lengths);
        slice(&mut pair, Role::Server, lengths);
    }
    pair.run_until(|pair| pair.client.is_gone && pair.server.is_gone).unwrap();
    (pair.client.seen, pair.server.seen)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_slicing_gives_the_same_events_on_both_sides(
        says in prop::collection::vec((any::<bool>(), say()), 0..20),
        by_client in any::<bool>(),
        lengths in prop::collection::vec(1usize..5000, 1..8),
    ) {
        let closer = if by_client { Role::Client } else { Role::Server };
        let whole = converse(&says, closer, None);
        prop_assert_eq!(&converse(&says, closer, Some(&lengths)), &whole);
        prop_assert_eq!(&converse(&says, closer, Some(&[1 << 20])), &whole);
        let agreed = whole.0.contains(&Seen::Agreed) || whole.1.contains(&Seen::Agreed);
        prop_assert!(agreed, "{:?}", whole);
    }
}

#[test]
fn byte_by_byte_gives_the_same_events() {
    let says = [
        (true, Say::Text("ä€😀".into())),
        (false, Say::Fragments(vec!["h".into(), "ä".into(), String::new()])),
        (true, Say::Binary(vec![7; 70_000])),
        (false, Say::Ping(b"are you there".to_vec())),
    ];
    for closer in [Role::Client, Role::Server] {
        assert_eq!(converse(&says, closer, Some(&[1])), converse(&says, closer, None));
    }
}
