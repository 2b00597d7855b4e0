//! What came from the network, made fit for a log line.

/// `text` with control characters and marks of writing direction escaped, cut after `limit` bytes.
///
/// ```
/// assert_eq!(halloo_proto::text::escape("a\r\n\u{202e}b", 100), "a\\r\\n\\u{202e}b");
/// assert_eq!(halloo_proto::text::escape("abcdef", 3), "abc…");
/// ```
pub fn escape(text: &str, limit: usize) -> String {
    let mut out = String::new();
    for (at, character) in text.char_indices() {
        if at + character.len_utf8() > limit {
            out.push('…');
            break;
        }
        if is_harmful(character) { out.extend(character.escape_default()) } else { out.push(character) }
    }
    out
}

/// Control characters, line separators, and what turns or hides text (Unicode's Bidi_Control and zero-width ones).
pub fn is_harmful(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}
