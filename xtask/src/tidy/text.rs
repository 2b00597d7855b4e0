//! Rules on the text of a Rust file: its length, and unfinished work.

use super::source::Source;

/// A file that is longer has more than one purpose.
const MAX_LINES: usize = 500;

/// Macros that mark unfinished work.
const UNFINISHED: [&str; 3] = ["todo", "unimplemented", "dbg"];

/// Assembled, so that this file does not break its own rule.
const IGNORED_TEST: &str = concat!("#[", "ignore");

pub(super) fn check(source: &Source) -> Vec<String> {
    let mut violations = Vec::new();
    let length = source.text.lines().count();
    if length > MAX_LINES {
        violations.push(source.violation(length, &format!("{length} lines; split it, the limit is {MAX_LINES}")));
    }
    for (number, line) in source.code_lines() {
        for name in UNFINISHED {
            if calls(line, name) {
                violations.push(source.violation(number, &format!("`{name}!` is left in the code")));
            }
        }
        if line.contains(IGNORED_TEST) {
            violations.push(source.violation(number, "an ignored test never runs; fix it or remove it"));
        }
    }
    violations
}

/// Returns whether the line calls the macro `name` itself, not one whose name merely ends with it.
fn calls(line: &str, name: &str) -> bool {
    let call = format!("{name}!(");
    line.match_indices(&call)
        .any(|(at, _)| !line[..at].ends_with(|before: char| before == '_' || before.is_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violations(path: &str, text: &str) -> Vec<String> {
        check(&Source { path: path.into(), text: text.into() })
    }

    #[test]
    fn a_long_file_is_refused() {
        assert!(violations("crates/a/src/lib.rs", &"\n".repeat(MAX_LINES)).is_empty());
        let found = violations("crates/a/src/lib.rs", &"\n".repeat(MAX_LINES + 1));
        assert_eq!(found, ["crates/a/src/lib.rs:501: 501 lines; split it, the limit is 500"]);
    }

    #[test]
    fn unfinished_work_is_refused() {
        for name in UNFINISHED {
            let found = violations("a.rs", &format!("fn f() {{\n    {name}!(\"later\")\n}}"));
            assert_eq!(found, [format!("a.rs:2: `{name}!` is left in the code")]);
            assert!(violations("a.rs", &format!("// {name}!(1)\nnot_{name}!(1);")).is_empty());
        }
    }

    #[test]
    fn an_ignored_test_is_refused() {
        for attribute in ["]", " = \"slow\"]"] {
            let found = violations("a.rs", &format!("{IGNORED_TEST}{attribute}\nfn f() {{}}"));
            assert_eq!(found, ["a.rs:1: an ignored test never runs; fix it or remove it"]);
        }
    }
}
