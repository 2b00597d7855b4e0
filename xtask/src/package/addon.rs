//! The archive of the addon for Godot, with each of its libraries that could be built.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::packer::Packer;
use super::target::Target;
use super::zig::Zig;
use crate::dist;
use crate::godot::copy::copy_directory;
use crate::godot::library::{self, Build};

/// Packs the addon with the libraries for `targets`, for which Zig builds them, and with those in `libraries`.
pub(super) fn write(
    packer: &mut Packer<'_>,
    zig: Option<&Zig>,
    targets: &[&Target],
    libraries: Option<&Path>,
) -> Result<()> {
    let root = packer.root;
    let (directory, collected) = (root.join("target/dist"), root.join("target/package-libraries"));
    if collected.exists() {
        fs::remove_dir_all(&collected).with_context(|| format!("cannot remove {}", collected.display()))?;
    }
    fs::create_dir_all(&collected)?;
    if let Some(zig) = zig {
        for target in targets {
            let Some((name, file)) = target.library else { continue };
            let built = zig.build(root, target, "halloo-godot")?.join(file);
            fs::create_dir_all(collected.join(name))?;
            fs::copy(&built, collected.join(name).join(file)).with_context(|| format!("no {}", built.display()))?;
        }
    }
    if let Some(libraries) = libraries {
        copy_directory(libraries, &collected)?;
    }
    let is_empty = fs::read_dir(&collected)?.next().is_none();
    let archive = dist::make(root, &directory, (!is_empty).then_some(collected.as_path()), Build::Release)?;
    packer.add(&archive)?;
    for missing in library::missing(&directory.join(dist::PROJECT))? {
        packer
            .left_out
            .push(format!("library of the addon for {missing}; `--libraries` takes one that was built elsewhere"));
    }
    Ok(())
}
