//! The bytes of a valid conversation give the same events on both sides in any pieces.

use halloo_proto::close::CloseCode;
use halloo_proto::frame::{Opcode, Role};
use proptest::prelude::*;

use super::endpoint::{Packet, Seen};
use super::pair::Pair;

#[derive(Clone, Debug)]
enum Send {
    Text(String),
    Binary(Vec<u8>),
    Fragments(Vec<String>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
}

fn send() -> impl Strategy<Value = Send> {
    prop_oneof![
        ".{0,300}".prop_map(Send::Text),
        prop::collection::vec(any::<u8>(), 0..70_000).prop_map(Send::Binary),
        prop::collection::vec(".{0,40}", 1..5).prop_map(Send::Fragments),
        prop::collection::vec(any::<u8>(), 0..126).prop_map(Send::Ping),
        prop::collection::vec(any::<u8>(), 0..126).prop_map(Send::Pong),
    ]
}

fn apply(pair: &mut Pair, role: Role, send: &Send) {
    let (sender, _) = pair.ends(role);
    match send {
        Send::Text(text) => sender.text(text),
        Send::Binary(bytes) => sender.frame(Opcode::Binary, bytes),
        Send::Ping(payload) => sender.frame(Opcode::Ping, payload),
        Send::Pong(payload) => sender.frame(Opcode::Pong, payload),
        Send::Fragments(pieces) => {
            let (last, first) = pieces.split_last().unwrap();
            for (index, piece) in first.iter().enumerate() {
                sender.fragment(if index == 0 { Opcode::Text } else { Opcode::Continuation }, piece.as_bytes());
            }
            sender.frame(if first.is_empty() { Opcode::Text } else { Opcode::Continuation }, last.as_bytes());
        }
    }
}

/// Cuts the bytes that `role` has sent into pieces of the given lengths, which repeat.
fn slice(pair: &mut Pair, role: Role, lengths: &[usize]) {
    let (sender, _) = pair.ends(role);
    let mut bytes = Vec::new();
    for packet in sender.sent.drain(..) {
        match packet {
            Packet::Bytes(more) => bytes.extend(more),
            Packet::Eof => panic!("the conversation has not ended"),
        }
    }
    let mut lengths = lengths.iter().cycle();
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        let (piece, more) = rest.split_at((*lengths.next().unwrap()).min(rest.len()));
        sender.sent.push(Packet::Bytes(piece.to_vec()));
        rest = more;
    }
}

/// Runs the conversation, and returns the events of the client and of the server.
fn converse(sends: &[(bool, Send)], closer: Role, lengths: Option<&[usize]>) -> (Vec<Seen>, Vec<Seen>) {
    let mut pair = Pair::default();
    for (by_client, send) in sends {
        apply(&mut pair, if *by_client { Role::Client } else { Role::Server }, send);
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
    fn any_pieces_give_the_same_events_on_both_sides(
        sends in prop::collection::vec((any::<bool>(), send()), 0..20),
        by_client in any::<bool>(),
        lengths in prop::collection::vec(1usize..5000, 1..8),
    ) {
        let closer = if by_client { Role::Client } else { Role::Server };
        let whole = converse(&sends, closer, None);
        prop_assert_eq!(&converse(&sends, closer, Some(&lengths)), &whole);
        prop_assert_eq!(&converse(&sends, closer, Some(&[1 << 20])), &whole);
        let agreed = whole.0.contains(&Seen::Agreed) || whole.1.contains(&Seen::Agreed);
        prop_assert!(agreed, "{:?}", whole);
    }
}

#[test]
fn byte_by_byte_gives_the_same_events() {
    let sends = [
        (true, Send::Text("ä€😀".into())),
        (false, Send::Fragments(vec!["h".into(), "ä".into(), String::new()])),
        (true, Send::Binary(vec![7; 70_000])),
        (false, Send::Ping(b"are you there".to_vec())),
    ];
    for closer in [Role::Client, Role::Server] {
        assert_eq!(converse(&sends, closer, Some(&[1])), converse(&sends, closer, None));
    }
}
