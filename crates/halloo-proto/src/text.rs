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
    // Most texts need nothing, and one is logged for every client that leaves.
    if text.len() <= limit && text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut characters = text.chars().peekable();
    let mut last = None;
    while let Some(character) = characters.next() {
        let before = out.len();
        if is_harmful(character) && !is_joining(last, character, characters.peek().copied()) {
            out.extend(character.escape_default())
        } else {
            out.push(character)
        }
        last = Some(character);
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
        // Except where it joins two characters, which depends on them.
        || character == ZERO_WIDTH_JOINER
}

/// Holds the parts of an emoji together.
pub(crate) const ZERO_WIDTH_JOINER: char = '\u{200d}';
/// Separates letters that would be joined, such as in Persian words.
pub(crate) const ZERO_WIDTH_NON_JOINER: char = '\u{200c}';

/// Returns whether `character` is a joiner that changes how its neighbours look, so that it hides nothing: between two
/// emoji, after the virama of an Indic script, or between Arabic letters (RFC 5892 appendix A.1 and A.2).
pub fn is_joining(before: Option<char>, character: char, after: Option<char>) -> bool {
    let (Some(before), Some(after)) = (before, after) else { return false };
    let after_virama = is_virama(before) && matches!(after, '\u{900}'..='\u{dff}');
    match character {
        ZERO_WIDTH_JOINER => after_virama || ((is_emoji(before) || before == '\u{fe0f}') && is_emoji(after)),
        ZERO_WIDTH_NON_JOINER => after_virama || (is_arabic_letter(before) && is_arabic_letter(after)),
        _ => false,
    }
}

/// Returns whether the character is in a block of pictures, of which emoji are composed.
fn is_emoji(character: char) -> bool {
    matches!(character, '\u{2190}'..='\u{21ff}' | '\u{2300}'..='\u{2bff}' | '\u{1f000}'..='\u{1faff}')
}

fn is_virama(character: char) -> bool {
    matches!(
        character,
        '\u{94d}'
            | '\u{9cd}'
            | '\u{a4d}'
            | '\u{acd}'
            | '\u{b4d}'
            | '\u{bcd}'
            | '\u{c4d}'
            | '\u{ccd}'
            | '\u{d4d}'
            | '\u{dca}'
    )
}

fn is_arabic_letter(character: char) -> bool {
    matches!(character, '\u{620}'..='\u{64a}' | '\u{671}'..='\u{6d3}' | '\u{6fa}'..='\u{6ff}' | '\u{750}'..='\u{77f}')
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
        for text in ["", "Grüße an Anna", "日本語", "🎮 👍🏽", "👩‍🚀", "کتاب\u{200c}خانه", "क्\u{200d}ष"]
        {
            assert_eq!(escape(text, 100), text);
        }
    }

    #[test]
    fn joiners_that_join_nothing_are_escaped() {
        for text in ["a\u{200d}b", "\u{200d}🎮", "🎮\u{200d}", "🎮\u{200d}\u{200d}🎮", "a\u{200c}b", "🎮\u{200c}🎮"]
        {
            assert!(escape(text, 100).contains("\\u{200"), "{text:?}");
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
