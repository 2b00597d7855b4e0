//! 3: a reserved bit that no extension was agreed for ends the connection (RFC 6455 section 5.2).

use crate::case::{play, refused};
use crate::client::{FIN, TEXT, frame, ping, text};

#[test]
fn every_combination_in_every_kind_of_frame() {
    let kinds = [0x00, 0x01, 0x02, 0x08, 0x09, 0x0a];
    let bits = 1..=7;
    play(bits.flat_map(|bits| {
        kinds.map(|kind| {
            let name = format!("bits {bits:03b} in opcode {kind}");
            refused(
                name,
                vec![text("before"), frame(FIN | bits << 4 | kind, "x"), ping("")],
                vec![text("before")],
                1002,
            )
        })
    }));
}

#[test]
fn in_a_fragment() {
    play((1..=7).map(|bits| {
        let sent = vec![frame(TEXT, "a"), frame(FIN | bits << 4, "b")];
        refused(format!("bits {bits:03b} in a continuation"), sent, vec![], 1002)
    }));
}
