//! Opens a file below a directory on every system: the path without links must be below the directory, before and after.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Component, Path, PathBuf};

use super::node::{Node, check_is_file, is_same};

/// Opens `name` below `root`, a path without links.
///
/// # Errors
/// [`io::ErrorKind::CrossesDevices`] if it is a link that leads out of the directory, [`io::ErrorKind::InvalidInput`] if it
/// is neither a file nor a directory, or that of the system.
pub(super) fn open_verified(root: &Path, name: &str) -> io::Result<Node> {
    let path = resolve(root, name)?;
    // No link can be among them, and opening a device may already have an effect.
    let before = fs::symlink_metadata(&path)?;
    if before.is_dir() {
        return Ok(Node::Directory);
    }
    check_is_file(&before)?;
    let file = options().open(&path)?;
    let after = file.metadata()?;
    check_is_file(&after)?;
    // A link may have taken its place meanwhile.
    if !is_same(&before, &after) || resolve(root, name)? != path {
        return Err(io::ErrorKind::NotFound.into());
    }
    Ok(Node::File(file, after))
}

/// Returns the path of `name` below `root`, without links.
fn resolve(root: &Path, name: &str) -> io::Result<PathBuf> {
    let path = root.join(name).canonicalize()?;
    let is_hidden = |component: Component<'_>| {
        let text = component.as_os_str().to_string_lossy();
        text.starts_with('.') && text != ".well-known"
    };
    // Also when Windows found it by its short name.
    match path.strip_prefix(root) {
        Ok(inside) if inside.components().any(is_hidden) => Err(io::ErrorKind::NotFound.into()),
        Ok(_) => Ok(path),
        Err(_) => Err(io::Error::new(io::ErrorKind::CrossesDevices, "it is a link that leads out of the directory")),
    }
}

#[cfg(unix)]
fn options() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;

    use rustix::fs::OFlags;

    let mut options = OpenOptions::new();
    // A FIFO that took its place would wait for a writer.
    let flags = OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::NOCTTY;
    options.read(true).custom_flags(flags.bits() as i32);
    options
}

#[cfg(not(unix))]
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true);
    options
}
