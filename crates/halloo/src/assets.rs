//! The files that are part of the server, for pages.

use std::sync::LazyLock;

use crate::pad;

/// The content of each route with `Resource::Asset`.
const ASSETS: &[(&str, &[u8])] = &[
    ("/_halloo/client.js", include_bytes!("assets/client.js")),
    ("/_halloo/page.js", include_bytes!("assets/page.js")),
    ("/_halloo/access.js", include_bytes!("assets/access.js")),
    ("/_halloo/pad.js", pad::SCRIPT.as_bytes()),
    ("/_halloo/pad.png", include_bytes!("pad/pad.png")),
    ("/_halloo/pad.webmanifest", include_bytes!("pad/pad.webmanifest")),
];

/// The assets as they are served.
static SERVED: LazyLock<Vec<(&str, Vec<u8>)>> =
    LazyLock::new(|| ASSETS.iter().map(|&(path, content)| (path, to_served(path, content))).collect());

/// Returns the content of the asset with this path.
pub(crate) fn find(path: &str) -> &'static [u8] {
    SERVED.iter().find(|(name, _)| *name == path).map_or(&[], |(_, content)| content)
}

/// Removes indentation, lines of comments, and spaces and ends of lines beside punctuation from a script, which are a third
/// of it.
fn to_served(path: &str, content: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(content).ok().filter(|_| path.ends_with(".js"));
    let Some(text) = text else { return content.to_owned() };
    let (mut served, mut is_template) = (String::new(), false);
    let lines = text.lines().map(str::trim);
    for line in lines.filter(|line| !(line.is_empty() || line.starts_with("//") || line.starts_with("/**"))) {
        // What may be a template, a regular expression or an escaped quote keeps its spaces.
        let is_kept = is_template || line.contains(['`', '\'', '/', '\\']);
        served.push_str(&if is_kept { line.to_owned() } else { without_spaces(line) });
        // Where a statement ends without a semicolon, the end of the line is needed.
        if is_kept || !line.ends_with([';', ',', '{', '(', '[']) {
            served.push('\n');
        }
        is_template ^= line.matches('`').count() % 2 == 1;
    }
    served.into_bytes()
}

/// Removes the spaces beside punctuation that are not in a text.
fn without_spaces(line: &str) -> String {
    let is_punctuation = |character: char| "=,{}():;?&|<>".contains(character);
    let (mut kept, mut is_text, mut characters) = (String::new(), false, line.chars().peekable());
    while let Some(character) = characters.next() {
        is_text ^= character == '"';
        let is_beside = kept.ends_with(is_punctuation) || characters.peek().is_some_and(|next| is_punctuation(*next));
        if is_text || character != ' ' || !is_beside {
            kept.push(character);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use halloo_proto::routes::{ROUTES, Resource};

    use super::*;

    #[test]
    fn every_asset_has_a_route_and_a_content() {
        let routes: Vec<_> = ROUTES.iter().filter(|route| route.resource == Resource::Asset).collect();
        assert!(routes.iter().all(|route| !find(route.path).is_empty()));
        assert_eq!(routes.len(), ASSETS.len());
    }

    #[test]
    fn client_has_at_most_eight_kibibytes() {
        let size = find("/_halloo/client.js").len();
        assert!(size <= 8 << 10, "{size} bytes");
    }

    #[test]
    fn only_spaces_that_mean_nothing_are_removed() {
        let script = "  const a = b ? \"x = y\" : [1, - 1],\n  c = a instanceof B;\n// no\n\ng()\nx = `\n p { q }\n`;\nz = / = /;\n";
        let served = to_served("/a.js", script.as_bytes());
        let expected = "const a=b?\"x = y\":[1,- 1],c=a instanceof B;g()\nx = `\np { q }\n`;\nz = / = /;\n";
        assert_eq!(String::from_utf8(served).unwrap(), expected);
    }

    #[test]
    fn scripts_are_written_so_that_removing_lines_changes_nothing() {
        for (path, content) in ASSETS.iter().filter(|(path, _)| path.ends_with(".js")) {
            // The template with the style of the pad may lose indentation and empty lines.
            let script = std::str::from_utf8(content).unwrap().rsplit("\n`;\n").next().unwrap();
            for line in script.lines() {
                assert!(line.matches('`').count() % 2 == 0, "{path}: a template of several lines: {line}");
                assert!(!line.contains("/*") || line.trim_end().ends_with("*/"), "{path}: {line}");
                assert!(line.len() <= 130 || *path == "/_halloo/pad.js", "{path}: {line}");
            }
        }
    }
}
