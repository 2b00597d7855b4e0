//! 6: text must be UTF-8 (RFC 3629), and is refused as soon as it cannot be any more (RFC 6455 section 8.1).

use crate::case::{Case, answered, echoed, refused, run};
use crate::frame::{BINARY, CONTINUATION, FIN, Frame, TEXT, binary, frame, header, masked, raw, text};

/// Every kind of valid sequence: the first and the last one of each length, and those around each gap.
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

/// Every kind of invalid sequence, and how many of its bytes make it invalid; `None` if only the end of the message does.
const INVALID: [(&[u8], Option<usize>); 38] = [
    // A continuation byte without a leading byte.
    (&[0x80], Some(1)),
    (&[0xbf], Some(1)),
    (&[0x80, 0xbf], Some(1)),
    (&[0x80, 0xbf, 0x80, 0xbf, 0x80, 0xbf], Some(1)),
    // A leading byte without its continuation byte.
    (&[0xc2, 0x20], Some(2)),
    (&[0xdf, 0x20], Some(2)),
    (&[0xe1, 0x20], Some(2)),
    (&[0xef, 0x20], Some(2)),
    (&[0xf1, 0x20], Some(2)),
    (&[0xf4, 0x20], Some(2)),
    // The last byte is missing, and another character or the end follows.
    (&[0xe1, 0x80, 0x20], Some(3)),
    (&[0xf1, 0x80, 0x80, 0x20], Some(4)),
    (&[0xdf, 0xdf], Some(2)),
    (&[0xe1, 0x80, 0xe1], Some(3)),
    (&[0xc2], None),
    (&[0xe1, 0x80], None),
    (&[0xf1, 0x80, 0x80], None),
    // Bytes that never occur in UTF-8.
    (&[0xfe], Some(1)),
    (&[0xff], Some(1)),
    (&[0xfe, 0xfe, 0xff, 0xff], Some(1)),
    // Overlong forms.
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
    // Above U+10FFFF.
    (&[0xf4, 0x90, 0x80, 0x80], Some(2)),
    (&[0xf5, 0x80, 0x80, 0x80], Some(1)),
    (&[0xf7, 0xbf, 0xbf, 0xbf], Some(1)),
    (&[0xfb, 0xbf, 0xbf, 0xbf, 0xbf], Some(1)),
    (&[0xfd, 0xbf, 0xbf, 0xbf, 0xbf, 0xbf], Some(1)),
];

/// Returns text that is long enough for validators that check many bytes at once.
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
fn valid_text_is_echoed() {
    run(VALID.into_iter().flat_map(|sequence| {
        let long = among_letters(sequence.as_bytes());
        [
            echoed(format!("{sequence:?}"), vec![text(sequence)]),
            echoed(format!("{sequence:?} among letters"), vec![text(&long)]),
            answered(
                format!("{sequence:?} in fragments"),
                byte_by_byte(TEXT, sequence.as_bytes()),
                vec![text(sequence)],
            ),
        ]
    }));
}

#[test]
fn invalid_text_is_refused() {
    run(INVALID.into_iter().flat_map(|(sequence, _)| {
        let long = among_letters(sequence);
        [
            refused(format!("{sequence:02x?}"), vec![text(sequence)], vec![], 1007),
            refused(format!("{sequence:02x?} among letters"), vec![text(&long)], vec![], 1007),
            refused(format!("{sequence:02x?} in fragments"), byte_by_byte(TEXT, sequence), vec![], 1007),
        ]
    }));
}

/// The client sends no more than this, so that a server that waits for the rest never responds.
#[test]
fn invalid_text_is_refused_before_its_end() {
    let cases = INVALID.into_iter().filter_map(|(sequence, known)| Some((sequence, &sequence[..known?])));
    run(cases.flat_map(|(sequence, prefix)| -> [Case; 3] {
        let first_frame = [header(FIN | TEXT, 1000), masked(prefix)].concat();
        let continuation = [header(FIN | CONTINUATION, 1000), masked(prefix)].concat();
        [
            refused(format!("{sequence:02x?} in an unfinished frame"), vec![raw(first_frame)], vec![], 1007),
            refused(format!("{sequence:02x?} in a first fragment"), vec![frame(TEXT, prefix)], vec![], 1007),
            refused(
                format!("{sequence:02x?} in an unfinished continuation"),
                vec![frame(TEXT, "κόσμε"), raw(continuation)],
                vec![],
                1007,
            ),
        ]
    }));
}

#[test]
fn characters_across_fragments_are_valid() {
    let sequence = "κόσμε\u{10ffff}";
    run((0..=sequence.len()).map(|at| {
        let (first, last) = sequence.as_bytes().split_at(at);
        let sent = vec![frame(TEXT, first), frame(FIN | CONTINUATION, last)];
        answered(format!("cut at {at}"), sent, vec![text(sequence)])
    }));
}

#[test]
fn binary_messages_need_not_be_text() {
    run(INVALID.into_iter().flat_map(|(sequence, _)| {
        let name = format!("{sequence:02x?}");
        [
            echoed(name.clone(), vec![binary(sequence)]),
            answered(name + " in fragments", byte_by_byte(BINARY, sequence), vec![binary(sequence)]),
        ]
    }));
}
