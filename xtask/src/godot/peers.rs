//! The programs that the tests of the addon start.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::{chromium, node, python};

/// Each is `None` if it could not be fetched; the tests that need it are skipped then.
pub(crate) struct Peers {
    /// A Python interpreter with the package `websockets`.
    pub(crate) python: Option<PathBuf>,
    /// The npm packages for programs in Node.js.
    pub(crate) node_modules: Option<PathBuf>,
    pub(crate) chromium: Option<PathBuf>,
}

impl Peers {
    /// Finds or fetches them.
    pub(super) fn prepare(root: &Path) -> Result<Peers> {
        Ok(Peers {
            python: python::prepare(root)?,
            node_modules: node::prepare(root)?,
            chromium: chromium::prepare(root)?,
        })
    }

    /// Returns the arguments of the tests, which are empty for what is missing.
    pub(super) fn arguments(&self, root: &Path) -> Vec<String> {
        let programs = root.join("tests/node").display().to_string();
        let paths = [
            ("python", Peers::path(&self.python)),
            ("node_modules", Peers::path(&self.node_modules)),
            ("chromium", Peers::path(&self.chromium)),
            ("node_programs", programs),
        ];
        paths.map(|(key, path)| format!("{key}={path}")).into()
    }

    pub(super) fn path(path: &Option<PathBuf>) -> String {
        path.as_ref().map_or_else(String::new, |path| path.display().to_string())
    }
}
