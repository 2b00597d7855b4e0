//! The files that an application publishes beside its WebSocket.

mod answer;
mod directory;
mod error;
mod memory;
mod node;
mod open_file;
mod verified_open;

#[cfg(target_os = "linux")]
mod open_beneath;

#[cfg(test)]
mod tests;

use std::io;
use std::path::Path;
use std::sync::Arc;

use halloo_proto::files::{self, FileRequest, INDEX, ResponseContext};
use halloo_proto::http::After;
use halloo_proto::routes::{ROUTES, is_reserved};

use directory::Directory;
use memory::MemoryFiles;

pub(crate) use answer::{Answer, Rest};
pub use error::FilesError;

/// Files that the server publishes on its port, such as the page of a game.
///
/// `/` becomes `index.html`, and the server's own page is at `/_halloo/`. Everyone who reaches the server can read the
/// files, also without its token. Files and directories whose names begin with a dot are not published, except
/// `.well-known`, nor are links that lead out of the directory.
///
/// ```
/// use halloo::{Config, Files, Server};
///
/// let files = Files::memory([("index.html", "<!doctype html><title>Tanks</title>")])?;
/// let server = Server::start(Config::local().www(files))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Files {
    source: Source,
    headers: Vec<(String, String)>,
}

#[derive(Clone, Debug)]
enum Source {
    Directory(Directory),
    Memory(Arc<MemoryFiles>),
    /// A directory on a drive that does not respond until a test lets it.
    #[cfg(test)]
    Stuck(Arc<std::sync::Barrier>),
}

impl Files {
    /// Publishes the files in the directory `path`, as they are when they are requested.
    ///
    /// To replace a file, write another one and rename it, or publish it under a new name: one that is overwritten in place while
    /// it is sent ends the response, or, if it becomes longer, may arrive as parts of two versions, as a file that grows is sent
    /// as long as it was.
    ///
    /// A file `a.js.br` or `a.js.gz` beside `a.js` is sent in its place to browsers that accept this compression.
    ///
    /// # Errors
    /// [`FilesError::Missing`], [`FilesError::NotADirectory`] or [`FilesError::Unreadable`].
    pub fn directory(path: impl AsRef<Path>) -> Result<Files, FilesError> {
        Ok(Files { source: Source::Directory(Directory::new(path.as_ref())?), headers: Vec::new() })
    }

    /// Publishes files that are in memory, by their paths relative to `/`, such as `img/cat.png`.
    ///
    /// # Errors
    /// [`FilesError::Name`] if a path is one that no request can have.
    pub fn memory<N: Into<String>, B: Into<Vec<u8>>>(
        files: impl IntoIterator<Item = (N, B)>,
    ) -> Result<Files, FilesError> {
        Ok(Files { source: Source::Memory(Arc::new(MemoryFiles::new(files)?)), headers: Vec::new() })
    }

    /// Publishes no files, from a drive that reads while the test waits twice for `barrier`: for the begin, and for the end.
    #[cfg(test)]
    pub(crate) fn stuck(barrier: &Arc<std::sync::Barrier>) -> Files {
        Files { source: Source::Stuck(Arc::clone(barrier)), headers: Vec::new() }
    }

    /// Adds a header to all responses with files, such as `Cross-Origin-Opener-Policy`.
    ///
    /// # Errors
    /// [`FilesError::Header`] if it is malformed, or one that the server sets itself.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Result<Files, FilesError> {
        let (name, value) = (name.into(), value.into());
        files::check_header(&name, &value)?;
        self.headers.push((name, value));
        Ok(self)
    }

    /// Returns whether `/` is a file: there is an `index.html`.
    pub fn has_index(&self) -> bool {
        self.contains(INDEX)
    }

    /// Returns the paths, such as `/status`, of files that cannot be requested, because the server responds itself.
    pub fn shadowed(&self) -> Vec<&'static str> {
        let paths = ROUTES.iter().map(|route| route.path).filter(|path| is_reserved(path));
        paths.filter(|path| self.contains(path.trim_matches('/'))).collect()
    }

    fn contains(&self, name: &str) -> bool {
        match &self.source {
            Source::Directory(directory) => directory.contains(name),
            Source::Memory(memory) => memory.get(name).is_some() || memory.is_directory(name),
            #[cfg(test)]
            Source::Stuck(_) => false,
        }
    }

    /// Returns whether [`Files::answer`] and [`Rest::read`] may wait for a disk.
    pub(crate) fn may_block(&self) -> bool {
        !matches!(self.source, Source::Memory(_))
    }

    /// Returns the response to `request`, up to the first slice of the file.
    ///
    /// # Errors
    /// That of the system, if it cannot read a file that it has opened.
    pub(crate) fn answer(&self, request: &FileRequest, origin: Option<&str>, after: After) -> io::Result<Answer> {
        let context = ResponseContext { after, headers: &self.headers, origin };
        match &self.source {
            Source::Directory(directory) => directory.answer(request, &context),
            Source::Memory(memory) => memory.answer(request, &context),
            #[cfg(test)]
            Source::Stuck(barrier) => {
                barrier.wait();
                barrier.wait();
                Ok(Answer::without_file(request.not_found(&context)))
            }
        }
    }
}
