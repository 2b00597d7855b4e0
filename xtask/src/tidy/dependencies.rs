//! Crates depend on each other in one direction, programs -> `halloo-cluster` -> `halloo` -> `halloo-proto`, and on no async
//! runtime, except for `halloo-cluster`.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use toml::{Table, Value};

/// The tables of dependencies in a manifest.
const KINDS: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

/// The crates that must not depend on an async runtime.
const WITHOUT_RUNTIME: [&str; 4] = ["halloo-proto", "halloo", "halloo-cli", "halloo-godot"];

/// What the tests share. It needs `halloo`, and the tests of `halloo` need it.
const TEST_SUPPORT: &str = "halloo-test-support";

/// Crates that open sockets, which the pure core must not.
const SOCKET_CRATES: [&str; 3] = ["mio", "socket2", "if-addrs"];

/// Checks the manifest of every crate in `crates/`.
pub(super) fn check(root: &Path) -> Result<Vec<String>> {
    let workspace = read_manifest(&root.join("Cargo.toml"))?;
    let mut violations = Vec::new();
    for entry in fs::read_dir(root.join("crates")).context("cannot list crates")? {
        let path = entry?.path().join("Cargo.toml");
        if path.is_file() {
            violations.extend(check_manifest(&read_manifest(&path)?, &workspace));
        }
    }
    violations.sort();
    Ok(violations)
}

/// Reads the manifest of a crate or of the workspace.
pub(super) fn read_manifest(path: &Path) -> Result<Table> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    text.parse().with_context(|| format!("{} is not valid TOML", path.display()))
}

fn check_manifest(manifest: &Table, workspace: &Table) -> Vec<String> {
    let name = manifest.get("package").and_then(|package| package.get("name")).and_then(Value::as_str);
    let name = name.unwrap_or("unnamed crate");
    let mut violations = Vec::new();
    if dependencies(manifest, workspace, &["dependencies", "build-dependencies"])
        .iter()
        .any(|name| name == TEST_SUPPORT)
    {
        violations.push(format!("{name}: {TEST_SUPPORT} is for tests: make it a dev-dependency"));
    }
    for dependency in dependencies(manifest, workspace, &KINDS) {
        if dependency == TEST_SUPPORT && name != "halloo-proto" {
            continue;
        }
        let ours = dependency.starts_with("halloo") || dependency == "xtask";
        if ours && layer(&dependency) >= layer(name) {
            violations.push(format!("{name}: must not depend on {dependency}, which is not a lower layer"));
        }
        if WITHOUT_RUNTIME.contains(&name) && (dependency == "tokio" || dependency.starts_with("tokio-")) {
            violations.push(format!("{name}: {dependency} is an async runtime, which this crate must not need"));
        }
        if name == "halloo-proto" && SOCKET_CRATES.contains(&dependency.as_str()) {
            violations.push(format!("{name}: {dependency} opens sockets, which the pure core must not"));
        }
    }
    violations
}

/// Returns the layer of a crate, counted from the pure core. Every crate that is not a library is on top.
fn layer(name: &str) -> u8 {
    match name {
        "halloo-proto" => 0,
        "halloo" => 1,
        "halloo-cluster" => 2,
        _ => 3,
    }
}

/// Returns the packages that a manifest depends on, of these kinds and for every target.
fn dependencies(manifest: &Table, workspace: &Table, kinds: &[&str]) -> Vec<String> {
    let targets = manifest.get("target").and_then(Value::as_table);
    let targets = targets.into_iter().flat_map(|targets| targets.values()).filter_map(Value::as_table);
    let shared = workspace.get("workspace").and_then(|table| table.get("dependencies"));
    let mut names = Vec::new();
    for section in std::iter::once(manifest).chain(targets) {
        for &kind in kinds {
            let entries = section.get(kind).and_then(Value::as_table);
            for (key, entry) in entries.into_iter().flatten() {
                let inherited = shared.and_then(|shared| shared.get(key));
                names.push(renamed(entry).or(inherited.and_then(renamed)).unwrap_or(key).to_owned());
            }
        }
    }
    names
}

/// Returns the package behind a renamed dependency: `package = "…"`.
fn renamed(entry: &Value) -> Option<&str> {
    entry.get("package").and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violations(name: &str, rest: &str) -> Vec<String> {
        let manifest = format!("[package]\nname = \"{name}\"\n{rest}").parse().unwrap();
        let workspace = "[workspace.dependencies]\nrt = { package = \"tokio\", version = \"1\" }".parse().unwrap();
        check_manifest(&manifest, &workspace)
    }

    #[test]
    fn dependencies_on_lower_layers_pass() {
        assert!(violations("halloo-cli", "[dependencies]\nhalloo.workspace = true\nclap = \"4\"").is_empty());
        assert!(violations("halloo", "[dependencies]\nhalloo-proto.workspace = true\nmio = \"1\"").is_empty());
    }

    #[test]
    fn dependencies_on_the_same_or_a_higher_layer_are_refused() {
        assert_eq!(
            violations("halloo-proto", "[dev-dependencies]\nhalloo = \"0.1\""),
            ["halloo-proto: must not depend on halloo, which is not a lower layer"]
        );
        assert_eq!(violations("halloo", "[dependencies.halloo-cli]\nworkspace = true").len(), 1);
        assert_eq!(violations("halloo-bench", "[dependencies]\nhalloo-godot = \"0.1\"").len(), 1);
    }

    #[test]
    fn an_async_runtime_is_refused_in_every_kind_of_dependency() {
        for name in WITHOUT_RUNTIME {
            for rest in [
                "[dependencies]\ntokio = \"1\"",
                "[dev-dependencies]\ntokio-util = \"1\"",
                "[build-dependencies]\nr = { package = \"tokio\", version = \"1\" }",
                "[target.'cfg(unix)'.dependencies]\ntokio = \"1\"",
                "[dependencies]\nrt.workspace = true",
            ] {
                assert_eq!(violations(name, rest).len(), 1, "{name}: {rest}");
            }
        }
        assert!(violations("halloo-cluster", "[dependencies]\ntokio = \"1\"").is_empty());
    }

    #[test]
    fn test_support_is_for_tests_above_the_core() {
        assert!(violations("halloo", "[dev-dependencies]\nhalloo-test-support.workspace = true").is_empty());
        for table in ["dependencies", "build-dependencies"] {
            let found = violations("halloo-cli", &format!("[{table}]\nhalloo-test-support.workspace = true"));
            assert_eq!(found, ["halloo-cli: halloo-test-support is for tests: make it a dev-dependency"]);
        }
        assert_eq!(violations("halloo-proto", "[dev-dependencies]\nhalloo-test-support.workspace = true").len(), 1);
    }

    #[test]
    fn a_socket_crate_in_the_core_is_refused() {
        for name in SOCKET_CRATES {
            assert_eq!(violations("halloo-proto", &format!("[dependencies]\n{name} = \"1\"")).len(), 1);
        }
    }
}
