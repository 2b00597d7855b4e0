//! The npm package with a package for each platform, of which npm installs the one that fits (`os`, `cpu`).

use std::fs;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::files::{self, Entry};
use super::packer::{Packer, VERSION};
use super::target::{Target, executable};

pub(super) fn write(packer: &Packer<'_>) -> Result<()> {
    let mut optional = serde_json::Map::new();
    for program in &packer.programs {
        let name = name(program.target);
        let (os, cpu) = program.target.npm;
        let mut manifest = json!({
            "name": name,
            "version": VERSION,
            "description": format!("The program halloo for {os} on {cpu}"),
            "license": "MIT OR Apache-2.0",
            "os": [os],
            "cpu": [cpu],
            "preferUnplugged": true,
        });
        if program.target.is_static() {
            manifest["libc"] = json!(["musl"]);
        } else if os == "linux" {
            manifest["libc"] = json!(["glibc"]);
            // What the script that starts the program says on a machine with an older one.
            manifest["halloo"] = json!({ "glibc": program.required_libc()?.map(|minor| format!("2.{minor}")) });
        }
        let content = fs::read(&program.path)?;
        let mut entries = vec![
            Entry::text("package/package.json", serde_json::to_vec_pretty(&manifest)?),
            Entry::program(format!("package/bin/{}", executable(program.target)), content),
        ];
        for licence in ["LICENSE-MIT", "LICENSE-APACHE"] {
            entries.push(Entry::copy(format!("package/{licence}"), &packer.root.join(licence))?);
        }
        fs::write(packer.directory.join(format!("{name}-{VERSION}.tgz")), files::tar_gz(&entries, false)?)?;
        optional.insert(name, VERSION.into());
    }
    write_main(packer, optional)
}

/// Returns the name of the package for `target`, which `clients/js/bin/halloo.js` looks for.
pub(super) fn name(target: &Target) -> String {
    let suffix = if target.is_static() { "-musl" } else { "" };
    format!("halloo-{}-{}{suffix}", target.npm.0, target.npm.1)
}

/// Writes the package `halloo` with `optional` as its optional dependencies. In the repository, it has none: npm would look for
/// packages that are not published.
fn write_main(packer: &Packer<'_>, optional: serde_json::Map<String, Value>) -> Result<()> {
    let client = packer.root.join("clients/js");
    let text = fs::read_to_string(client.join("package.json")).context("cannot read package.json")?;
    let mut manifest: Value = serde_json::from_str(&text).context("package.json is not valid")?;
    manifest["version"] = VERSION.into();
    manifest["optionalDependencies"] = optional.into();
    let mut entries = vec![Entry::text("package/package.json", serde_json::to_vec_pretty(&manifest)?)];
    for path in crate::dist::files(&client)? {
        let name = path.strip_prefix(&client)?.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/");
        // As the field `files` says, and what npm adds to it.
        let is_packed = ["bin/", "src/", "LICENSE-"].iter().any(|prefix| name.starts_with(prefix))
            || ["index.d.ts", "README.md"].contains(&name.as_str());
        if is_packed {
            let mut entry = Entry::copy(format!("package/{name}"), &path)?;
            entry.mode = if name.starts_with("bin/") { 0o755 } else { 0o644 };
            entries.push(entry);
        }
    }
    Ok(fs::write(packer.directory.join(format!("halloo-{VERSION}.tgz")), files::tar_gz(&entries, false)?)?)
}
