//! The options of `serve` for own pages.

use std::path::PathBuf;

use halloo::{Files, FilesError};
use halloo_proto::text::escape;

/// A directory that is published.
#[derive(Clone, Debug)]
pub(crate) struct OwnPages {
    path: PathBuf,
    files: Files,
}

/// A header of all responses with files.
#[derive(Clone, Debug)]
pub(crate) struct PageHeader {
    name: String,
    value: String,
}

impl OwnPages {
    /// Parses the value of `--www`.
    pub(crate) fn parse(text: &str) -> Result<OwnPages, FilesError> {
        Ok(OwnPages { path: text.into(), files: Files::directory(text)? })
    }

    /// Returns the files, with `headers`.
    pub(crate) fn files(&self, headers: &[PageHeader]) -> Result<Files, FilesError> {
        headers.iter().try_fold(self.files.clone(), |files, PageHeader { name, value }| files.header(name, value))
    }

    /// Returns who can read the files, in a sentence.
    pub(crate) fn notice(&self, has_token: bool) -> String {
        let also = if has_token { ", also without the token" } else { "" };
        format!("Everyone who reaches the server can read the files in {}{also}.", self.shown_path())
    }

    /// Warns about files that no browser will see, about a missing index, and about a pad that is not the page.
    pub(crate) fn warn(&self, with_pad: bool) {
        if with_pad {
            tracing::warn!("the pad is at /_halloo/pad, because {} is the page", self.shown_path());
        }
        for path in self.files.shadowed() {
            let name = path.trim_matches('/');
            tracing::warn!("`{name}` in {} is not served, because {path} is a page of the server", self.shown_path());
        }
        if !self.files.has_index() {
            tracing::warn!(
                "there is no index.html in {}, so / responds with 404; the server's own page is at /_halloo/",
                self.shown_path()
            );
        }
    }

    fn shown_path(&self) -> String {
        escape(&self.path.to_string_lossy(), 200)
    }
}

impl PageHeader {
    /// Parses the value of `--www-header`.
    pub(crate) fn parse(text: &str) -> Result<PageHeader, halloo::HeaderError> {
        let (name, value) = text.split_once(':').ok_or(halloo::HeaderError::NoColon)?;
        let value = value.trim();
        halloo_proto::files::check_header(name, value)?;
        Ok(PageHeader { name: name.to_owned(), value: value.to_owned() })
    }
}
