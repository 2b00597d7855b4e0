//! 6: text is UTF-8 (RFC 3629), and what cannot become UTF-8 any more is refused at once (RFC 6455 section 8.1).

use crate::case::{Case, echoed, play, refused, same};
use crate::client::{BINARY, CONTINUATION, FIN, Frame, TEXT, binary, frame, header, masked, raw, text};

/// Every kind of right sequence: the first and the last of each length, and both sides of each gap.
const VALID: [&str; 15] = [
    "\u{0}",
    "\u{7f}",
    "\u{80}",
    "\u{7ff}",
    "\u{800}",
    "\u{d7ff}",
    "\u{e000}",
    "\u{fffd}",
    "\u{fffe}",
    "\u{ffff}",
    "\u{10000}",
    "\u{3fffe}",
    "\u{10fffe}",
    "\u{10ffff}",
    "κόσμε",
];

/// Every kind of wrong sequence, and how many of its bytes it takes to know; none when only the end of the message tells.
const INVALID: [(&[u8], Option<usize>); 38] = [
    // A continuation of nothing.
    (&[0x80], Some(1)),
    (&[0xbf], Some(1)),
    (&[0x80, 0xbf], Some(1)),
    (&[0x80, 0xbf, 0x80, 0xbf, 0x80, 0xbf], Some(1)),
    // A beginning without its continuation.
    (&[0xc2, 0x20], Some(2)),
    (&[0xdf, 0x20], Some(2)),
    (&[0xe1, 0x20], Some(2)),
    (&[0xef, 0x20], Some(2)),
    (&[0xf1, 0x20], Some(2)),
    (&[0xf4, 0x20], Some(2)),
    // The last byte missing, and another character behind it, or the end.
    (&[0xe1, 0x80, 0x20], Some(3)),
    (&[0xf1, 0x80, 0x80, 0x20], Some(4)),
    (&[0xdf, 0xdf], Some(2)),
    (&[0xe1, 0x80, 0xe1], Some(3)),
    (&[0xc2], None),
    (&[0xe1, 0x80], None),
    (&[0xf1, 0x80, 0x80], None),
    // Bytes that never occur.
    (&[0xfe], Some(1)),
    (&[0xff], Some(1)),
    (&[0xfe, 0xfe, 0xff, 0xff], Some(1)),
    // Longer than it need be.
    (&[0xc0, 0xaf], Some(1)),
    (&[0xc1, 0xbf], Some(1)),
    (&[0xe0, 0x80, 0xaf], Some(2)),
    (&[0xe0, 0x9f, 0xbf], Some(2)),
    (&[0xf0, 0x80, 0x80, 0xaf], Some(2)),
    (&[0xf0, 0x8f, 0xbf, 0xbf], Some(2)),
    (&[0xf8, 0x80, 0x80, 0x80, 0xaf], Some(1)),
    (&[0xfc, 0x80, 0x80, 0x80, 0x80, 0xaf], Some(1)),
    // Surrogates, alone and in pairs.
    (&[0xed, 0xa0, 0x80], Some(2)),
    (&[0xed, 0xad, 0xbf], Some(2)),
    (&[0xed, 0xae, 0x80], Some(2)),
    (&[0xed, 0xbf, 0xbf], Some(2)),
    (&[0xed, 0xa0, 0x80, 0xed, 0xb0, 0x80], Some(2)),
    // Beyond U+10FFFF.
    (&[0xf4, 0x90, 0x80, 0x80], Some(2)),
    (&[0xf5, 0x80, 0x80, 0x80], Some(1)),
    (&[0xf7, 0xbf, 0xbf, 0xbf], Some(1)),
    (&[0xfb, 0xbf, 0xbf, 0xbf, 0xbf], Some(1)),
    (&[0xfd, 0xbf, 0xbf, 0xbf, 0xbf, 0xbf], Some(1)),
];

/// Long enough that a reader which takes many bytes at a time does so.
fn among_letters(sequence: &[u8]) -> Vec<u8> {
    [&b"a".repeat(70)[..], sequence, &b"z".repeat(70)[..]].concat()
}

fn byte_by_byte(opcode: u8, payload: &[u8]) -> Vec<Frame> {
    let mut frames = vec![frame(opcode, "")];
    frames.extend(payload.iter().map(|byte| frame(CONTINUATION, [*byte])));
    frames.push(frame(FIN | CONTINUATION, ""));
    frames
}

#[test]
fn what_is_valid_comes_back() {
    play(VALID.into_iter().flat_map(|sequence| {
        let long = among_letters(sequence.as_bytes());
        [
            same(format!("{sequence:?}"), vec![text(sequence)]),
            same(format!("{sequence:?} among letters"), vec![text(&long)]),
            echoed(format!("{sequence:?} in fragments"), byte_by_byte(TEXT, sequence.as_bytes()), vec![text(sequence)]),
        ]
    }));
}

#[test]
fn what_is_invalid_is_refused() {
    play(INVALID.into_iter().flat_map(|(sequence, _)| {
        let long = among_letters(sequence);
        [
            refused(format!("{sequence:02x?}"), vec![text(sequence)], vec![], 1007),
            refused(format!("{sequence:02x?} among letters"), vec![text(&long)], vec![], 1007),
            refused(format!("{sequence:02x?} in fragments"), byte_by_byte(TEXT, sequence), vec![], 1007),
        ]
    }));
}

/// Nothing follows what is sent here, so a server that waits for the rest of the frame or message never answers.
#[test]
fn what_cannot_become_valid_is_refused_at_once() {
    let fails = INVALID.into_iter().filter_map(|(sequence, known)| Some((sequence, &sequence[..known?])));
    play(fails.flat_map(|(sequence, enough)| -> [Case; 3] {
        let begun = [header(FIN | TEXT, 1000), masked(enough)].concat();
        let continued = [header(FIN | CONTINUATION, 1000), masked(enough)].concat();
        [
            refused(format!("{sequence:02x?} in an unfinished frame"), vec![raw(begun)], vec![], 1007),
            refused(format!("{sequence:02x?} in a first fragment"), vec![frame(TEXT, enough)], vec![], 1007),
            refused(
                format!("{sequence:02x?} in an unfinished continuation"),
                vec![frame(TEXT, "κόσμε"), raw(continued)],
                vec![],
                1007,
            ),
        ]
    }));
}

#[test]
fn a_character_may_lie_across_fragments() {
    let sequence = "κόσμε\u{10ffff}";
    play((0..=sequence.len()).map(|at| {
        let (first, last) = sequence.as_bytes().split_at(at);
        let sent = vec![frame(TEXT, first), frame(FIN | CONTINUATION, last)];
        echoed(format!("cut at {at}"), sent, vec![text(sequence)])
    }));
}

#[test]
fn bytes_need_not_be_text() {
    play(INVALID.into_iter().flat_map(|(sequence, _)| {
        let name = format!("{sequence:02x?}");
        [
            same(name.clone(), vec![binary(sequence)]),
            echoed(name + " in fragments", byte_by_byte(BINARY, sequence), vec![binary(sequence)]),
        ]
    }));
}
