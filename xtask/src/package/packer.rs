//! What the packages are made from, and where they go.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::target::Program;

/// The version of everything that is packed.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What the packages are made from, and what is left out.
pub(super) struct Packer<'a> {
    pub(super) root: &'a Path,
    pub(super) directory: PathBuf,
    pub(super) programs: Vec<Program>,
    /// The program for this machine, which writes its manual pages and completions.
    pub(super) runnable: Option<PathBuf>,
    pub(super) left_out: Vec<String>,
}

impl<'a> Packer<'a> {
    /// Empties `directory` of the repository for the packages.
    pub(super) fn new(root: &'a Path, directory: &str, mut programs: Vec<Program>) -> Result<Packer<'a>> {
        let directory = root.join(directory);
        if directory.exists() {
            fs::remove_dir_all(&directory).with_context(|| format!("cannot remove {}", directory.display()))?;
        }
        fs::create_dir_all(&directory)?;
        let runnable = programs.iter().find(|program| program.target.is_host()).map(|program| program.path.clone());
        let mut left_out = Vec::new();
        let of_msvc: Vec<_> = programs.iter().map(|program| program.target.triple.replace("-msvc", "-gnu")).collect();
        programs.retain(|Program { target, .. }| {
            let is_preferred = !target.is_windows() || of_msvc.iter().filter(|name| *name == target.triple).count() < 2;
            if !is_preferred {
                left_out.push(format!("{}: there is a program for the same machines by MSVC", target.triple));
            }
            is_preferred
        });
        Ok(Packer { root, directory, programs, runnable, left_out })
    }

    /// Copies a file into the directory of the packages.
    pub(super) fn add(&self, file: &Path) -> Result<()> {
        let name = file.file_name().context("a file has a name")?;
        fs::copy(file, self.directory.join(name)).with_context(|| format!("cannot copy {}", file.display()))?;
        Ok(())
    }
}
