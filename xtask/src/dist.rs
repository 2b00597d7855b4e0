//! `cargo xtask dist`: packs the addon into one archive, laid out for the Asset Library.

use std::fs::{self, File};
use std::io::{Write, copy};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::godot::copy::copy_directory;
use crate::godot::library::{self, Build};

const ADDON: &str = "addons/halloo";

/// The directory in which the contents of the archive are collected.
pub(crate) const PROJECT: &str = "project";

/// Packs the addon with the libraries in `libraries`, or with the one built for this machine, and prints the result.
pub(crate) fn run(root: &Path, libraries: Option<&Path>) -> Result<()> {
    let directory = root.join("target/dist");
    let archive = make(root, &directory, libraries, Build::Release)?;
    for missing in library::missing(&directory.join(PROJECT))? {
        println!("no library for {missing}");
    }
    println!("{}: {} KiB", archive.display(), fs::metadata(&archive)?.len() / 1024);
    Ok(())
}

/// Creates the archive in `directory` and returns its path.
pub(crate) fn make(root: &Path, directory: &Path, libraries: Option<&Path>, build: Build) -> Result<PathBuf> {
    let project = directory.join(PROJECT);
    if project.exists() {
        fs::remove_dir_all(&project).with_context(|| format!("cannot remove {}", project.display()))?;
    }
    copy_directory(&root.join("godot").join(ADDON), &project.join(ADDON))?;
    match libraries {
        Some(libraries) => copy_directory(libraries, &project.join(ADDON).join("bin"))?,
        None => {
            ensure!(library::exists(root), "cannot build the native library: the crate halloo-godot is missing");
            library::install(root, &project, build)?;
        }
    }
    let archive = directory.join(format!("halloo-godot-{}.zip", env!("CARGO_PKG_VERSION")));
    pack(&project, &archive)?;
    Ok(archive)
}

/// Writes every file in `directory` into `archive`, sorted by name and without times, so that the same files make the same
/// archive.
fn pack(directory: &Path, archive: &Path) -> Result<()> {
    let file = File::create(archive).with_context(|| format!("cannot write {}", archive.display()))?;
    let mut writer = ZipWriter::new(file);
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated).unix_permissions(0o644);
    for path in files(directory)? {
        let name =
            path.strip_prefix(directory)?.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/");
        writer.start_file(name, options)?;
        copy(&mut File::open(&path)?, &mut writer)?;
    }
    writer.finish()?.flush()?;
    Ok(())
}

/// Returns the files in a directory and those below it, sorted.
pub(crate) fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).with_context(|| format!("cannot list {}", directory.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::workspace_root;

    #[test]
    fn the_same_files_make_the_same_archive() {
        let directory = std::env::temp_dir().join(format!("halloo-dist-{}", std::process::id()));
        let project = directory.join("project");
        fs::create_dir_all(project.join("addons/b/bin")).unwrap();
        fs::write(project.join("addons/b/bin/c"), "library").unwrap();
        fs::write(project.join("addons/a"), "text").unwrap();
        let [first, second] = ["1.zip", "2.zip"].map(|name| directory.join(name));
        pack(&project, &first).unwrap();
        fs::write(project.join("addons/a"), "text").unwrap();
        pack(&project, &second).unwrap();
        assert_eq!(fs::read(&first).unwrap(), fs::read(&second).unwrap());
        let archive = zip::ZipArchive::new(File::open(&first).unwrap()).unwrap();
        let names: Vec<_> = archive.file_names().map(Result::unwrap).collect();
        assert_eq!(names, ["addons/a", "addons/b/bin/c"]);
        fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn the_addon_has_the_licence_and_the_version_of_the_workspace() {
        let root = workspace_root();
        let read = |path: &str| fs::read_to_string(root.join(path)).unwrap();
        assert_eq!(read("godot/addons/halloo/LICENSE"), read("LICENSE-MIT"));
        let version = format!("version=\"{}\"", env!("CARGO_PKG_VERSION"));
        assert!(read("godot/addons/halloo/plugin.cfg").contains(&version), "plugin.cfg does not contain {version}");
    }
}
