//! A crate that is published has what registries show and what its licences require; every other says that it is not.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use toml::{Table, Value};

use super::dependencies::read_manifest;

/// The crates that are published.
const PUBLISHED: [&str; 4] = ["halloo-proto", "halloo", "halloo-cluster", "halloo-cli"];

/// What registries show of a crate.
const FIELDS: [&str; 7] = ["description", "license", "readme", "keywords", "categories", "rust-version", "include"];

/// Copied into each crate: a package contains only files below its manifest.
const LICENCES: [&str; 2] = ["LICENSE-MIT", "LICENSE-APACHE"];

/// Checks every crate in `crates/`.
pub(super) fn check(root: &Path) -> Result<Vec<String>> {
    let mut violations = Vec::new();
    for entry in fs::read_dir(root.join("crates")).context("cannot list crates")? {
        let directory = entry?.path();
        if !directory.join("Cargo.toml").is_file() {
            continue;
        }
        let manifest = read_manifest(&directory.join("Cargo.toml"))?;
        violations.extend(check_manifest(&manifest));
        if PUBLISHED.contains(&name(&manifest)) {
            for licence in LICENCES {
                if fs::read(root.join(licence)).ok() != fs::read(directory.join(licence)).ok() {
                    violations.push(format!("{}: copy {licence} from the root", name(&manifest)));
                }
            }
        }
    }
    violations.sort();
    Ok(violations)
}

fn check_manifest(manifest: &Table) -> Vec<String> {
    let (name, field) = (name(manifest), |field| manifest.get("package").and_then(|package| package.get(field)));
    if !PUBLISHED.contains(&name) {
        let is_private = field("publish").and_then(Value::as_bool) == Some(false);
        return if is_private { Vec::new() } else { vec![format!("{name}: add `publish = false`")] };
    }
    let missing = FIELDS.iter().filter(|name| field(name).is_none());
    let mut violations: Vec<String> = missing.map(|missing| format!("{name}: the manifest has no {missing}")).collect();
    // A program has no documentation of its interface.
    if manifest.get("bin").is_none() && field("metadata").and_then(|metadata| metadata.get("docs")).is_none() {
        violations.push(format!("{name}: the manifest has no [package.metadata.docs.rs]"));
    }
    violations
}

fn name(manifest: &Table) -> &str {
    let package = manifest.get("package");
    package.and_then(|package| package.get("name")).and_then(Value::as_str).unwrap_or("unnamed crate")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violations(manifest: &str) -> Vec<String> {
        check_manifest(&manifest.parse().unwrap())
    }

    #[test]
    fn published_crate_needs_every_field_and_another_says_that_it_is_private() {
        let complete = "[package]\nname = \"halloo\"\ndescription = \"d\"\nlicense.workspace = true\n\
                        readme.workspace = true\nkeywords = []\ncategories = []\nrust-version = \"1\"\ninclude = []\n\
                        [package.metadata.docs.rs]\nall-features = true";
        assert!(violations(complete).is_empty());
        assert_eq!(violations(&complete.replace("keywords", "words")), ["halloo: the manifest has no keywords"]);
        assert_eq!(violations(&complete.replace("docs.rs", "other")).len(), 1);
        assert_eq!(violations("[package]\nname = \"halloo-bench\""), ["halloo-bench: add `publish = false`"]);
        assert!(violations("[package]\nname = \"halloo-bench\"\npublish = false").is_empty());
    }
}
