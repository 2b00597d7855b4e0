//! What the name of a published file leads to.

use std::fs::{File, Metadata};
use std::io;

/// What a name leads to.
#[derive(Debug)]
pub(super) enum Node {
    File(File, Metadata),
    Directory,
}

/// Fails if this is not a regular file.
pub(super) fn check_is_file(metadata: &Metadata) -> io::Result<()> {
    match metadata.is_file() {
        true => Ok(()),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file")),
    }
}

/// Returns whether both are the same file.
#[cfg(unix)]
pub(super) fn is_same(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;

    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// Returns whether both may be the same file: this system has no stable interface to its number.
#[cfg(not(unix))]
pub(super) fn is_same(one: &Metadata, other: &Metadata) -> bool {
    one.created().ok() == other.created().ok()
}
