//! The files of a crate have no import cycles.
//!
//! A file imports another when it names something that is defined there. `mod child;` is not an import, and neither is a
//! re-export (`pub use`) that the file itself does not use: a name belongs to the file that defines it.

mod modules;
mod syntax;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use anyhow::Result;

use self::modules::{Imports, Modules};
use super::source::Source;

/// Finds the import cycles in the `src` directory of every crate.
pub(super) fn check(sources: &[Source]) -> Result<Vec<String>> {
    let mut crates: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
    for source in sources.iter().filter(|source| source.is_rust()) {
        if let Some((name, file)) = source.path.split_once("/src/") {
            crates.entry(name).or_default().push((file, &source.text));
        }
    }
    let mut violations = Vec::new();
    for (name, files) in crates {
        let imports = Modules::read(&files)?.imports();
        let directory = format!("{name}/src");
        violations.extend(groups(&imports).iter().map(|group| describe(&directory, group, &imports)));
    }
    Ok(violations)
}

/// Returns the largest groups of files that all import each other.
fn groups(imports: &Imports) -> Vec<Vec<&str>> {
    let mut groups = Vec::new();
    let mut grouped = BTreeSet::new();
    for file in imports.keys() {
        if grouped.contains(file) || chain(imports, file, file).is_none() {
            continue;
        }
        let mutual = |other: &&String| chain(imports, file, other).is_some() && chain(imports, other, file).is_some();
        let group: Vec<&String> = imports.keys().filter(mutual).collect();
        grouped.extend(group.iter().copied());
        groups.push(group.into_iter().map(String::as_str).collect());
    }
    groups
}

/// Returns the shortest chain of at least one import from one file to another, with both ends.
fn chain<'a>(imports: &'a Imports, from: &'a str, to: &str) -> Option<Vec<&'a str>> {
    let mut queue = VecDeque::from([vec![from]]);
    let mut seen = BTreeSet::new();
    while let Some(chain) = queue.pop_front() {
        let last = chain.last()?;
        for next in imports.get(*last).into_iter().flat_map(BTreeMap::keys) {
            if seen.insert(next) {
                let mut longer = chain.clone();
                longer.push(next);
                if next == to {
                    return Some(longer);
                }
                queue.push_back(longer);
            }
        }
    }
    None
}

/// Describes a shortest cycle of a group: `src/a.rs:1: import cycle: a.rs -> b.rs (Name) -> a.rs (Other)`.
fn describe(directory: &str, group: &[&str], imports: &Imports) -> String {
    let cycle = group.iter().filter_map(|file| chain(imports, file, file)).min_by_key(Vec::len).unwrap_or_default();
    let steps = cycle.windows(2).map(|step| {
        let names: Vec<&str> = imports[step[0]][step[1]].iter().map(String::as_str).collect();
        format!(" -> {} ({})", step[1], names.join(", "))
    });
    let (first, steps) = (cycle.first().copied().unwrap_or_default(), steps.collect::<String>());
    let more = if group.len() < cycle.len() {
        String::new()
    } else {
        format!("; all of these import each other: {}", group.join(", "))
    };
    format!("{directory}/{first}:1: import cycle: {first}{steps}{more}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violations(files: &[(&str, &str)]) -> Vec<String> {
        let source = |(path, text): &(&str, &str)| Source { path: format!("a/src/{path}"), text: (*text).into() };
        check(&files.iter().map(source).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn two_files_that_import_each_other_are_a_cycle() {
        let found = violations(&[
            ("lib.rs", "mod bars;\nmod lines;"),
            ("bars.rs", "use super::lines::{Point, WIDTH};\npub(crate) fn text() {}"),
            ("lines.rs", "use crate::bars;\nfn draw() { bars::text() }"),
        ]);
        assert_eq!(found, ["a/src/bars.rs:1: import cycle: bars.rs -> lines.rs (Point, WIDTH) -> bars.rs (text)"]);
    }

    #[test]
    fn a_parent_that_uses_what_its_child_imports_is_a_cycle() {
        let parent = "mod idle;\npub(crate) struct Row;\npub(crate) const ALL: [Row; 1] = [idle::IDLE];";
        let child = "use super::Row;\npub(super) const IDLE: Row = Row;";
        let found = violations(&[("main.rs", "mod rows;"), ("rows.rs", parent), ("rows/idle.rs", child)]);
        assert_eq!(found, ["a/src/rows.rs:1: import cycle: rows.rs -> rows/idle.rs (IDLE) -> rows.rs (Row)"]);
        let found = violations(&[("main.rs", "mod rows;"), ("rows.rs", "mod idle;"), ("rows/idle.rs", child)]);
        assert!(found.is_empty(), "`mod` alone is not an import: {found:?}");
    }

    #[test]
    fn the_shortest_cycle_of_a_group_is_named() {
        let found = violations(&[
            ("lib.rs", "mod a; mod b; mod c; mod d;"),
            ("a.rs", "use crate::b::B;"),
            ("b.rs", "use crate::c::C;"),
            ("c.rs", "use crate::a::A; use crate::d::D;"),
            ("d.rs", "use crate::c::C;"),
        ]);
        let cycle = "a/src/c.rs:1: import cycle: c.rs -> d.rs (D) -> c.rs (C)";
        assert_eq!(found, [format!("{cycle}; all of these import each other: a.rs, b.rs, c.rs, d.rs")]);
    }

    #[test]
    fn a_name_belongs_to_the_file_that_defines_it_not_to_the_one_that_re_exports_it() {
        let files = [
            ("lib.rs", "mod config; mod server;\npub use config::Config;\npub use server::Server;"),
            ("config.rs", "pub struct Config;"),
            ("server.rs", "use crate::Config;\npub struct Server;"),
        ];
        assert!(violations(&files).is_empty());
        let mut uses_it = files;
        uses_it[0].1 = "mod config; mod server;\npub use server::Server;\npub struct Config { server: Server }";
        assert_eq!(violations(&uses_it).len(), 1);
    }
}
