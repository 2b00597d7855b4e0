//! The files that name the version.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use semver::Version;

/// Each file, with the text around the version; `@` stands for it.
const PLACES: [(&str, &str); 13] = [
    ("Cargo.toml", "\nversion = \"@\""),
    ("Cargo.toml", "halloo = { path = \"crates/halloo\", version = \"@\""),
    ("Cargo.toml", "halloo-cluster = { path = \"crates/halloo-cluster\", version = \"@\""),
    ("Cargo.toml", "halloo-proto = { path = \"crates/halloo-proto\", version = \"@\""),
    ("clients/python/pyproject.toml", "\nversion = \"@\""),
    ("clients/python/halloo/__init__.py", "\n__version__ = \"@\""),
    ("clients/python-bin/pyproject.toml", "\nversion = \"@\""),
    ("clients/js/package.json", "\"version\": \"@\""),
    ("clients/csharp/package.json", "\"version\": \"@\""),
    ("clients/csharp/Halloo.csproj", "<Version>@</Version>"),
    ("clients/arduino/library.properties", "\nversion=@\n"),
    ("godot/addons/halloo/plugin.cfg", "\nversion=\"@\""),
    ("godot/tests/editor/plugin.cfg", "\nversion=\"@\""),
];

/// Lock files list the crates of the workspace as well.
const LOCKS: [&str; 3] = ["Cargo.lock", "fuzz/Cargo.lock", "loom/Cargo.lock"];

/// Returns the version of the workspace.
pub(super) fn current(root: &Path) -> Result<Version> {
    let manifest: toml::Table = read(root, "Cargo.toml")?.parse().context("Cargo.toml is not valid")?;
    let version = manifest.get("workspace").and_then(|workspace| workspace.get("package")?.get("version")?.as_str());
    version
        .context("Cargo.toml has no workspace.package.version")?
        .parse()
        .context("the version in Cargo.toml is wrong")
}

/// Returns the files that name the version `from`, with `to` in its place.
pub(super) fn changed(root: &Path, from: &Version, to: &Version) -> Result<Vec<(String, String)>> {
    let mut files: Vec<(String, String)> = Vec::new();
    for (path, pattern) in PLACES {
        let (before, after) = (pattern.replace('@', &from.to_string()), pattern.replace('@', &to.to_string()));
        if files.last().is_none_or(|(last, _)| last != path) {
            files.push((path.into(), read(root, path)?));
        }
        let Some((_, text)) = files.last_mut() else { continue };
        let number = text.matches(&before).count();
        ensure!(number == 1, "{path} has `{}` {number} times, not once; correct it", before.trim());
        *text = text.replacen(&before, &after, 1);
    }
    for path in LOCKS {
        files.push((path.into(), locked(&read(root, path)?, from, to)));
    }
    // The version is that of the manifests when it is the first one.
    files.retain(|(path, text)| read(root, path).is_ok_and(|before| before != *text));
    Ok(files)
}

/// Returns a lock file in which the crates without a source, which are those of the workspace, have the version `to`.
fn locked(text: &str, from: &Version, to: &Version) -> String {
    let (before, after) = (format!("\nversion = \"{from}\"\n"), format!("\nversion = \"{to}\"\n"));
    let packages = text.split_inclusive("\n\n").map(|package| {
        let is_local = package.starts_with("[[package]]") && !package.contains("\nsource = ");
        if is_local { package.replacen(&before, &after, 1) } else { package.to_owned() }
    });
    packages.collect()
}

fn read(root: &Path, path: &str) -> Result<String> {
    // With the line ends of the repository, whatever git made of them here.
    let text = fs::read_to_string(root.join(path)).with_context(|| format!("cannot read {path}"))?;
    Ok(text.replace("\r\n", "\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_has_the_version_of_the_workspace() {
        let root = crate::command::workspace_root();
        let current = current(&root).unwrap();
        let changed = changed(&root, &current, &Version::new(current.major + 1, 0, 0)).unwrap();
        assert_eq!(changed.len(), PLACES.len() - 3 + LOCKS.len(), "Cargo.toml has four of the places");
    }

    #[test]
    fn crates_of_registries_keep_their_version_in_a_lock_file() {
        let lock = "version = 4\n\n[[package]]\nname = \"halloo\"\nversion = \"1.0.0\"\n\n[[package]]\nname = \"other\"\n\
                    version = \"1.0.0\"\nsource = \"registry+https://example.org\"\n";
        let text = locked(lock, &Version::new(1, 0, 0), &Version::new(2, 0, 0));
        assert_eq!(text, lock.replacen("1.0.0", "2.0.0", 1));
    }
}
