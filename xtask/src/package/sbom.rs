//! The software bill of materials of the program, in CycloneDX 1.5: the crates that are linked into it.
//!
//! From `cargo metadata`, which has all of it, so no other program is installed.

use std::collections::{HashMap, HashSet};
use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::packer::{Packer, VERSION};
use crate::command::cargo;

const ROOT: &str = "halloo-cli";

pub(super) fn write(packer: &Packer<'_>) -> Result<()> {
    for program in &packer.programs {
        let triple = program.target.triple;
        let arguments = format!("metadata --format-version 1 --locked --filter-platform {triple}");
        let output = cargo(packer.root, &arguments).output().context("cannot start cargo")?;
        ensure!(output.status.success(), "`cargo {arguments}` failed: {}", String::from_utf8_lossy(&output.stderr));
        let bill = bill(&serde_json::from_slice(&output.stdout)?)?;
        let path = packer.directory.join(format!("halloo-{VERSION}-{triple}.cdx.json"));
        fs::write(path, serde_json::to_vec_pretty(&bill)?)?;
    }
    Ok(())
}

fn bill(metadata: &Value) -> Result<Value> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let packages: HashMap<String, Value> =
        list(&metadata["packages"]).into_iter().map(|package| (id(&package["id"]), package)).collect();
    let nodes: HashMap<String, Vec<String>> =
        list(&metadata["resolve"]["nodes"]).iter().map(|node| (id(&node["id"]), linked(node))).collect();
    let root =
        packages.iter().find(|(_, package)| package["name"] == ROOT).context("the program is in the workspace")?.0;

    let (mut waiting, mut found) = (vec![root.clone()], HashSet::new());
    while let Some(next) = waiting.pop() {
        if found.insert(next.clone()) {
            waiting.extend(nodes.get(&next).into_iter().flatten().cloned());
        }
    }
    let mut found: Vec<&Value> = found.iter().filter_map(|id| packages.get(id)).collect();
    found.sort_by_key(|package| (package["name"].to_string(), package["version"].to_string()));
    let dependencies: Vec<Value> = found
        .iter()
        .map(|package| {
            let on = nodes.get(&id(&package["id"])).into_iter().flatten().filter_map(|id| packages.get(id)).map(url);
            json!({ "ref": url(package), "dependsOn": on.collect::<Vec<_>>() })
        })
        .collect();
    let components: Vec<Value> =
        found.iter().filter(|package| package["name"] != ROOT).map(|each| component(each)).collect();
    let mut main = component(&packages[root]);
    main["type"] = "application".into();
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": { "component": main },
        "components": components,
        "dependencies": dependencies,
    }))
}

/// Returns the dependencies of a node that are linked: not those of tests and build scripts.
fn linked(node: &Value) -> Vec<String> {
    let is_linked = |dependency: &&Value| {
        dependency["dep_kinds"].as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind["kind"].is_null()))
    };
    node["deps"].as_array().into_iter().flatten().filter(is_linked).map(|dependency| id(&dependency["pkg"])).collect()
}

fn component(package: &Value) -> Value {
    let mut component = json!({
        "type": "library",
        "bom-ref": url(package),
        "name": package["name"],
        "version": package["version"],
        "purl": url(package),
    });
    if let Some(licence) = package["license"].as_str() {
        // Some crates still use the slash of old manifests.
        component["licenses"] = json!([{ "expression": licence.replace('/', " OR ") }]);
    }
    component
}

fn url(package: &Value) -> String {
    let text = |key: &str| package[key].as_str().unwrap_or_default();
    format!("pkg:cargo/{}@{}", text("name"), text("version"))
}

fn id(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linked_crates_are_listed_and_those_of_tests_are_not() {
        let package = |name: &str| json!({ "id": name, "name": name, "version": "1.0.0", "license": "MIT/Apache-2.0" });
        let dependency = |name: &str, kind: Value| json!({ "pkg": name, "dep_kinds": [{ "kind": kind }] });
        let metadata = json!({
            "packages": [package(ROOT), package("linked"), package("below"), package("tested")],
            "resolve": { "nodes": [
                { "id": ROOT, "deps": [dependency("linked", Value::Null), dependency("tested", "dev".into())] },
                { "id": "linked", "deps": [dependency("below", Value::Null)] },
            ] },
        });
        let bill = bill(&metadata).unwrap();
        let names: Vec<&Value> = bill["components"].as_array().unwrap().iter().map(|each| &each["name"]).collect();
        assert_eq!(names, ["below", "linked"]);
        assert_eq!(bill["components"][0]["licenses"][0]["expression"], "MIT OR Apache-2.0");
        assert_eq!(bill["dependencies"][1]["dependsOn"], json!(["pkg:cargo/linked@1.0.0"]));
    }
}
