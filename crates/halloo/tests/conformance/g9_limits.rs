//! 9: large messages, and the limits beyond which there are none.

use halloo::Config;

use crate::case::{echoed, play, play_with, refused, same};
use crate::client::{BINARY, CONTINUATION, FIN, Frame, TEXT, binary, frame, header, raw, text};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// `payload` in fragments of `size` bytes.
fn fragments(opcode: u8, payload: &[u8], size: usize) -> Vec<Frame> {
    let mut frames: Vec<Frame> = payload.chunks(size).map(|piece| frame(CONTINUATION, piece)).collect();
    if let Some(Frame::Whole(first, _)) = frames.first_mut() {
        *first = opcode;
    }
    if let Some(Frame::Whole(first, _)) = frames.last_mut() {
        *first |= FIN;
    }
    frames
}

#[test]
fn up_to_the_limit() {
    play([64 * KIB, 256 * KIB, MIB].into_iter().flat_map(|size| {
        [
            same(format!("text of {size} bytes"), vec![text("*".repeat(size))]),
            same(format!("{size} bytes"), vec![binary(vec![0xfe; size])]),
        ]
    }));
}

#[test]
fn in_fragments() {
    let whole = vec![b'*'; 256 * KIB];
    play([256, 1024, 4096, 65_536].into_iter().flat_map(|size| {
        [
            echoed(format!("text by {size}"), fragments(TEXT, &whole, size), vec![text(&whole)]),
            echoed(format!("bytes by {size}"), fragments(BINARY, &whole, size), vec![binary(&whole)]),
        ]
    }));
}

#[test]
fn beyond_a_limit_that_was_raised() {
    let mut config = Config::local();
    config.messages.max_message_bytes = 16 * MIB;
    play_with(config, [same("16 MiB", vec![binary(vec![0xfe; 16 * MIB])])]);
}

/// Of the messages that are too large, nothing but the header is sent.
#[test]
fn too_large() {
    let too_large =
        |length: u64, code| refused(format!("{length} bytes"), vec![raw(header(FIN | BINARY, length))], vec![], code);
    let begun = [frame(TEXT, "*"), raw(header(FIN | CONTINUATION, MIB as u64))];
    play([
        too_large(MIB as u64 + 1, 1009),
        too_large(1 << 32, 1009),
        too_large((1 << 63) - 1, 1009),
        too_large(1 << 63, 1002),
        too_large(u64::MAX, 1002),
        refused("in fragments", begun.to_vec(), vec![], 1009),
    ]);
}

#[test]
fn too_many_fragments() {
    let most = vec![b'*'; 1024];
    let more = vec![b'*'; 1025];
    play([
        echoed("1024", fragments(TEXT, &most, 1), vec![text(&most)]),
        refused("1025", fragments(TEXT, &more, 1), vec![], 1008),
        refused(
            "empty ones",
            vec![frame(TEXT, ""); 1].into_iter().chain(vec![frame(CONTINUATION, ""); 1024]).collect(),
            vec![],
            1008,
        ),
    ]);
}
