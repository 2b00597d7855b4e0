//! Escapes text from the network for logs and displays.

/// Returns `text` with control characters and invisible characters escaped, so that it cannot forge a log line.
///
/// The result has at most `limit` bytes, and an ellipsis if the text was cut. An escape sequence is never cut.
///
/// ```
/// assert_eq!(halloo_proto::text::escape("a\r\n\u{202e}b", 100), "a\\r\\n\\u{202e}b");
/// assert_eq!(halloo_proto::text::escape("abcdef", 3), "abc…");
/// ```
pub fn escape(text: &str, limit: usize) -> String {
    let mut out = String::new();
    for character in text.chars() {
        let before = out.len();
        if is_harmful(character) {
            out.extend(character.escape_default())
        } else {
            out.push(character)
        }
        // The escaped bytes count: an escape sequence has up to nine times the bytes of its character.
        if out.len() > limit {
            out.truncate(before);
            out.push('…');
            break;
        }
    }
    out
}

/// Returns whether a character could deceive when it is displayed: control characters, line separators, and characters
/// that reverse or hide text (Unicode's Bidi_Control, zero-width and tag characters, soft hyphens, blank letters).
pub fn is_harmful(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}' | '\u{200c}'
            | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
        // The zero-width joiner holds the parts of an emoji together, but is invisible elsewhere.
        || character == '\u{200d}'
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn harmful_characters_are_escaped() {
        for harmful in
            "\u{1b}\u{7f}\u{9b}\u{ad}\u{61c}\u{200b}\u{200f}\u{2028}\u{202e}\u{2069}\u{feff}\u{e0041}\r\n\t\0".chars()
        {
            let shown = escape(&harmful.to_string(), 100);
            assert!(shown.starts_with('\\') && shown.bytes().all(|byte| byte.is_ascii_graphic()), "{shown:?}");
        }
        for text in ["", "Grüße an Anna", "日本語", "🎮 👍🏽"] {
            assert_eq!(escape(text, 100), text);
        }
    }

    #[test]
    fn limit_counts_escaped_bytes() {
        for text in ["aé🎮\u{202e}b\n", "\u{202e}\u{202e}\u{202e}", "日本語日本語", "\r\r\r\r"] {
            let whole = escape(text, 100);
            for limit in 0..40 {
                let shown = escape(text, limit);
                let kept = shown.strip_suffix('…').unwrap_or(&shown);
                assert!(kept.len() <= limit && whole.starts_with(kept), "{shown:?} at {limit}");
                assert_eq!(kept == shown, whole.len() <= limit, "{shown:?} at {limit}");
            }
        }
    }
}
