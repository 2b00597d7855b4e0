//! 4: a reserved opcode closes the connection (RFC 6455 section 5.2).

use crate::case::{refused, run};
use crate::frame::{FIN, TEXT, frame, ping, text};

const RESERVED: [u8; 10] = [3, 4, 5, 6, 7, 11, 12, 13, 14, 15];

#[test]
fn reserved_opcodes_are_refused() {
    run(RESERVED.into_iter().flat_map(|opcode| {
        [
            refused(format!("{opcode}, empty"), vec![frame(FIN | opcode, "")], vec![], 1002),
            refused(format!("{opcode}, unfinished"), vec![frame(opcode, "x")], vec![], 1002),
            refused(
                format!("{opcode} after a message"),
                vec![text("before"), frame(FIN | opcode, "payload"), ping("")],
                vec![text("before")],
                1002,
            ),
            refused(
                format!("{opcode} inside a message"),
                vec![frame(TEXT, "a"), frame(FIN | opcode, "b")],
                vec![],
                1002,
            ),
        ]
    }));
}
