//! Why files cannot be published.

use std::io;
use std::path::PathBuf;

use halloo_proto::files::{HeaderError, INDEX};

/// Why files cannot be published.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FilesError {
    /// There is nothing with this name.
    #[error("`{}` does not exist; give a directory with an {INDEX}", .0.display())]
    Missing(PathBuf),
    /// It is not a directory.
    #[error("`{}` is not a directory; give one with an {INDEX}", .0.display())]
    NotADirectory(PathBuf),
    /// The directory cannot be read.
    #[error("cannot read the directory `{}`: {error}; let this user read it, or give another one", path.display())]
    Unreadable {
        /// The directory.
        path: PathBuf,
        /// The system's error; not a `source`, because the sentence contains it.
        error: io::Error,
    },
    /// No request can name a file in memory.
    #[error(
        "no browser can request `{0}`; give a relative path without `..`, hidden parts and names that Windows reserves"
    )]
    Name(String),
    /// A header cannot be added.
    #[error(transparent)]
    Header(#[from] HeaderError),
}
