//! Messages on a terminal.

use halloo::Message;
use halloo_proto::text::escape;

use crate::status_line::group_digits;

/// Bytes of a message that are shown: a few rows, so that earlier messages remain visible.
const MAX_BYTES: usize = 500;

/// Returns a message as one line without control characters, truncated to [`MAX_BYTES`].
pub(crate) fn escape_message(message: &Message<'_>) -> String {
    let bytes = group_digits(message.bytes().len() as u64);
    match message.text() {
        Some(text) => match escape(text, MAX_BYTES) {
            whole if whole.len() <= MAX_BYTES => whole,
            truncated => format!("{truncated} ({bytes} bytes)"),
        },
        None => format!("({bytes} bytes, binary)"),
    }
}
