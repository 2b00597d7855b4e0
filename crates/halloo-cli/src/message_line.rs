//! A message as one line on a terminal.

use halloo::Message;
use halloo_proto::text::escape;

use crate::status_line::grouped;

/// Bytes of a message that a person is shown: a few rows, so that what came before stays in sight.
const SHOWN: usize = 500;

/// Returns a message as one line for a terminal: nothing in it moves the cursor or changes the direction of the text.
pub(crate) fn shown(message: &Message<'_>) -> String {
    let bytes = grouped(message.bytes().len() as u64);
    match message.text() {
        Some(text) => match escape(text, SHOWN) {
            whole if whole.len() <= SHOWN => whole,
            cut => format!("{cut} ({bytes} bytes)"),
        },
        None => format!("({bytes} bytes, binary)"),
    }
}
