//! No file of a crate imports itself through others.
//!
//! What counts are `use` lines that name another file by `crate::…` or `super::…`. A parent that declares its children, or
//! re-exports from them, does not import them by that.

use std::collections::{BTreeMap, BTreeSet};

use super::source::Source;

/// Returns a complaint for each file that is on a circle of imports.
pub(super) fn check(sources: &[Source]) -> Vec<String> {
    let paths: BTreeSet<&str> =
        sources.iter().map(|source| source.path.as_str()).filter(|p| p.contains("/src/")).collect();
    let imports: BTreeMap<&str, BTreeSet<&str>> = sources
        .iter()
        .filter(|source| paths.contains(source.path.as_str()))
        .map(|source| (source.path.as_str(), imports_of(source, &paths)))
        .collect();
    let circles = paths.iter().filter_map(|&path| circle(path, &imports));
    circles.map(|circle| format!("{}: imports itself: {}", circle[0], circle.join(" -> "))).collect()
}

/// Returns the files that `source` imports from.
fn imports_of<'p>(source: &Source, paths: &BTreeSet<&'p str>) -> BTreeSet<&'p str> {
    let mut imports = BTreeSet::new();
    // Tests at the end of a file may look at anything.
    let code = source.text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    for statement in code.split(';') {
        let statement = statement.trim_start_matches(|c: char| c.is_whitespace());
        let line =
            statement.lines().skip_while(|line| !line.trim_start().starts_with("use ")).collect::<Vec<_>>().join(" ");
        let Some(path) = line.trim_start().strip_prefix("use ") else { continue };
        for item in expand(path) {
            imports.extend(resolve(&source.path, &item, paths));
        }
    }
    imports
}

/// Expands `a::{b, c::d}` into `a::b` and `a::c::d`.
fn expand(path: &str) -> Vec<String> {
    let Some((head, rest)) = path.split_once('{') else { return vec![path.trim().to_owned()] };
    let rest = rest.rsplit_once('}').map_or(rest, |(inner, _)| inner);
    let (mut items, mut depth, mut item) = (Vec::new(), 0, String::new());
    for character in rest.chars().chain([',']) {
        match character {
            ',' if depth == 0 => {
                items.extend(expand(&format!("{}{}", head.trim(), item.trim())));
                item.clear();
            }
            _ => {
                depth += i32::from(character == '{') - i32::from(character == '}');
                item.push(character);
            }
        }
    }
    items
}

/// Returns the deepest file that the path of an import names, unless that is only a parent that re-exports it.
fn resolve<'p>(from: &str, item: &str, paths: &BTreeSet<&'p str>) -> Option<&'p str> {
    let (source_root, inside) = from.split_once("/src/")?;
    let own: Vec<&str> = inside.trim_end_matches(".rs").trim_end_matches("/mod").split('/').collect();
    let is_root = matches!(own[..], ["lib" | "main"]);
    let mut module: Vec<&str> = if is_root { Vec::new() } else { own };
    let mut parts = item.split("::").map(str::trim).peekable();
    match parts.next()? {
        "crate" => module.clear(),
        "super" => {
            module.pop();
        }
        "self" => {}
        _ => return None,
    }
    while parts.next_if_eq(&"super").is_some() {
        module.pop();
    }
    let mut deepest = None;
    for part in parts {
        module.push(part);
        let stem = format!("{source_root}/src/{}", module.join("/"));
        let files = [format!("{stem}.rs"), format!("{stem}/mod.rs")];
        deepest = paths.iter().copied().find(|path| files.iter().any(|file| file == path)).or(deepest);
    }
    deepest.filter(|target| !target.starts_with(from.trim_end_matches(".rs").trim_end_matches("/mod")))
}

/// Returns the shortest circle through `start`.
fn circle<'p>(start: &'p str, imports: &BTreeMap<&'p str, BTreeSet<&'p str>>) -> Option<Vec<&'p str>> {
    let mut routes = vec![vec![start]];
    let mut seen = BTreeSet::new();
    while !routes.is_empty() {
        let mut longer = Vec::new();
        for route in routes {
            for &next in imports.get(route[route.len() - 1]).into_iter().flatten() {
                if next == start {
                    return Some([&route[..], &[start]].concat());
                }
                if seen.insert(next) {
                    longer.push([&route[..], &[next]].concat());
                }
            }
        }
        routes = longer;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source { path: path.into(), text: text.into() }
    }

    #[test]
    fn circle_is_found_with_its_files_and_a_tree_is_not() {
        let tree = [
            source("crates/a/src/lib.rs", "mod one;\nmod two;\npub use one::One;\n"),
            source(
                "crates/a/src/one.rs",
                "mod part;\nuse part::Part;\nuse crate::two::{\n    Two,\n    other::Other,\n};\n",
            ),
            source("crates/a/src/one/part.rs", "use super::super::two::Two;\n"),
            source("crates/a/src/two.rs", "use std::io;\n"),
        ];
        assert_eq!(check(&tree), [""; 0]);
        let mut circle = tree;
        circle[3].text = "use std::io;\nuse crate::one::part::Part;\n".into();
        let complaints = check(&circle);
        assert_eq!(complaints.len(), 2, "{complaints:?}");
        assert!(complaints[0].contains("part.rs -> crates/a/src/two.rs -> crates/a/src/one/part.rs"), "{complaints:?}");
    }

    #[test]
    fn nested_lists_are_expanded() {
        assert_eq!(expand("crate::{a, b::{c, d}}"), ["crate::a", "crate::b::c", "crate::b::d"]);
    }
}
