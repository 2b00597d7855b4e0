//! The git repository that a version is made in.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::debian::output;

pub(super) struct Repository<'a> {
    root: &'a Path,
}

impl<'a> Repository<'a> {
    /// Returns an error unless `root` is in a repository.
    pub(super) fn open(root: &'a Path) -> Result<Repository<'a>> {
        let repository = Repository { root };
        repository.git(&["rev-parse", "--git-dir"]).context("a version is made in a clone of the repository")?;
        Ok(repository)
    }

    /// Returns the files that differ from the last commit, and those that are not part of it; one in each line.
    pub(super) fn changes(&self) -> Result<String> {
        self.git(&["status", "--porcelain"])
    }

    pub(super) fn has_tag(&self, name: &str) -> Result<bool> {
        Ok(!self.git(&["tag", "--list", name])?.is_empty())
    }

    pub(super) fn write(&self, path: &str, text: &str) -> Result<()> {
        fs::write(self.root.join(path), text).with_context(|| format!("cannot write {path}"))
    }

    pub(super) fn commit(&self, paths: &[&str], message: &str) -> Result<()> {
        let arguments = [&["commit", "--quiet", "--message", message, "--"], paths].concat();
        self.git(&arguments).map(drop)
    }

    /// Sets an annotated tag at the last commit.
    pub(super) fn tag(&self, name: &str, message: &str) -> Result<()> {
        // Otherwise, lines of the message that begin with `#` are removed: the headings of the notes.
        self.git(&["tag", "--annotate", "--cleanup=verbatim", "--message", message, name]).map(drop)
    }

    fn git(&self, arguments: &[&str]) -> Result<String> {
        output(Command::new("git").current_dir(self.root).args(arguments))
    }
}
