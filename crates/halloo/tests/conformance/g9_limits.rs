//! 9: large messages and fragments, up to the limits and beyond them.

use halloo::Config;

use crate::case::{answered, echoed, refused, run, run_with};
use crate::frame::{BINARY, CONTINUATION, FIN, Frame, TEXT, binary, frame, header, raw, text};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// Returns `payload` in fragments of `size` bytes.
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
fn messages_up_to_the_size_limit_are_echoed() {
    run([64 * KIB, 256 * KIB, MIB].into_iter().flat_map(|size| {
        [
            echoed(format!("text of {size} bytes"), vec![text("*".repeat(size))]),
            echoed(format!("{size} bytes"), vec![binary(vec![0xfe; size])]),
        ]
    }));
}

#[test]
fn large_messages_in_fragments_are_echoed() {
    let whole = vec![b'*'; 256 * KIB];
    run([256, 1024, 4096, 65_536].into_iter().flat_map(|size| {
        [
            answered(format!("text by {size}"), fragments(TEXT, &whole, size), vec![text(&whole)]),
            answered(format!("bytes by {size}"), fragments(BINARY, &whole, size), vec![binary(&whole)]),
        ]
    }));
}

#[test]
fn a_higher_size_limit_can_be_set() {
    let mut config = Config::local();
    config.messages.max_message_bytes = 16 * MIB;
    run_with(config, [echoed("16 MiB", vec![binary(vec![0xfe; 16 * MIB])])]);
}

/// The client sends only the header of each message that is too large.
#[test]
fn messages_above_the_size_limit_are_refused_by_their_header() {
    let too_large =
        |length: u64, code| refused(format!("{length} bytes"), vec![raw(header(FIN | BINARY, length))], vec![], code);
    let fragments = [frame(TEXT, "*"), raw(header(FIN | CONTINUATION, MIB as u64))];
    run([
        too_large(MIB as u64 + 1, 1009),
        too_large(1 << 32, 1009),
        too_large((1 << 63) - 1, 1009),
        too_large(1 << 63, 1002),
        too_large(u64::MAX, 1002),
        refused("in fragments", fragments.to_vec(), vec![], 1009),
    ]);
}

#[test]
fn the_number_of_fragments_is_limited() {
    let most = vec![b'*'; 1024];
    let more = vec![b'*'; 1025];
    run([
        answered("1024", fragments(TEXT, &most, 1), vec![text(&most)]),
        refused("1025", fragments(TEXT, &more, 1), vec![], 1008),
        refused(
            "1025 empty ones",
            vec![frame(TEXT, ""); 1].into_iter().chain(vec![frame(CONTINUATION, ""); 1024]).collect(),
            vec![],
            1008,
        ),
    ]);
}
