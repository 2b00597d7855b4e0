//! Frames: in any pieces they mean the same, and the same as `tungstenite` makes of them.

#![no_main]

#[path = "../../crates/halloo-proto/tests/codec/opinion.rs"]
#[allow(dead_code, reason = "the tests write with it, too")]
mod opinion;
#[path = "../../crates/halloo-proto/tests/codec/reading.rs"]
mod reading;

use halloo_proto::frame::Role;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    // Who reads, and the lengths of the pieces, before what is read.
    let Some((&[role, ref lengths @ ..], bytes)) = input.split_first_chunk::<5>() else { return };
    let role = if role & 1 == 0 { Role::Server } else { Role::Client };
    let whole = reading::read(role, [bytes]);
    // Pieces of these lengths, again and again.
    let mut pieces = Vec::new();
    let mut rest = bytes;
    for length in lengths.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, behind) = rest.split_at(rest.len().min(usize::from(*length) + 1));
        pieces.push(piece);
        rest = behind;
    }
    assert_eq!(whole, reading::read(role, pieces), "in pieces");
    let other = opinion::opinion(role, bytes);
    assert!(opinion::agree(&whole, &other), "{whole:?}\n{other:?}");
});
