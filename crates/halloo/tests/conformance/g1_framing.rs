//! 1: text and binary messages of the lengths at which the header changes its form.

use crate::case::{echoed, run};
use crate::frame::{binary, text};

/// The lengths around the limits of 7, 16 and 64 bits (RFC 6455 section 5.2).
const LENGTHS: [usize; 9] = [0, 1, 125, 126, 127, 128, 65_535, 65_536, 65_537];

#[test]
fn text_messages_with_each_form_of_length_are_echoed() {
    run(LENGTHS.map(|length| echoed(format!("text of {length} bytes"), vec![text("*".repeat(length))])));
}

#[test]
fn binary_messages_with_each_form_of_length_are_echoed() {
    run(LENGTHS.map(|length| echoed(format!("{length} bytes"), vec![binary(vec![0xfe; length])])));
}

#[test]
fn consecutive_messages_are_echoed_in_order() {
    let messages =
        LENGTHS[..6].iter().flat_map(|&length| [text("ü".repeat(length)), binary(vec![length as u8; length])]);
    run([echoed("consecutive messages", messages.collect())]);
}
