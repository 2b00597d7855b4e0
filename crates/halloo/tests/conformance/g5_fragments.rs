//! 5: messages in fragments, and control frames between them (RFC 6455 section 5.4).

use crate::case::{Case, answered, refused, run};
use crate::frame::{BINARY, CONTINUATION, FIN, Frame, TEXT, binary, frame, ping, pong, text};

/// Returns a message in these fragments.
fn fragments(opcode: u8, pieces: &[&str]) -> Vec<Frame> {
    let last = pieces.len() - 1;
    let piece = |(index, piece): (usize, &&str)| {
        frame(if index == 0 { opcode } else { CONTINUATION } | if index == last { FIN } else { 0 }, piece)
    };
    pieces.iter().enumerate().map(piece).collect()
}

#[test]
fn fragments_are_echoed_as_one_message() {
    let pieces: [&[&str]; 6] = [&["a", "b"], &["", ""], &["", "", "", "x", ""], &["one"], &["a", "", "c"], &["ab"; 40]];
    run(pieces.into_iter().flat_map(|pieces| {
        let whole = pieces.concat();
        [
            answered(format!("text {pieces:?}"), fragments(TEXT, pieces), vec![text(&whole)]),
            answered(format!("bytes {pieces:?}"), fragments(BINARY, pieces), vec![binary(&whole)]),
        ]
    }));
}

#[test]
fn control_frames_between_fragments_are_handled_at_once() {
    let between = |name, control: Vec<Frame>, response: Vec<Frame>| -> Case {
        let mut sent = fragments(TEXT, &["one", "two", "three"]);
        sent.splice(1..1, control.clone());
        let at = sent.len() - 1;
        sent.splice(at..at, control);
        let mut expected = [response.clone(), response].concat();
        expected.push(text("onetwothree"));
        answered(name, sent, expected)
    };
    run([
        between("pings", vec![ping("p")], vec![pong("p")]),
        between("two pings", vec![ping("p"), ping("q")], vec![pong("p"), pong("q")]),
        between("pongs", vec![pong("p")], vec![]),
    ]);
}

#[test]
fn fragments_out_of_order_are_refused() {
    let more = |last: &str| frame(FIN | CONTINUATION, last);
    run([
        refused("a continuation without a message", vec![more("x")], vec![], 1002),
        refused(
            "an unfinished continuation without a message",
            vec![frame(CONTINUATION, "x"), text("y")],
            vec![],
            1002,
        ),
        refused("a continuation after a message", vec![text("one"), more("x")], vec![text("one")], 1002),
        refused("text inside text", vec![frame(TEXT, "a"), text("b")], vec![], 1002),
        refused("bytes inside text", vec![frame(TEXT, "a"), binary("b")], vec![], 1002),
        refused(
            "a first fragment inside a message",
            vec![frame(BINARY, "a"), frame(BINARY, "b"), more("c")],
            vec![],
            1002,
        ),
        refused("one fragment too many", vec![frame(TEXT, "a"), more("b"), more("c")], vec![text("ab")], 1002),
        refused(
            "a message inside another one",
            vec![frame(TEXT, "a"), ping("p"), frame(TEXT, "b"), more("c")],
            vec![pong("p")],
            1002,
        ),
    ]);
}
