//! Random traffic of one peer, valid or malformed.

use halloo_proto::frame::{MAX_CONTROL, Role};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::reading::MAX_MESSAGE_BYTES;

/// Bits of the first byte of a frame.
const FIN: u8 = 0x80;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// One frame, encoded here so that it can be malformed in any way.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    first: u8,
    payload: Vec<u8>,
    key: Option<[u8; 4]>,
    /// The length to announce instead of the real one, with the 7-bit length field.
    length: Option<(u8, u64)>,
}

impl Frame {
    fn write(&self, out: &mut Vec<u8>) {
        let mask = if self.key.is_some() { 0x80 } else { 0 };
        let (short, length) = self.length.unwrap_or(match self.payload.len() as u64 {
            length @ 0..126 => (length as u8, length),
            length @ 126..65536 => (126, length),
            length => (127, length),
        });
        out.extend([self.first, mask | short]);
        match short {
            126 => out.extend((length as u16).to_be_bytes()),
            127 => out.extend(length.to_be_bytes()),
            _ => {}
        }
        let key = self.key.unwrap_or_default();
        out.extend(self.key.into_iter().flatten());
        out.extend(self.payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    }
}

pub(crate) fn wire(frames: &[Frame]) -> Vec<u8> {
    let mut out = Vec::new();
    frames.iter().for_each(|frame| frame.write(&mut out));
    out
}

/// Either role of the reader.
pub(crate) fn role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Server), Just(Role::Client)]
}

fn frame(role: Role, first: u8, payload: Vec<u8>) -> impl Strategy<Value = Frame> {
    any::<[u8; 4]>().prop_map(move |key| {
        let key = (role == Role::Server).then_some(key);
        Frame { first, payload: payload.clone(), key, length: None }
    })
}

/// Frames of a peer that follows RFC 6455, for a reader in `role`.
pub(crate) fn valid(role: Role) -> impl Strategy<Value = Vec<Frame>> {
    let piece = prop_oneof![4 => message(role), 1 => control(role).prop_map(|frame| vec![frame])];
    let end = prop::option::weighted(0.3, close(role));
    (vec(piece, 0..8), end).prop_map(|(pieces, end)| pieces.into_iter().flatten().chain(end).collect())
}

/// The same, possibly with a violation, with changed bytes, or truncated.
pub(crate) fn malformed(role: Role) -> impl Strategy<Value = Vec<u8>> {
    let damage = prop_oneof![
        3 => violation(role).prop_map(Some),
        1 => Just(None),
    ];
    let flips = vec((any::<prop::sample::Index>(), any::<u8>()), 0..3);
    (valid(role), damage, any::<prop::sample::Index>(), flips, prop::option::of(any::<prop::sample::Index>())).prop_map(
        |(mut frames, damage, at, flips, cut)| {
            if let Some(violation) = damage {
                let at = at.index(frames.len() + 1);
                frames.splice(at..at, violation);
            }
            let mut bytes = wire(&frames);
            for (at, flip) in flips {
                if !bytes.is_empty() {
                    let at = at.index(bytes.len());
                    bytes[at] ^= flip;
                }
            }
            if let Some(cut) = cut {
                bytes.truncate(cut.index(bytes.len() + 1));
            }
            bytes
        },
    )
}

/// One message in one to five frames, with control frames between them. Text is cut anywhere, also within a character.
fn message(role: Role) -> impl Strategy<Value = Vec<Frame>> {
    let text = "\\PC{0,60}".prop_map(|text| (TEXT, text.into_bytes()));
    // Lengths around the limits of the 7-bit and 16-bit forms.
    let size = prop_oneof![0usize..20, 120usize..132, 250usize..MAX_MESSAGE_BYTES];
    let binary = size.prop_flat_map(|size| vec(any::<u8>(), size)).prop_map(|bytes| (BINARY, bytes));
    let cuts = vec(any::<prop::sample::Index>(), 0..5);
    let between = vec(prop::option::weighted(0.2, control(role)), 5);
    (prop_oneof![text, binary], cuts, between, vec(any::<[u8; 4]>(), 6)).prop_map(
        move |((opcode, payload), cuts, between, keys)| {
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(payload.len() + 1)).collect();
            cuts.sort_unstable();
            let ends: Vec<usize> = cuts.iter().copied().chain([payload.len()]).collect();
            let mut frames = Vec::new();
            let mut start = 0;
            for (index, &end) in ends.iter().enumerate() {
                let last = index + 1 == ends.len();
                let first = if index == 0 { opcode } else { 0 } | if last { FIN } else { 0 };
                let key = (role == Role::Server).then_some(keys[index]);
                frames.push(Frame { first, payload: payload[start..end].to_vec(), key, length: None });
                if !last {
                    frames.extend(between[index].clone());
                }
                start = end;
            }
            frames
        },
    )
}

