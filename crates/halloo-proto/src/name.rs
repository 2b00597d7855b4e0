//! Names of servers: how they are displayed, and how they are compared.

use unicode_normalization::UnicodeNormalization;

use crate::text::{is_harmful, is_joiner, is_joining};

/// Maximum length of a name in characters, so that a beacon has at most 512 bytes even if every character is escaped.
pub const MAX_NAME_CHARS: usize = 64;

/// Returns `text` in Normalization Form C of Unicode, without characters that could deceive when it is displayed, and with the
/// usual space for other spaces, cut to `limit` characters.
///
/// ```
/// use halloo_proto::name::clean;
///
/// assert_eq!(clean("Cafe\u{301} \u{202e}1", 64), "Café 1");
/// ```
pub fn clean(text: &str, limit: usize) -> String {
    let is_kept = |character: char| !is_harmful(character) || is_joiner(character);
    let mut characters = text.chars().map(usual_space).filter(|&character| is_kept(character)).peekable();
    let mut kept = String::with_capacity(text.len());
    let mut last = None;
    while let Some(character) = characters.next() {
        if !is_joiner(character) || is_joining(last, character, characters.peek().copied()) {
            kept.push(character);
            last = Some(character);
        }
    }
    let mut cut: String = kept.nfc().take(limit).collect();
    // The character that it joined was cut.
    while let Some(last) = cut.chars().next_back().filter(|last| is_joiner(*last)) {
        let before = cut[..cut.len() - last.len_utf8()].chars().next_back();
        if is_joining(before, last, None) {
            break;
        }
        cut.pop();
    }
    cut
}

/// Returns a space for every character that looks like one, such as the empty Braille pattern.
fn usual_space(character: char) -> char {
    let is_space = character.is_whitespace() && !is_line_end(character);
    if is_space || character == '\u{2800}' { ' ' } else { character }
}

fn is_line_end(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}' | '\u{2029}')
}

/// Returns whether nothing of a name is visible.
pub fn is_blank(name: &str) -> bool {
    key(name).is_empty()
}

/// How well a text matches the name of a server, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NameMatch {
    /// It is the beginning of the name, followed by an ellipsis, as in a table whose columns are narrow.
    Truncated,
    /// Both have the same letters and digits: `living-room` is "Living Room".
    Slug,
    /// It is the name, apart from upper and lower case and from the form of its characters.
    Equal,
}

/// Returns how well `text` matches `name`; `None` if it does not.
///
/// ```
/// use halloo_proto::name::{NameMatch, compare};
///
/// assert_eq!(compare("LIVING room", "Living Room"), Some(NameMatch::Equal));
/// assert_eq!(compare("living-room", "Living Room"), Some(NameMatch::Slug));
/// assert_eq!(compare("Living…", "Living Room"), Some(NameMatch::Truncated));
/// assert_eq!(compare("Living", "Living Room"), None);
/// ```
pub fn compare(text: &str, name: &str) -> Option<NameMatch> {
    let (sought, name) = (key(text), key(name));
    if sought.is_empty() {
        return None;
    }
    if sought == name {
        return Some(NameMatch::Equal);
    }
    let slug_of_text = slug(&sought);
    if !slug_of_text.is_empty() && slug_of_text == slug(&name) {
        return Some(NameMatch::Slug);
    }
    let beginning = sought.strip_suffix('…').unwrap_or_default();
    (!beginning.is_empty() && name.starts_with(beginning)).then_some(NameMatch::Truncated)
}

/// How well a text matches a server, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ServerMatch {
    /// It matches the name.
    Name(NameMatch),
    /// It is the id.
    Id,
}

/// Returns how well `text` matches the server with this id and name; `None` if it does not.
pub fn match_server(text: &str, id: &str, name: &str) -> Option<ServerMatch> {
    if has_id(text, id) {
        return Some(ServerMatch::Id);
    }
    compare(text, name).map(ServerMatch::Name)
}

/// Returns whether `text` is the id of a server, without regard to case.
pub fn has_id(text: &str, id: &str) -> bool {
    id.eq_ignore_ascii_case(text.trim())
}

/// Returns the servers that `text` matches best, and the others. `id_and_name` returns what a server is compared by. More
/// than one means that the text is ambiguous.
///
/// ```
/// let servers = ["den", "Den", "the den"];
/// let (matching, others) = halloo_proto::name::best_matches("den", servers, |name| ("", name));
/// assert_eq!((matching, others), (vec!["den", "Den"], vec!["the den"]));
/// ```
pub fn best_matches<T>(
    text: &str,
    servers: impl IntoIterator<Item = T>,
    id_and_name: impl Fn(&T) -> (&str, &str),
) -> (Vec<T>, Vec<T>) {
    let match_with = |server: &T| {
        let (id, name) = id_and_name(server);
        match_server(text, id, name)
    };
    let servers: Vec<T> = servers.into_iter().collect();
    let best = servers.iter().filter_map(match_with).max();
    servers.into_iter().partition(|server| best.is_some() && match_with(server) == best)
}

/// Returns whether two application ids are the same: in the form in which names are compared.
///
/// ```
/// assert!(halloo_proto::name::is_same_app("TANKS ", "Tanks"));
/// assert!(!halloo_proto::name::is_same_app("Tanks", "Tanks 2"));
/// ```
pub fn is_same_app(one: &str, other: &str) -> bool {
    !is_blank(one) && key(one) == key(other)
}

