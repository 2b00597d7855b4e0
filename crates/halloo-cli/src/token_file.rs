//! A token in a file, so that a random token outlives its server.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use anyhow::{Context, Result};
use halloo::Token;

/// The longest token with some white space around it.
const MAX_BYTES: u64 = 1024;

/// Reads the token of a server. Creates the file with a random token if it does not exist.
pub(crate) fn read_or_create(path: &Path) -> Result<Token> {
    let token = halloo::random_token()?;
    match create(path, &token) {
        Ok(()) => Ok(token),
        // It may also be a pipe, which exists.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => read(path),
        Err(error) => {
            let advice = "create its directory and allow this user to write there, or name another file";
            Err(error).with_context(|| format!("cannot create the token file {}; {advice}", path.display()))
        }
    }
}

/// Reads a token. Warns if other users can read it, too.
pub(crate) fn read(path: &Path) -> Result<Token> {
    let shown = path.display();
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(MAX_BYTES).read_to_string(&mut text))
        .with_context(|| format!("cannot read the token file {shown}; name the file that `halloo serve` wrote"))?;
    let token = Token::new(text.trim()).ok().with_context(|| {
        format!(
            "the token file {shown} does not contain a token, which has 16 to 256 of the characters A-Z a-z 0-9 - . _ ~; \
             correct it, or delete it, so that `halloo serve` writes a new one"
        )
    })?;
    warn_if_readable_by_others(path);
    Ok(token)
}

/// Creates a file that only its owner can read.
fn create(path: &Path, token: &Token) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(path)?.write_all(format!("{}\n", token.reveal()).as_bytes());
    if written.is_err() {
        // Half a token would be refused at the next start.
        let _ = fs::remove_file(path);
    }
    written
}

#[cfg(unix)]
fn warn_if_readable_by_others(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let mode =
        fs::metadata(path).map_or(0, |metadata| if metadata.is_file() { metadata.permissions().mode() } else { 0 });
    if mode & 0o077 != 0 {
        let quoted = path.to_string_lossy().replace('\'', r"'\''");
        tracing::warn!("other users can read the token file; `chmod 600 '{quoted}'` prevents it");
    }
}

/// On other systems, the permissions of the directory decide.
#[cfg(not(unix))]
fn warn_if_readable_by_others(_: &Path) {}
