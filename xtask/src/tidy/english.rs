//! Comments, messages and documents are written in technical English: a peer is "it", a function "returns" something.

use super::source::Source;

/// Words that are refused, also inside an identifier. Assembled, so that this file does not break its own rule.
const REFUSED: [&[&str]; 4] = [
    &[concat!("who", "ever")],
    &[concat!("some", "body")],
    &[concat!("no", "body")],
    &[concat!("an", "swers"), "whether"],
];

pub(super) fn check(source: &Source) -> Vec<String> {
    let words: Vec<(usize, String)> = words(&source.text).collect();
    let mut violations = Vec::new();
    for refused in REFUSED {
        for found in words.windows(refused.len()) {
            if found.iter().map(|(_, word)| word.as_str()).eq(refused.iter().copied()) {
                let message = format!("`{}`: use plain technical English", refused.join(" "));
                violations.push(source.violation(found[0].0, &message));
            }
        }
    }
    violations
}

/// Returns the words of a text in lower case, with their lines. Two words are neighbours across the end of a line.
fn words(text: &str) -> impl Iterator<Item = (usize, String)> {
    text.lines().enumerate().flat_map(|(index, line)| {
        let words = line.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty());
        words.map(move |word| (index + 1, word.to_lowercase()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violations(path: &str, text: &str) -> Vec<String> {
        check(&Source { path: path.into(), text: text.into() })
    }

    #[test]
    fn refused_words_are_named_with_their_line() {
        for refused in REFUSED {
            let phrase = refused.join(" ");
            assert_eq!(
                violations("xtask/b.md", &format!("One.\nThen {phrase}.")),
                [format!("xtask/b.md:2: `{phrase}`: use plain technical English")]
            );
        }
    }

    #[test]
    fn upper_case_identifiers_and_line_ends_do_not_hide_them() {
        let [word, ..] = REFUSED[2] else { unreachable!() };
        assert_eq!(violations("xtask/a.rs", &format!("fn {word}_is_left() {{}}")).len(), 1);
        assert_eq!(violations("xtask/a.py", &word.to_uppercase()).len(), 1);
        let wrapped = format!("/// It {}\n/// {} it is.", REFUSED[3][0], REFUSED[3][1]);
        assert_eq!(violations("xtask/a.rs", &wrapped).len(), 1);
    }

    #[test]
    fn other_words_pass() {
        assert!(violations("xtask/a.md", "It answers the question whether the body of a request ends.").is_empty());
    }
}
