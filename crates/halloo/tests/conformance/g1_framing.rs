//! 1: text and binary messages of the lengths at which a header changes its form, whole and chopped.

use crate::case::{play, same};
use crate::client::{binary, text};

/// The lengths on both sides of 7, 16 and 64 bits (RFC 6455 section 5.2).
const LENGTHS: [usize; 9] = [0, 1, 125, 126, 127, 128, 65_535, 65_536, 65_537];

#[test]
fn text_of_every_form_of_length() {
    play(LENGTHS.map(|length| same(format!("text of {length} bytes"), vec![text("*".repeat(length))])));
}

#[test]
fn binary_of_every_form_of_length() {
    play(LENGTHS.map(|length| same(format!("{length} bytes"), vec![binary(vec![0xfe; length])])));
}

#[test]
fn many_messages_in_one_write() {
    let messages =
        LENGTHS[..6].iter().flat_map(|&length| [text("ü".repeat(length)), binary(vec![length as u8; length])]);
    play([same("messages in a row", messages.collect())]);
}
