//! Escapes text from the network for logs and displays.

use unicode_properties::{GeneralCategory, UnicodeEmoji, UnicodeGeneralCategory};

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

/// Returns whether a character could deceive when it is displayed: control and format characters (Unicode's categories Cc and
/// Cf), line separators, characters that are not displayed (Default_Ignorable_Code_Point), and unusual spaces. No-break spaces
/// and the wide space of East Asian scripts are usual.
pub fn is_harmful(character: char) -> bool {
    if matches!(character, ' '..='~') {
        return false;
    }
    character.is_control()
        || character.general_category() == GeneralCategory::Format
        || is_default_ignorable(character)
        || matches!(character, '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{2028}' | '\u{2029}' | '\u{205f}')
}

/// Returns whether a character is not displayed, although it is no format character. Unicode reserves whole blocks for such
/// characters, so that this rarely changes. No small crate has this property.
fn is_default_ignorable(character: char) -> bool {
    matches!(character,
        '\u{34f}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{2065}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{e0000}'..='\u{e0fff}')
}

/// Holds the parts of an emoji together.
const ZERO_WIDTH_JOINER: char = '\u{200d}';
/// Separates letters that would be joined, such as in Persian words.
const ZERO_WIDTH_NON_JOINER: char = '\u{200c}';
/// Displays a character that is also an emoji as text.
const TEXT_STYLE: char = '\u{fe0e}';
/// Displays a character as an emoji.
const EMOJI_STYLE: char = '\u{fe0f}';
/// Encloses a digit as on a key.
const KEYCAP: char = '\u{20e3}';

/// Returns whether the character is invisible, but may change how its neighbours look.
pub(crate) fn is_joiner(character: char) -> bool {
    matches!(character, ZERO_WIDTH_JOINER | ZERO_WIDTH_NON_JOINER | TEXT_STYLE | EMOJI_STYLE)
}

/// Returns whether `character` is a joiner or a variation selector that changes how its neighbours look, so that it hides
/// nothing: between two emoji, after the virama of an Indic script, or between Arabic letters (RFC 5892 appendix A.1 and
/// A.2); after an emoji, or between a digit and its keycap (UTS #51).
pub fn is_joining(before: Option<char>, character: char, after: Option<char>) -> bool {
    let Some(before) = before else { return false };
    let is_after_virama = is_virama(before) && after.is_some_and(|after| matches!(after, '\u{900}'..='\u{dff}'));
    match character {
        ZERO_WIDTH_JOINER => {
            is_after_virama || ((is_emoji(before) || before == EMOJI_STYLE) && after.is_some_and(is_emoji))
        }
        ZERO_WIDTH_NON_JOINER => is_after_virama || (is_arabic_letter(before) && after.is_some_and(is_arabic_letter)),
        TEXT_STYLE | EMOJI_STYLE => {
            let is_key = before.is_ascii_digit() || matches!(before, '#' | '*');
            is_emoji(before) || (is_key && after == Some(KEYCAP))
        }
        _ => false,
    }
}

/// Returns whether the character is an emoji, or in a block of pictures, of which emoji are composed.
fn is_emoji(character: char) -> bool {
    let is_picture = matches!(character, '\u{2190}'..='\u{21ff}' | '\u{2300}'..='\u{2bff}' | '\u{1f000}'..='\u{1faff}');
    is_picture || (!character.is_ascii() && character.is_emoji_char())
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

    /// Format characters, characters that are not displayed, and spaces that look like others or like nothing.
    #[test]
    fn invisible_characters_of_every_script_are_escaped() {
        let ranges: [&[std::ops::RangeInclusive<u32>]; 3] = [
            &[
                0xad..=0xad,
                0x600..=0x605,
                0x61c..=0x61c,
                0x6dd..=0x6dd,
                0x70f..=0x70f,
                0x890..=0x891,
                0x8e2..=0x8e2,
                0x200b..=0x200f,
                0x202a..=0x202e,
                0x2060..=0x206f,
                0xfff9..=0xfffb,
                0x110bd..=0x110bd,
                0x110cd..=0x110cd,
                0x13430..=0x1343f,
                0x1bca0..=0x1bca3,
                0x1d173..=0x1d17a,
            ],
            &[
                0x34f..=0x34f,
                0x115f..=0x1160,
                0x17b4..=0x17b5,
                0x180b..=0x180f,
                0x3164..=0x3164,
                0xfe00..=0xfe0f,
                0xfeff..=0xfeff,
                0xffa0..=0xffa0,
                0xfff0..=0xfff8,
                0xe0000..=0xe0fff,
            ],
            &[0x1680..=0x1680, 0x2000..=0x200a, 0x2028..=0x2029, 0x205f..=0x205f, 0x85..=0x85],
        ];
        for character in ranges.into_iter().flatten().flat_map(|range| range.clone()).filter_map(char::from_u32) {
            let shown = escape(&format!("a{character}b"), 100);
            assert_eq!(shown, format!("a\\u{{{:x}}}b", u32::from(character)));
            assert_eq!(crate::name::clean(&format!("Den{character}"), 64).trim_end(), "Den", "{shown}");
        }
    }

    #[test]
    fn characters_that_change_what_is_displayed_stay() {
        for text in [
            "❤\u{fe0f}",
            "☎\u{fe0e}",
            "©\u{fe0f} ™\u{fe0f} ‼\u{fe0f}",
            "1\u{fe0f}\u{20e3} #\u{fe0f}\u{20e3}",
            "🏳\u{fe0f}\u{200d}🌈",
            "👨\u{200d}👩\u{200d}👧\u{200d}👦",
            "e\u{301} ü ß ñ",
            "ไทย हिन्दी ខ្មែរ ᠮᠣᠩᠭᠣᠯ עברית",
            "居間\u{3000}一",
            "42\u{a0}%",
        ] {
            assert_eq!(escape(text, 200), text);
        }
        for text in
            ["a\u{fe0f}", "1\u{fe0f}", "1\u{fe0f}a", "\u{fe0f}", "❤\u{fe0f}\u{fe0f}", "❤\u{fe00}", "葛\u{e0100}"]
        {
            assert!(escape(text, 100).contains("\\u{"), "{text:?}");
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
