//! The file of a private key, which other users of the machine must neither read nor change.

#[cfg(unix)]
use std::fs;
use std::io;
use std::path::Path;

use super::IdentityError;

/// Takes the access of others from a file that this program created. Returns whether there was any.
#[cfg(unix)]
pub(super) fn restrict(path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt;

    let file = fs::File::open(path)?;
    let is_exposed = is_exposed(&file.metadata()?);
    if is_exposed {
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
    }
    Ok(is_exposed)
}

#[cfg(not(unix))]
pub(super) fn restrict(_: &Path) -> io::Result<bool> {
    Ok(false)
}

/// Checks who has access to the file of a private key.
///
/// # Errors
/// [`IdentityError::ExposedKey`] and [`IdentityError::ReplaceableKey`], on Unix only: elsewhere, access is not a matter of a few
/// bits.
#[cfg(unix)]
pub(super) fn check(path: &Path) -> Result<(), IdentityError> {
    use std::os::unix::fs::MetadataExt;

    /// In a directory with the sticky bit, such as `/tmp`, only the owner of a file can replace it.
    const STICKY: u32 = 0o1000;

    if fs::metadata(path).is_ok_and(|metadata| is_exposed(&metadata)) {
        return Err(IdentityError::ExposedKey(path.into()));
    }
    // A user who can rename a directory above the file can replace it, too.
    let resolved = fs::canonicalize(path).unwrap_or_else(|_| path.into());
    let is_open = |directory: &&Path| {
        let mode = fs::metadata(directory).map_or(0, |metadata| metadata.mode());
        mode & 0o002 != 0 && mode & STICKY == 0
    };
    match resolved.ancestors().skip(1).find(is_open) {
        Some(directory) => Err(IdentityError::ReplaceableKey { path: path.into(), directory: directory.into() }),
        None => Ok(()),
    }
}

#[cfg(not(unix))]
pub(super) fn check(_: &Path) -> Result<(), IdentityError> {
    Ok(())
}

/// Returns whether others have access, or the group may write. A group that may read was chosen by the owner, as for the
/// keys that several servers of a machine share.
#[cfg(unix)]
fn is_exposed(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;

    metadata.mode() & 0o027 != 0
}