fn control(role: Role) -> impl Strategy<Value = Frame> {
    (prop_oneof![Just(PING), Just(PONG)], vec(any::<u8>(), 0..=MAX_CONTROL))
        .prop_flat_map(move |(opcode, payload)| frame(role, FIN | opcode, payload))
}

fn close(role: Role) -> impl Strategy<Value = Frame> {
    let codes = prop_oneof![1000u16..=1003, 1007u16..=1013, 3000u16..=4999];
    let with_code = (codes, "\\PC{0,30}").prop_map(|(code, reason)| {
        let mut payload = code.to_be_bytes().to_vec();
        payload.extend(reason.bytes());
        payload
    });
    prop_oneof![Just(Vec::new()), with_code].prop_flat_map(move |payload| frame(role, FIN | CLOSE, payload))
}

/// Frames that violate one rule of RFC 6455.
fn violation(role: Role) -> impl Strategy<Value = Vec<Frame>> {
    let bytes = || vec(any::<u8>(), 0..20);
    let any_first = (any::<u8>(), bytes()).prop_flat_map(move |(first, payload)| frame(role, first, payload));
    let bad_text = vec(any::<u8>(), 1..20).prop_flat_map(move |payload| frame(role, FIN | TEXT, payload));
    let wrong_mask = frame(role, FIN | BINARY, vec![1, 2, 3]).prop_map(|mut frame| {
        frame.key = if frame.key.is_some() { None } else { Some([9; 4]) };
        frame
    });
    let long_control = prop_oneof![Just(CLOSE), Just(PING), Just(PONG)]
        .prop_flat_map(move |opcode| frame(role, FIN | opcode, vec![b'x'; MAX_CONTROL + 1]));
    let bad_close = bytes().prop_flat_map(move |payload| frame(role, FIN | CLOSE, payload));
    let bad_code = (0u16..=5100).prop_flat_map(move |code| frame(role, FIN | CLOSE, code.to_be_bytes().to_vec()));
    let long_form =
        (prop_oneof![Just(126u8), Just(127)], vec(any::<u8>(), 0..100)).prop_flat_map(move |(form, payload)| {
            frame(role, FIN | BINARY, payload).prop_map(move |mut frame| {
                frame.length = Some((form, frame.payload.len() as u64));
                frame
            })
        });
    let huge = prop_oneof![Just(1u64 << 63), Just(u64::MAX), Just((1 << 63) - 1), Just(MAX_MESSAGE_BYTES as u64 + 1)]
        .prop_flat_map(move |length| {
            frame(role, FIN | BINARY, Vec::new()).prop_map(move |mut frame| {
                frame.length = Some(if length < 65536 { (126, length) } else { (127, length) });
                frame
            })
        });
    let too_big = message_of(role, MAX_MESSAGE_BYTES + 1);
    let one = prop_oneof![any_first, bad_text, wrong_mask, long_control, bad_close, bad_code, long_form, huge];
    prop_oneof![8 => one.prop_map(|frame| vec![frame]), 1 => too_big]
}

/// A message of `size` bytes in two frames.
fn message_of(role: Role, size: usize) -> impl Strategy<Value = Vec<Frame>> {
    (frame(role, BINARY, vec![0; size / 2]), frame(role, FIN, vec![0; size - size / 2]))
        .prop_map(|(first, last)| vec![first, last])
}
