//! The modules of a crate, and which file the names in them come from.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};

use super::syntax::Syntax;

/// From an importing file to the files that it imports, with the names that it uses of each.
pub(super) type Imports = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// Stops at a `use` that refers to itself, as in `use anyhow::anyhow`.
const MAX_DEPTH: usize = 20;

/// Every module by its path from the root of the crate.
pub(super) struct Modules(BTreeMap<Vec<String>, Module>);

struct Module {
    file: String,
    syntax: Syntax,
}

/// What a path leads to.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    Module(Vec<String>),
    /// Something in a module: its path, and the name there.
    Item(Vec<String>, String),
}

impl Modules {
    /// Reads the files of a `src` directory, given as pairs of path and text. Files in `bin` are crates of their own.
    pub(super) fn read(files: &[(&str, &str)]) -> Result<Modules> {
        let mut modules = Modules(BTreeMap::new());
        for (file, text) in files.iter().filter(|(file, _)| !file.starts_with("bin/")) {
            let syntax = Syntax::parse(text).with_context(|| format!("cannot read {file}"))?;
            modules.add(file, module_of(file), syntax);
        }
        Ok(modules)
    }

    fn add(&mut self, file: &str, path: Vec<String>, mut syntax: Syntax) {
        for (name, inline) in syntax.inline.drain(..) {
            self.add(file, [&path[..], &[name]].concat(), inline);
        }
        self.0.insert(path, Module { file: file.into(), syntax });
    }

    /// Returns what each file imports from the others.
    pub(super) fn imports(&self) -> Imports {
        let mut imports = Imports::new();
        for (path, Module { file, syntax }) in &self.0 {
            let uses = syntax.uses.iter().filter(|one| !one.exported || syntax.names.contains(&one.name));
            let places = uses.map(|one| match (self.resolve(path, &one.path, 0), one.name.as_str()) {
                // Everything of a module.
                (Some(Place::Module(module)), "*") => Some(Place::Item(module, "*".into())),
                (place, _) => place,
            });
            let paths = syntax.paths.iter().map(|one| self.resolve(path, one, 0));
            for place in places.chain(paths) {
                // Naming a module is not an import yet; using something in it is.
                let Some(Place::Item(module, name)) = place else { continue };
                if let Some(Module { file: other, .. }) = self.0.get(&module).filter(|module| module.file != *file) {
                    imports.entry(file.clone()).or_default().entry(other.clone()).or_default().insert(name);
                }
            }
        }
        imports
    }

    /// Follows `names` from the module `from`; `None` when they lead out of the crate.
    fn resolve(&self, from: &[String], names: &[String], depth: usize) -> Option<Place> {
        let (mut module, mut rest) = match names.first()?.as_str() {
            "crate" => (Vec::new(), &names[1..]),
            "super" | "self" => (from.to_vec(), names),
            first => {
                let module = self.0.get(from)?;
                let known = self.child(from, first).is_some() || module.syntax.uses.iter().any(|one| one.name == first);
                known.then(|| (from.to_vec(), names))?
            }
        };
        while let Some((name, after)) = rest.split_first() {
            rest = after;
            if name == "self" {
                continue;
            }
            if name == "super" {
                module.pop()?;
                continue;
            }
            let child = self.child(&module, name);
            let import = self.0.get(&module)?.syntax.uses.iter().find(|one| one.name == *name);
            match (import, child) {
                // A name may be that of a module and of something in it: `pub use curves::curves`.
                (_, Some(child)) if !rest.is_empty() || import.is_none() => module = child,
                (Some(import), _) if depth < MAX_DEPTH => match self.resolve(&module, &import.path, depth + 1)? {
                    Place::Module(path) => module = path,
                    item => return Some(item),
                },
                (Some(_), _) => return None,
                _ => return Some(Place::Item(module, name.clone())),
            }
        }
        Some(Place::Module(module))
    }

    fn child(&self, module: &[String], name: &str) -> Option<Vec<String>> {
        let child = [module, &[name.to_owned()]].concat();
        self.0.contains_key(&child).then_some(child)
    }
}

/// Returns the path of the module in a file: `a/b.rs` is `a::b`, `a/mod.rs` is `a`, and `lib.rs` is the root.
fn module_of(file: &str) -> Vec<String> {
    let mut names: Vec<String> = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if names.last().is_some_and(|name| name == "mod") || ["main", "lib"].contains(&names.join("/").as_str()) {
        names.pop();
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imported(files: &[(&str, &str)], from: &str) -> Vec<String> {
        let imports = Modules::read(files).unwrap().imports();
        let show = |(file, names): (&String, &BTreeSet<String>)| {
            format!("{file}: {}", names.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
        };
        imports.get(from).into_iter().flatten().map(show).collect()
    }

    #[test]
    fn files_are_modules() {
        assert_eq!(module_of("a/b.rs"), ["a", "b"]);
        assert_eq!(module_of("a/mod.rs"), ["a"]);
        assert!(module_of("lib.rs").is_empty() && module_of("main.rs").is_empty());
    }

    #[test]
    fn names_are_followed_through_modules_aliases_and_re_exports() {
        let files = [
            ("lib.rs", "mod load; mod measure;\npub use load::wire::PING as Ping;"),
            ("load.rs", "pub(crate) mod wire;\npub(crate) use wire::encode;\npub(crate) struct Target;"),
            ("load/wire.rs", "pub(crate) const PING: u8 = 9;\npub(crate) fn encode() {}"),
            (
                "measure.rs",
                "use crate::load::{self, Target, wire as w};\nuse std::fs;\nfn f() { load::encode(); w::PING; fs::read() }",
            ),
        ];
        assert_eq!(imported(&files, "measure.rs"), ["load.rs: Target", "load/wire.rs: PING, encode"]);
        assert!(imported(&files, "load.rs").is_empty(), "a re-export is not an import");
    }

    #[test]
    fn super_leads_out_of_an_inline_module_and_up() {
        let files = [
            ("main.rs", "mod a;"),
            ("a.rs", "mod b;\npub(crate) struct A;"),
            ("a/b.rs", "mod inner { use super::super::A; use super::B; }\nstruct B;"),
        ];
        assert_eq!(imported(&files, "a/b.rs"), ["a.rs: A"]);
    }

    #[test]
    fn other_crates_are_left_out_whatever_they_are_called() {
        let files = [
            ("main.rs", "mod serve;"),
            ("serve.rs", "mod halloo;\nfn f() { halloo::run() }"),
            (
                "serve/halloo.rs",
                "use halloo::Server;\nuse anyhow::anyhow;\nfn run() { anyhow::anyhow!(1); Server::start() }",
            ),
        ];
        assert!(imported(&files, "serve/halloo.rs").is_empty());
        assert_eq!(imported(&files, "serve.rs"), ["serve/halloo.rs: run"]);
    }

    #[test]
    fn everything_of_a_module_is_an_import() {
        let files = [("lib.rs", "mod a; mod b;"), ("a.rs", "use crate::b::*;"), ("b.rs", "pub struct B;")];
        assert_eq!(imported(&files, "a.rs"), ["b.rs: *"]);
    }
}
