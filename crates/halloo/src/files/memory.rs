//! Published files that are in memory.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::sync::Arc;

use halloo_proto::files::{FilePath, FileRequest, Representation, ResponseContext, media_type};

use super::answer::Answer;
use super::error::FilesError;

#[derive(Debug)]
pub(super) struct MemoryFiles {
    files: BTreeMap<String, MemoryFile>,
}

#[derive(Debug)]
pub(super) struct MemoryFile {
    bytes: Arc<[u8]>,
    /// A hash of the bytes.
    version: String,
}

impl MemoryFiles {
    pub(super) fn new<N: Into<String>, B: Into<Vec<u8>>>(
        files: impl IntoIterator<Item = (N, B)>,
    ) -> Result<MemoryFiles, FilesError> {
        let file = |(name, bytes): (N, B)| {
            let (name, bytes): (String, Vec<u8>) = (name.into(), bytes.into());
            if FilePath::from_name(&name).is_none() {
                return Err(FilesError::Name(name));
            }
            let mut hasher = DefaultHasher::new();
            bytes.hash(&mut hasher);
            Ok((name, MemoryFile { version: format!("{:x}-{:x}", hasher.finish(), bytes.len()), bytes: bytes.into() }))
        };
        Ok(MemoryFiles { files: files.into_iter().map(file).collect::<Result<_, _>>()? })
    }

    pub(super) fn get(&self, name: &str) -> Option<&MemoryFile> {
        self.files.get(name)
    }

    /// Returns whether a file is below `name`.
    pub(super) fn is_directory(&self, name: &str) -> bool {
        let prefix = format!("{name}/");
        self.files.range(prefix.clone()..).next().is_some_and(|(first, _)| first.starts_with(&prefix))
    }

    pub(super) fn answer(&self, request: &FileRequest, context: &ResponseContext<'_>) -> io::Result<Answer> {
        let Some(path) = &request.path else { return Ok(Answer::without_file(request.not_found(context))) };
        let name = path.file();
        let Some(plain) = self.get(&name) else {
            let response =
                if self.is_directory(&name) { request.redirect(context) } else { request.not_found(context) };
            return Ok(Answer::without_file(response));
        };
        let mut encoded = request
            .encodings
            .iter()
            .filter_map(|encoding| Some((Some(encoding), self.get(&format!("{name}{}", encoding.extension()))?)));
        let (encoding, file) = encoded.next().unwrap_or((None, plain));
        let representation = Representation {
            media_type: media_type(&name),
            encoding,
            length: file.bytes.len() as u64,
            version: file.version.clone(),
        };
        let (head, range) = request.respond(&representation, context);
        Answer::with_memory(head, &file.bytes, range)
    }
}
