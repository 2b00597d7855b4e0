//! A file of a directory that is being sent.

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::time::SystemTime;

/// A file, positioned at the next byte to send, and what it was like when the response began.
///
/// One that only grows is sent as long as it was, such as a recording that goes on. One that is written anew and does not
/// become longer ends the response, or the peer would get parts of two versions. One that is written anew and becomes longer
/// cannot be told from one that grows, so the peer may get parts of two versions. One that is replaced by renaming another is
/// sent as it was.
#[derive(Debug)]
pub(super) struct OpenFile {
    file: File,
    length: u64,
    modified: Option<SystemTime>,
}

impl OpenFile {
    pub(super) fn new(file: File, metadata: &Metadata) -> OpenFile {
        OpenFile { file, length: metadata.len(), modified: metadata.modified().ok() }
    }

    /// Continues at byte `position`.
    pub(super) fn skip_to(&mut self, position: u64) -> io::Result<()> {
        if position > 0 {
            self.file.seek(SeekFrom::Start(position))?;
        }
        Ok(())
    }

    /// Appends the next `count` bytes to `bytes`.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] if the file became shorter, [`io::ErrorKind::InvalidData`] if it was changed and is as
    /// long as it was, or that of the system.
    pub(super) fn read(&mut self, count: usize, bytes: &mut Vec<u8>) -> io::Result<()> {
        let start = bytes.len();
        (&self.file).take(count as u64).read_to_end(bytes)?;
        // After the read: what was written meanwhile shows.
        let metadata = self.file.metadata()?;
        if bytes.len() - start < count || metadata.len() < self.length {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it became shorter while it was sent"));
        }
        if metadata.len() == self.length && metadata.modified().ok() != self.modified {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it was changed while it was sent"));
        }
        Ok(())
    }
}
