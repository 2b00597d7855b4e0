//! Opens a file below a directory by one call of the system, which no link can leave in between.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;

use super::node::{Node, check_is_file, is_same};

/// Attempts to resolve a path in which something is renamed meanwhile.
const ATTEMPTS: usize = 4;

/// Opens `name` below `root`.
///
/// # Errors
/// [`io::ErrorKind::CrossesDevices`] if it is a link that leads out of the directory or an absolute one,
/// [`io::ErrorKind::InvalidInput`] if it is neither a file nor a directory, [`io::ErrorKind::Unsupported`] or
/// [`io::ErrorKind::PermissionDenied`] on a system without this call, or that of the system.
pub(super) fn open_beneath(root: &Path, name: &str) -> io::Result<Node> {
    let root = openat(CWD, root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    // Opening a device may have an effect, so its type is known before.
    let found = File::from(resolve(&root, name, OFlags::PATH)?).metadata()?;
    if found.is_dir() {
        return Ok(Node::Directory);
    }
    check_is_file(&found)?;
    // A FIFO that took its place would wait for a writer.
    let file = File::from(resolve(&root, name, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)?);
    let metadata = file.metadata()?;
    check_is_file(&metadata)?;
    if !is_same(&found, &metadata) {
        return Err(io::ErrorKind::NotFound.into());
    }
    Ok(Node::File(file, metadata))
}

fn resolve(root: &OwnedFd, name: &str, flags: OFlags) -> io::Result<OwnedFd> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let mut attempts = 0;
    loop {
        attempts += 1;
        match openat2(root, name, flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
            Err(Errno::AGAIN) if attempts < ATTEMPTS => {}
            Err(Errno::XDEV) => {
                let reason = "it is a link that leads out of the directory, or an absolute one";
                return Err(io::Error::new(io::ErrorKind::CrossesDevices, reason));
            }
            outcome => return Ok(outcome?),
        }
    }
}
