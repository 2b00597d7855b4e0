//! Rules on the text of any Rust file: its length, what is left unfinished, what it is called.

use super::source::Source;

/// A file that no longer fits one reading has more than one purpose.
const MAX_LINES: usize = 500;

/// Macros that mark unfinished work.
const UNFINISHED: [&str; 3] = ["todo", "unimplemented", "dbg"];

/// Put together here, so that this file does not break its own rule.
const IGNORED_TEST: &str = concat!("#[", "ignore");

/// A name that says nothing about the purpose.
const NAMELESS: &str = "utils";

pub(super) fn check(source: &Source) -> Vec<String> {
    let mut complaints = Vec::new();
    let length = source.text.lines().count();
    if length > MAX_LINES {
        complaints.push(source.complaint(length, &format!("{length} lines; split it, the limit is {MAX_LINES}")));
    }
    if source.path.split('/').any(|part| part.trim_end_matches(".rs") == NAMELESS) {
        complaints.push(source.complaint(1, "name the module after its purpose"));
    }
    for (number, line) in source.code_lines() {
        for name in UNFINISHED {
            if calls(line, name) {
                complaints.push(source.complaint(number, &format!("`{name}!` is left in the code")));
            }
        }
        if line.contains(IGNORED_TEST) {
            complaints.push(source.complaint(number, "a test that never runs; mend it or remove it"));
        }
        if declares_nameless(line) {
            complaints.push(source.complaint(number, "name the module after its purpose"));
        }
    }
    complaints
}

/// Whether the line calls the macro `name` itself, not one whose name merely ends so.
fn calls(line: &str, name: &str) -> bool {
    let call = format!("{name}!(");
    line.match_indices(&call)
        .any(|(at, _)| !line[..at].ends_with(|before: char| before == '_' || before.is_alphanumeric()))
}

fn declares_nameless(line: &str) -> bool {
    let mut words = line.split(|c: char| c != '_' && !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.any(|word| word == "mod") && words.next() == Some(NAMELESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(path: &str, text: &str) -> Vec<String> {
        check(&Source { path: path.into(), text: text.into() })
    }

    #[test]
    fn a_long_file_is_named() {
        assert!(complaints("crates/a/src/lib.rs", &"\n".repeat(MAX_LINES)).is_empty());
        let found = complaints("crates/a/src/lib.rs", &"\n".repeat(MAX_LINES + 1));
        assert_eq!(found, ["crates/a/src/lib.rs:501: 501 lines; split it, the limit is 500"]);
    }

    #[test]
    fn unfinished_work_is_named() {
        for name in UNFINISHED {
            let found = complaints("a.rs", &format!("fn f() {{\n    {name}!(\"later\")\n}}"));
            assert_eq!(found, [format!("a.rs:2: `{name}!` is left in the code")]);
            assert!(complaints("a.rs", &format!("// {name}!(1)\nnot_{name}!(1);")).is_empty());
        }
    }

    #[test]
    fn a_test_that_never_runs_is_named() {
        for attribute in ["]", " = \"slow\"]"] {
            let found = complaints("a.rs", &format!("{IGNORED_TEST}{attribute}\nfn f() {{}}"));
            assert_eq!(found, ["a.rs:1: a test that never runs; mend it or remove it"]);
        }
    }

    #[test]
    fn a_module_without_a_purpose_is_named() {
        assert_eq!(complaints("a/utils.rs", "").len(), 1);
        assert_eq!(complaints("a/utils/b.rs", "").len(), 1);
        assert_eq!(complaints("a.rs", &format!("pub(crate) mod {NAMELESS} {{")).len(), 1);
        assert!(complaints("a.rs", "mod frame;\nuse other::utils;").is_empty());
    }
}
