//! The native library of the addon: how it is built, and its path in a project.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::command::{cargo, run as run_command, target_directory};

/// The path of the file that describes the extension, relative to the project.
pub(crate) const EXTENSION: &str = "addons/halloo/halloo.gdextension";

const CRATE: &str = "halloo-godot";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Build {
    Debug,
    Release,
}

/// Returns whether there is a library to build.
pub(crate) fn exists(root: &Path) -> bool {
    root.join("crates").join(CRATE).join("Cargo.toml").is_file() && root.join("godot").join(EXTENSION).is_file()
}

/// Builds the library for this machine and copies it to where the extension of the project loads it from.
pub(crate) fn install(root: &Path, project: &Path, build: Build) -> Result<()> {
    let path = path_in(project, build)?;
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    fs::copy(compile(root, build)?, &path).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(())
}

/// Returns the path from which the extension of the project loads the library for this machine.
pub(super) fn path_in(project: &Path, build: Build) -> Result<PathBuf> {
    let description = fs::read_to_string(project.join(EXTENSION)).context("cannot read the extension")?;
    let (system, architecture) = (godot_name(std::env::consts::OS), godot_name(std::env::consts::ARCH));
    let path = path(&description, system, architecture, build)
        .with_context(|| format!("{EXTENSION} has no library for {system} on {architecture}"))?;
    Ok(project.join(path))
}

fn compile(root: &Path, build: Build) -> Result<PathBuf> {
    let (option, directory) = if build == Build::Release { (" --release", "release") } else { ("", "debug") };
    run_command(&mut cargo(root, &format!("build --quiet --package {CRATE} --locked{option}")))?;
    let target = target_directory(root);
    let (prefix, suffix) = (std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    Ok(target.join(directory).join(format!("{prefix}{}{suffix}", CRATE.replace('-', "_"))))
}

/// Returns the platforms in the description of the extension for which the project has no library.
pub(crate) fn missing(project: &Path) -> Result<Vec<String>> {
    let description = fs::read_to_string(project.join(EXTENSION)).context("cannot read the extension")?;
    let named = entries(&description).filter(|(_, path)| !project.join(path).exists());
    Ok(named.map(|(platform, _)| platform.to_owned()).collect())
}

/// Returns the library that the extension loads, relative to the project. As in the engine, of all entries whose words
/// apply, the one with the most words counts.
fn path(description: &str, system: &str, architecture: &str, build: Build) -> Option<String> {
    let build = if build == Build::Release { "release" } else { "debug" };
    let fitting = entries(description).filter_map(|(platform, path)| {
        let words: Vec<&str> = platform.split('.').collect();
        let applies = words.iter().all(|word| [system, architecture, build].contains(word));
        applies.then_some((words.len(), path))
    });
    let (_, path) = fitting.max_by_key(|(words, _)| *words)?;
    Some(path.to_owned())
}

/// Returns the platforms in the description, each with the path of its library in a project.
fn entries(description: &str) -> impl Iterator<Item = (&str, &str)> {
    let libraries = description.split_once("[libraries]").and_then(|(_, rest)| rest.split("\n[").next());
    let entries = libraries.unwrap_or_default().lines().filter_map(|line| line.split_once('='));
    entries.map(|(platform, path)| (platform.trim(), path.trim().trim_matches('"').trim_start_matches("res://")))
}

/// Returns the name that the engine uses for this system or processor.
pub(super) fn godot_name(name: &'static str) -> &'static str {
    match name {
        "aarch64" => "arm64",
        "x86" => "x86_32",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DESCRIPTION: &str = r#"
[configuration]
entry_symbol = "gdext_rust_init"

[libraries]
linux.debug.x86_64 = "res://addons/halloo/bin/linux-x86_64/debug.so"
linux.x86_64 = "res://addons/halloo/bin/linux-x86_64/lib.so"
macos = "res://addons/halloo/bin/macos/lib.dylib"

[icons]
windows.x86_64 = "res://icon.svg"
"#;

    #[test]
    fn the_release_builds_what_the_extension_names() {
        let root = crate::command::workspace_root();
        let description = fs::read_to_string(root.join("godot").join(EXTENSION)).unwrap();
        let release = fs::read_to_string(root.join(".github/workflows/release.yml")).unwrap();
        let named: Vec<_> = entries(&description).collect();
        assert!(named.len() > 3);
        for (platform, path) in named {
            assert!(path.contains(&format!("/bin/{platform}/")), "{platform} is at {path}");
            // Those for Linux are built with the packages, in a job that runs on x86-64.
            let target = crate::package::target_of_library(platform).filter(|_| platform.starts_with("linux."));
            assert!(release.contains(target.unwrap_or(platform)), "the release has no library for {platform}");
        }
    }

    #[test]
    fn the_entry_with_the_most_words_counts() {
        let path = |system, architecture, build| path(DESCRIPTION, system, architecture, build);
        let debug = path("linux", "x86_64", Build::Debug);
        assert_eq!(debug.as_deref(), Some("addons/halloo/bin/linux-x86_64/debug.so"));
        let release = path("linux", "x86_64", Build::Release);
        assert_eq!(release.as_deref(), Some("addons/halloo/bin/linux-x86_64/lib.so"));
        assert_eq!(path("macos", "arm64", Build::Debug).as_deref(), Some("addons/halloo/bin/macos/lib.dylib"));
        assert_eq!(path("linux", "arm64", Build::Debug), None);
        assert_eq!(path("windows", "x86_64", Build::Debug), None);
    }
}
