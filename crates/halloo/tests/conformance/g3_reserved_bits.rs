//! 3: a reserved bit without a negotiated extension closes the connection (RFC 6455 section 5.2).

use crate::case::{refused, run};
use crate::frame::{FIN, TEXT, frame, ping, text};

#[test]
fn reserved_bits_are_refused_in_every_kind_of_frame() {
    let kinds = [0x00, 0x01, 0x02, 0x08, 0x09, 0x0a];
    let bits = 1..=7;
    run(bits.flat_map(|bits| {
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
fn reserved_bits_are_refused_in_a_continuation() {
    run((1..=7).map(|bits| {
        let sent = vec![frame(TEXT, "a"), frame(FIN | bits << 4, "b")];
        refused(format!("bits {bits:03b} in a continuation"), sent, vec![], 1002)
    }));
}
