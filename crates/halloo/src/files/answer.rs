//! A response with a file, and what is left of it to send.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use halloo_proto::defaults::FILE_SLICE_BYTES;

use super::open_file::OpenFile;

/// The next bytes of a response, and the rest of the file.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) bytes: Vec<u8>,
    /// `None` after the last bytes.
    pub(crate) rest: Option<Rest>,
}

/// The part of a file that is not sent yet; at least one byte.
#[derive(Debug)]
pub(crate) struct Rest {
    source: Source,
    remaining: u64,
}

#[derive(Debug)]
enum Source {
    File(OpenFile),
    Memory(Arc<[u8]>, usize),
}

impl Answer {
    /// Returns a response without a file.
    pub(super) fn without_file(bytes: Vec<u8>) -> Answer {
        Answer { bytes, rest: None }
    }

    /// Returns the response that begins with `head`, followed by `range` of `file`.
    pub(super) fn with_file(head: Vec<u8>, mut file: OpenFile, range: Range<u64>) -> io::Result<Answer> {
        file.skip_to(range.start)?;
        Answer::start(head, Source::File(file), range.end - range.start)
    }

    /// Returns the response that begins with `head`, followed by `range` of `bytes`.
    pub(super) fn with_memory(head: Vec<u8>, bytes: &Arc<[u8]>, range: Range<u64>) -> io::Result<Answer> {
        // The range is within the bytes.
        Answer::start(head, Source::Memory(Arc::clone(bytes), range.start as usize), range.end - range.start)
    }

    fn start(head: Vec<u8>, source: Source, remaining: u64) -> io::Result<Answer> {
        match remaining {
            0 => Ok(Answer::without_file(head)),
            _ => Rest { source, remaining }.read_behind(head),
        }
    }
}

impl Rest {
    /// Reads the next slice.
    ///
    /// # Errors
    /// Those of [`OpenFile::read`].
    pub(crate) fn read(self) -> io::Result<Answer> {
        self.read_behind(Vec::new())
    }

    fn read_behind(mut self, mut bytes: Vec<u8>) -> io::Result<Answer> {
        let slice = self.remaining.min(FILE_SLICE_BYTES as u64) as usize;
        bytes.reserve_exact(slice);
        match &mut self.source {
            Source::File(file) => file.read(slice, &mut bytes)?,
            Source::Memory(memory, position) => {
                bytes.extend_from_slice(&memory[*position..*position + slice]);
                *position += slice;
            }
        }
        self.remaining -= slice as u64;
        Ok(Answer { bytes, rest: (self.remaining > 0).then_some(self) })
    }
}