/// Returns the form of a name in which it is compared: as it is displayed, but without case, invisible characters, and
/// space around it or repeated.
pub fn key(name: &str) -> String {
    let shown = clean(name.trim(), MAX_NAME_CHARS);
    let is_visible = |character: &char| !is_joiner(*character);
    // By way of upper case, so that the two forms of some letters become one, such as both kinds of sigma.
    let folded = shown.chars().filter(is_visible).flat_map(char::to_uppercase).flat_map(char::to_lowercase);
    let folded: String = folded.nfc().collect();
    folded.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns the letters and digits of a key, with one hyphen for each run of other characters between them.
fn slug(key: &str) -> String {
    let words = key.split(|character: char| !character.is_alphanumeric() && !is_mark(character));
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-")
}

/// Returns whether the character belongs to the letter before it.
fn is_mark(character: char) -> bool {
    unicode_normalization::char::is_combining_mark(character)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn joiners_of_emoji_survive_and_others_do_not() {
        for text in ["👨‍👩‍👧‍👦", "👩🏽‍🚀", "❤\u{fe0f}\u{200d}🔥", "🏳\u{fe0f}\u{200d}🌈", "کتاب\u{200c}خانه"]
        {
            assert_eq!(clean(text, 64), text);
        }
        for text in ["D\u{200d}en", "Den\u{200d}", "\u{200d}Den", "D\u{200c}en", "De\u{200d}\u{202e}\u{200d}n"] {
            assert_eq!(clean(text, 64), "Den");
        }
        assert_eq!(clean("👨‍👩‍👧‍👦", 4), "👨‍👩", "the joiner is not left at the end");
    }

    #[test]
    fn names_that_look_the_same_become_the_same() {
        for invisible in
            ["\u{fe0f}", "\u{e0100}", "\u{180b}", "\u{180e}", "\u{17b4}", "\u{1d173}", "\u{1bca0}", "\u{13430}"]
        {
            for text in [format!("D{invisible}en"), format!("Den{invisible}"), format!("{invisible}Den")] {
                assert_eq!(clean(&text, 64), "Den", "{text:?}");
            }
        }
        for space in ["\u{a0}", "\u{1680}", "\u{2007}", "\u{200a}", "\u{202f}", "\u{205f}", "\u{3000}", "\u{2800}"] {
            assert_eq!(clean(&format!("Living{space}room"), 64), "Living room", "{space:?}");
        }
        assert_eq!(clean("❤\u{fe0f} 1\u{fe0f}\u{20e3}", 64), "❤\u{fe0f} 1\u{fe0f}\u{20e3}");
        assert_eq!(clean("❤\u{fe0f}", 1), "❤");
    }

    #[test]
    fn names_in_different_forms_are_equal() {
        for (text, name) in [
            ("Cafe\u{301}", "Caf\u{e9}"),
            ("DR. O\u{308}Z V2.0", "Dr. Öz v2.0"),
            ("  den ", "Den"),
            ("living  room", "Living Room"),
            ("ΟΔΟΣ", "οδος"),
            ("STRASSE", "Straße"),
            ("👨👩👧👦", "👨‍👩‍👧‍👦"),
            ("❤", "❤\u{fe0f}"),
            ("\u{1112}\u{1161}\u{11ab}", "한"),
        ] {
            assert_eq!(compare(text, name), Some(NameMatch::Equal), "{text} {name}");
        }
        let long = "e\u{301}".repeat(100);
        assert_eq!(compare(&long, &clean(&long, MAX_NAME_CHARS)), Some(NameMatch::Equal));
    }

    #[test]
    fn slugs_and_truncated_names_match_less_well() {
        for (text, name) in [("living-room", "Living Room"), ("dr-öz-v2-0", "Dr. Öz v2.0"), ("a_b", "[A] B!")] {
            assert_eq!(compare(text, name), Some(NameMatch::Slug), "{text} {name}");
        }
        assert_eq!(compare("The long na…", "The long name"), Some(NameMatch::Truncated));
        for (text, name) in [("", ""), ("  ", "  "), ("den", "den 2"), ("-", "☃"), ("…", "den"), ("café", "cafe")]
        {
            assert_eq!(compare(text, name), None, "{text} {name}");
        }
    }

    #[test]
    fn names_without_a_visible_character_are_blank() {
        for name in ["", "   ", "\u{202e}\n\t", "\u{a0}\u{3000}", "\u{200b}", "\u{fe0f}", "\u{200d}", "\u{2800}"] {
            assert!(is_blank(name), "{name:?}");
        }
        assert!(!is_blank("-") && !is_blank("☃"));
    }

    proptest! {
        #[test]
        fn every_name_is_found_as_it_is_written_and_as_it_is_displayed(name in any::<String>()) {
            let shown = clean(&name, MAX_NAME_CHARS);
            prop_assert_eq!(clean(&shown, MAX_NAME_CHARS), shown.clone());
            if !is_blank(&name) {
                let decomposed: String = name.nfd().collect();
                for written in [&shown, &decomposed, &shown.trim().to_owned()] {
                    prop_assert_eq!(compare(written, &shown), Some(NameMatch::Equal), "{:?}", written);
                }
            }
        }
    }
}
