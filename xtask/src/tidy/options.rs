//! The core and the library do not mention command-line options, because other programs use them, too.

use super::source::Source;

const LIBRARIES: [&str; 2] = ["crates/halloo-proto/src/", "crates/halloo/src/"];

/// Options of `firewall-cmd`, which the diagnosis of a closed port names.
const ALLOWED: [&str; 3] = ["--add-port", "--add-service", "--permanent"];

/// The file that spells settings as options, for programs that ask for it.
const SPELLS_OPTIONS: &str = "crates/halloo-proto/src/setting_names.rs";

pub(super) fn check(source: &Source) -> Vec<String> {
    if SPELLS_OPTIONS == source.path || !LIBRARIES.iter().any(|library| source.path.starts_with(library)) {
        return Vec::new();
    }
    let named = |(index, line)| {
        let options = options(line).filter(|option| !ALLOWED.contains(option));
        options.map(move |option| {
            source.violation(index + 1, &format!("`{option}` is an option of a program; name the setting instead"))
        })
    };
    source.text.lines().enumerate().flat_map(named).collect()
}

/// Returns what looks like a long option: two dashes, then at least two lower-case letters or dashes.
fn options(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("--").filter_map(|(at, _)| {
        let after = &line[at + 2..];
        let length = after.find(|c: char| c != '-' && !c.is_ascii_lowercase()).unwrap_or(after.len());
        let begins = !line[..at].ends_with(|c: char| c == '-' || c.is_alphanumeric());
        (begins && length > 1 && !after.starts_with('-')).then(|| &line[at..at + 2 + length])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violations(path: &str, text: &str) -> Vec<String> {
        check(&Source { path: path.into(), text: text.into() })
    }

    #[test]
    fn an_option_in_a_library_is_named() {
        assert_eq!(
            violations("crates/halloo/src/error.rs", "\n#[error(\"use `--strict-port`, or not\")]"),
            ["crates/halloo/src/error.rs:2: `--strict-port` is an option of a program; name the setting instead"]
        );
        assert_eq!(violations("crates/halloo-proto/src/url.rs", "/// As `--tls` and `--bind` do.").len(), 2);
    }

    #[test]
    fn programs_may_name_options_and_dashes_are_none() {
        assert!(violations("crates/halloo-cli/src/main.rs", "\"--strict-port\"").is_empty());
        for line in ["-----BEGIN CERTIFICATE-----", "a -- b", "x---yy", "// ---- part", "firewall-cmd --add-port"] {
            assert!(violations("crates/halloo/src/tls.rs", line).is_empty(), "{line}");
        }
    }
}
