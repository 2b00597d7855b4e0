//! Published files that are in a directory.

use std::fs::{self, Metadata};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};

use halloo_proto::files::{FileRequest, Representation, ResponseContext, media_type};
use halloo_proto::text::escape;

use super::answer::Answer;
use super::error::FilesError;
use super::node::Node;
use super::open_file::OpenFile;
use super::verified_open::open_verified;

/// Maximum length of a logged name in bytes.
const MAX_LOGGED_BYTES: usize = 200;

/// A directory, by its path without links. It is opened for each request, so that a build may replace it.
#[derive(Clone, Debug)]
pub(super) struct Directory {
    path: PathBuf,
}

impl Directory {
    pub(super) fn new(path: &Path) -> Result<Directory, FilesError> {
        let unreadable = |error| FilesError::Unreadable { path: path.to_owned(), error };
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => return Err(FilesError::NotADirectory(path.to_owned())),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Err(FilesError::Missing(path.to_owned()));
            }
            Err(error) => return Err(unreadable(error)),
        }
        fs::read_dir(path).map_err(unreadable)?;
        Ok(Directory { path: path.canonicalize().map_err(unreadable)? })
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.path.join(name).exists()
    }

    pub(super) fn answer(&self, request: &FileRequest, context: &ResponseContext<'_>) -> io::Result<Answer> {
        let Some(path) = &request.path else { return Ok(Answer::without_file(request.not_found(context))) };
        let name = path.file();
        let (plain, metadata) = match open(&self.path, &name) {
            Ok(Node::File(file, metadata)) => (file, metadata),
            Ok(Node::Directory) if !path.is_directory() => return Ok(Answer::without_file(request.redirect(context))),
            Ok(Node::Directory) => return Ok(Answer::without_file(request.not_found(context))),
            Err(error) => {
                warn_about(&name, &error);
                return Ok(Answer::without_file(request.not_found(context)));
            }
        };
        let mut encoded = request.encodings.iter().filter_map(|encoding| {
            match open(&self.path, &format!("{name}{}", encoding.extension())) {
                Ok(Node::File(file, metadata)) => Some((Some(encoding), file, metadata)),
                _ => None,
            }
        });
        let (encoding, file, metadata) = encoded.next().unwrap_or((None, plain, metadata));
        let representation = Representation {
            media_type: media_type(&name),
            encoding,
            length: metadata.len(),
            version: version(&metadata),
        };
        let (head, range) = request.respond(&representation, context);
        Answer::with_file(head, OpenFile::new(file, &metadata), range)
    }
}

/// Opens the regular file `name` below `root`, or finds out that it is a directory. Never waits for a peer of a FIFO, and
/// opens no device.
fn open(root: &Path, name: &str) -> io::Result<Node> {
    #[cfg(target_os = "linux")]
    match super::open_beneath::open_beneath(root, name) {
        // A kernel before Linux 5.6, or a sandbox that does not know the call.
        Err(error) if matches!(error.kind(), io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied) => {}
        outcome => return outcome,
    }
    open_verified(root, name)
}

/// Returns text that differs for each version of a file.
fn version(metadata: &Metadata) -> String {
    let mut hasher = DefaultHasher::new();
    metadata.modified().ok().hash(&mut hasher);
    format!("{:x}-{:x}", hasher.finish(), metadata.len())
}

/// Logs why a file that exists is not sent.
fn warn_about(name: &str, error: &io::Error) {
    let is_missing =
        matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename);
    if !is_missing {
        tracing::warn!("the file {:?} is not served: {error}", escape(name, MAX_LOGGED_BYTES));
    }
}
