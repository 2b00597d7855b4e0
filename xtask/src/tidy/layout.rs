//! The layout of modules: a module `foo` is in `foo.rs` beside `foo/`, and its name says what it is for.

use super::source::Source;

/// A name that says nothing about the purpose.
const NAMELESS: &str = "utils";

pub(super) fn check(source: &Source) -> Vec<String> {
    let mut violations = Vec::new();
    let parts: Vec<&str> = source.path.split('/').collect();
    if parts.last() == Some(&"mod.rs") && !parts.contains(&"tests") {
        let module = source.path.trim_end_matches("/mod.rs");
        violations.push(source.violation(1, &format!("call it {module}.rs")));
    }
    if parts.iter().any(|part| part.trim_end_matches(".rs") == NAMELESS) {
        violations.push(source.violation(1, "name the module after its purpose"));
    }
    for (number, line) in source.code_lines() {
        if declares_nameless(line) {
            violations.push(source.violation(number, "name the module after its purpose"));
        }
    }
    violations
}

fn declares_nameless(line: &str) -> bool {
    let mut words = line.split(|c: char| c != '_' && !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.any(|word| word == "mod") && words.next() == Some(NAMELESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violations(path: &str, text: &str) -> Vec<String> {
        check(&Source { path: path.into(), text: text.into() })
    }

    #[test]
    fn mod_rs_is_refused_outside_of_tests() {
        let found = violations("crates/a/src/load/mod.rs", "");
        assert_eq!(found, ["crates/a/src/load/mod.rs:1: call it crates/a/src/load.rs"]);
        assert!(violations("crates/a/tests/common/mod.rs", "").is_empty());
        assert!(violations("crates/a/src/load.rs", "").is_empty());
    }

    #[test]
    fn a_module_without_a_purpose_is_refused() {
        assert_eq!(violations("a/utils.rs", "").len(), 1);
        assert_eq!(violations("a/utils/b.rs", "").len(), 1);
        assert_eq!(violations("a.rs", &format!("pub(crate) mod {NAMELESS} {{")).len(), 1);
        assert!(violations("a.rs", "mod frame;\nuse other::utils;").is_empty());
    }
}
