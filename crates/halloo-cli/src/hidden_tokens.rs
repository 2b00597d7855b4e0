//! Hides tokens in errors about the command line, which repeat what was given.

use clap::error::{ContextKind, ContextValue};
use halloo::Token;

/// Maximum letters of the unit after a number, as in `90seconds`.
const MAX_UNIT_LETTERS: usize = 7;

/// Returns `error` with `…` in place of everything that is or may be a token.
pub(crate) fn hide_in(mut error: clap::Error) -> clap::Error {
    let given = error.context().filter_map(|(kind, value)| match value {
        ContextValue::String(text) => Some((kind, text.clone())),
        _ => None,
    });
    for (kind, text) in given.collect::<Vec<_>>() {
        let shown = if may_be_token(&text) { "…".into() } else { Token::hide(&text) };
        if shown == text {
            continue;
        }
        error.insert(kind, ContextValue::String(shown.into_owned()));
        // It would repeat the text.
        error.remove(ContextKind::Suggested);
    }
    error
}

/// Returns whether a text without spaces may be a token: not an option, and not a number or address with a typing error.
fn may_be_token(text: &str) -> bool {
    let is_option = text.starts_with("--") && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_lowercase());
    let unit = text.trim_start_matches(|character: char| character.is_ascii_digit() || character == '.');
    let is_number = unit.len() <= MAX_UNIT_LETTERS && unit.bytes().all(|byte| byte.is_ascii_alphabetic());
    !is_option && !is_number && Token::new(text).is_ok()
}
