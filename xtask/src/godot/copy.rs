//! Copies of the Godot project in `target`, so that the engine does not write into the work tree.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::implementation::Implementation;
use super::library::{self, Build};

/// Copies the project with its demos, its tests, and the client in plain GDScript.
pub(super) fn game(root: &Path, implementation: Implementation, build: Build) -> Result<PathBuf> {
    let project = new_project(root, implementation.name())?;
    copy_directory(&root.join("godot"), &project)?;
    // The client in plain GDScript is tested here, too.
    copy_directory(&root.join("clients/gdscript"), &project.join("halloo_client"))?;
    copy_directory(&root.join("vectors"), &project.join("vectors"))?;
    prepare_extension(root, &project, implementation, build)?;
    Ok(project)
}

/// Creates a project with nothing but the addon and an editor plugin that tests it.
pub(super) fn editor(root: &Path, implementation: Implementation) -> Result<PathBuf> {
    let project = new_project(root, &format!("{}-editor", implementation.name()))?;
    copy_directory(&root.join("godot/addons"), &project.join("addons"))?;
    let plugin = project.join("addons/halloo_tests");
    copy_directory(&root.join("godot/tests/editor"), &plugin)?;
    // In the work tree they have other names, so that the editor ignores that directory.
    fs::remove_file(plugin.join(".gdignore"))?;
    for (name, place) in [("project.cfg", "project.godot"), ("own_server.gd", "own_server.gd")] {
        fs::rename(plugin.join(name), project.join(place))?;
    }
    prepare_extension(root, &project, implementation, Build::Debug)?;
    Ok(project)
}

/// Returns the path for a new project, and removes an earlier one.
pub(super) fn new_project(root: &Path, name: &str) -> Result<PathBuf> {
    let project = root.join("target/godot-tests").join(name);
    if project.exists() {
        fs::remove_dir_all(&project).with_context(|| format!("cannot remove {}", project.display()))?;
    }
    Ok(project)
}

pub(super) fn prepare_extension(
    root: &Path,
    project: &Path,
    implementation: Implementation,
    build: Build,
) -> Result<()> {
    fs::create_dir_all(project.join(".godot"))?;
    if implementation == Implementation::Native {
        library::install(root, project, build)?;
        // Without this list the first import of a project with an extension crashes (godotengine/godot, issue 111048).
        fs::write(project.join(".godot/extension_list.cfg"), format!("res://{}\n", library::EXTENSION))?;
    } else if project.join(library::EXTENSION).exists() {
        // As on a platform without a library: the engine prints an error if the extension is there and its library is not.
        fs::remove_file(project.join(library::EXTENSION))?;
    }
    Ok(())
}

/// Copies a directory without what the engine and the compiler have written.
pub(crate) fn copy_directory(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot list {}", from.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        if !entry.file_type()?.is_dir() {
            fs::copy(entry.path(), to.join(&name))?;
        } else if name != ".godot" && name != "bin" {
            copy_directory(&entry.path(), &to.join(&name))?;
        }
    }
    Ok(())
}
