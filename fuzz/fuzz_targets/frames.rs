//! Frames: the result is the same in any pieces, and agrees with that of `tungstenite`.

#![cfg_attr(feature = "engine", no_main)]

#[path = "../../crates/halloo-proto/tests/codec/reading.rs"]
mod reading;
#[path = "../../crates/halloo-proto/tests/codec/reference.rs"]
#[allow(dead_code, reason = "the tests also use it to write")]
mod reference;

use halloo_fuzz::fuzz_target;
use halloo_proto::frame::Role;

fuzz_target!(|input: &[u8]| {
    // The role of the reader and four lengths, then the traffic.
    let Some((&[role, ref lengths @ ..], bytes)) = input.split_first_chunk::<5>() else { return };
    let role = if role & 1 == 0 { Role::Server } else { Role::Client };
    let whole = reading::read(role, [bytes]);
    // The lengths of the pieces repeat.
    let mut pieces = Vec::new();
    let mut rest = bytes;
    for length in lengths.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, after) = rest.split_at(rest.len().min(usize::from(*length) + 1));
        pieces.push(piece);
        rest = after;
    }
    assert_eq!(whole, reading::read(role, pieces), "in pieces");
    let other = reference::read_with_reference(role, bytes);
    assert!(reference::agree(&whole, &other), "{whole:?}\n{other:?}");
});
