//! Dependencies run one way: programs -> `halloo` -> `halloo-proto`, and no async runtime comes in.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use toml::{Table, Value};

/// The crates that work without an async runtime, and that are given none.
const WITHOUT_RUNTIME: [&str; 4] = ["halloo-proto", "halloo", "halloo-cli", "halloo-godot"];

/// What the pure core may not even name.
const SOCKET_CRATES: [&str; 3] = ["mio", "socket2", "if-addrs"];

/// Checks the manifest of every crate under `crates/`.
pub(super) fn check(root: &Path) -> Result<Vec<String>> {
    let workspace = read(&root.join("Cargo.toml"))?;
    let mut complaints = Vec::new();
    for entry in fs::read_dir(root.join("crates")).context("cannot list crates")? {
        let path = entry?.path().join("Cargo.toml");
        if path.is_file() {
            complaints.extend(check_manifest(&read(&path)?, &workspace));
        }
    }
    complaints.sort();
    Ok(complaints)
}

fn read(path: &Path) -> Result<Table> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    text.parse().with_context(|| format!("{} is not TOML", path.display()))
}

fn check_manifest(manifest: &Table, workspace: &Table) -> Vec<String> {
    let name = manifest.get("package").and_then(|package| package.get("name")).and_then(Value::as_str);
    let name = name.unwrap_or("a crate without a name");
    let mut complaints = Vec::new();
    for dependency in dependencies(manifest, workspace) {
        let ours = dependency.starts_with("halloo") || dependency == "xtask";
        if ours && layer(&dependency) >= layer(name) {
            complaints.push(format!("{name}: may not depend on {dependency}; arrows run down to halloo-proto"));
        }
        if WITHOUT_RUNTIME.contains(&name) && (dependency == "tokio" || dependency.starts_with("tokio-")) {
            complaints.push(format!("{name}: {dependency} brings an async runtime, which this crate does without"));
        }
        if name == "halloo-proto" && SOCKET_CRATES.contains(&dependency.as_str()) {
            complaints.push(format!("{name}: {dependency} opens sockets, which the pure core never does"));
        }
    }
    complaints
}

/// How far a crate stands above the pure core. Every crate that is not one of the two libraries stands on top.
fn layer(name: &str) -> u8 {
    match name {
        "halloo-proto" => 0,
        "halloo" => 1,
        _ => 2,
    }
}

/// The packages a manifest names, of every kind and for every target.
fn dependencies(manifest: &Table, workspace: &Table) -> Vec<String> {
    let targets = manifest.get("target").and_then(Value::as_table);
    let targets = targets.into_iter().flat_map(|targets| targets.values()).filter_map(Value::as_table);
    let shared = workspace.get("workspace").and_then(|table| table.get("dependencies"));
    let mut names = Vec::new();
    for section in std::iter::once(manifest).chain(targets) {
        for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let entries = section.get(kind).and_then(Value::as_table);
            for (key, entry) in entries.into_iter().flatten() {
                let inherited = shared.and_then(|shared| shared.get(key));
                names.push(renamed(entry).or(inherited.and_then(renamed)).unwrap_or(key).to_owned());
            }
        }
    }
    names
}

/// `package = "…"`, by which a dependency goes under another name.
fn renamed(entry: &Value) -> Option<&str> {
    entry.get("package").and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(name: &str, rest: &str) -> Vec<String> {
        let manifest = format!("[package]\nname = \"{name}\"\n{rest}").parse().unwrap();
        let workspace = "[workspace.dependencies]\nrt = { package = \"tokio\", version = \"1\" }".parse().unwrap();
        check_manifest(&manifest, &workspace)
    }

    #[test]
    fn arrows_down_are_free() {
        assert!(complaints("halloo-cli", "[dependencies]\nhalloo.workspace = true\nclap = \"4\"").is_empty());
        assert!(complaints("halloo", "[dependencies]\nhalloo-proto.workspace = true\nmio = \"1\"").is_empty());
    }

    #[test]
    fn arrows_up_and_sideways_are_named() {
        assert_eq!(
            complaints("halloo-proto", "[dev-dependencies]\nhalloo = \"0.1\""),
            ["halloo-proto: may not depend on halloo; arrows run down to halloo-proto"]
        );
        assert_eq!(complaints("halloo", "[dependencies.halloo-cli]\nworkspace = true").len(), 1);
        assert_eq!(complaints("halloo-bench", "[dependencies]\nhalloo-godot = \"0.1\"").len(), 1);
    }

    #[test]
    fn an_async_runtime_is_named_however_it_comes() {
        for name in WITHOUT_RUNTIME {
            for rest in [
                "[dependencies]\ntokio = \"1\"",
                "[dev-dependencies]\ntokio-util = \"1\"",
                "[build-dependencies]\nr = { package = \"tokio\", version = \"1\" }",
                "[target.'cfg(unix)'.dependencies]\ntokio = \"1\"",
                "[dependencies]\nrt.workspace = true",
            ] {
                assert_eq!(complaints(name, rest).len(), 1, "{name}: {rest}");
            }
        }
        assert!(complaints("halloo-cluster", "[dependencies]\ntokio = \"1\"").is_empty());
    }

    #[test]
    fn a_socket_crate_in_the_core_is_named() {
        for name in SOCKET_CRATES {
            assert_eq!(complaints("halloo-proto", &format!("[dependencies]\n{name} = \"1\"")).len(), 1);
        }
    }
}
