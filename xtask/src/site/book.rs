//! The source of the site: the pages of the table of contents, and the files that they link to.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::summary::{self, Summary};
use super::{code, links};

/// What is not a page: the settings of mdBook, and the style of the site.
const ASSETS: &str = "docs/site";

/// The first page.
const FIRST: &str = "index.md";

/// The pages as they are in the site.
pub(super) struct Book<'a> {
    root: &'a Path,
    summary: Summary,
    /// The texts, by their paths in the site.
    pages: BTreeMap<String, String>,
    /// Other files, relative to the root of the workspace.
    files: BTreeSet<String>,
}

impl<'a> Book<'a> {
    /// Reads the pages. A link to a file that does not exist, or to a page that is not part of the site, is an error.
    pub(super) fn read(root: &'a Path) -> Result<Book<'a>> {
        let summary = Summary::read(root)?;
        let mut book = Book { root, summary, pages: BTreeMap::new(), files: BTreeSet::new() };
        let files: Vec<String> = book.summary.pages.iter().map(|page| page.file.clone()).collect();
        let mut broken = Vec::new();
        for file in files.into_iter().chain([summary::FILE.to_owned()]) {
            let text = fs::read_to_string(root.join(&file)).with_context(|| format!("cannot read {file}"))?;
            let text = code::insert(&text, |target| {
                let path = links::resolve(&file, target).context("the file is outside of the workspace")?;
                fs::read_to_string(root.join(&path)).with_context(|| format!("cannot read {path}"))
            });
            let text = text.with_context(|| format!("an example of {file} is missing"))?;
            let text = links::rewrite(&text, |target, line| {
                book.link(&file, target).unwrap_or_else(|fault| {
                    broken.push(format!("{file}:{line}: {target} {fault}"));
                    target.to_owned()
                })
            });
            book.pages.insert(site_path(&file), book.with_titles(text));
        }
        if !broken.is_empty() {
            bail!("links lead nowhere:\n{}", broken.join("\n"));
        }
        Ok(book)
    }

    /// Replaces the names of files by which links in the repository call the pages, such as `limits.md`, with their titles.
    fn with_titles(&self, mut text: String) -> String {
        for page in &self.summary.pages {
            let name = page.file.rsplit('/').next().unwrap_or(&page.file);
            for name in [name, &page.file] {
                text = text.replace(&format!("[{name}]("), &format!("[{}](", page.title));
            }
        }
        text
    }

    pub(super) fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Returns a link of `from` as it is in the site, or what is wrong with it.
    fn link(&mut self, from: &str, target: &str) -> Result<String, &'static str> {
        let (path, anchor) = target.find('#').map_or((target, ""), |at| target.split_at(at));
        let file = links::resolve(from, path).ok_or("is outside of the repository")?;
        if !self.root.join(&file).is_file() {
            return Err("is not a file");
        }
        let to = site_path(&file);
        if !file.ends_with(".md") {
            self.files.insert(file);
        } else if to != FIRST && !self.summary.pages.iter().any(|page| page.file == file) {
            return Err("is not in docs/SUMMARY.md");
        }
        Ok(links::relative(&site_path(from), &to) + anchor)
    }

    /// Writes everything that mdBook needs to `directory`.
    pub(super) fn write(&self, directory: &Path) -> Result<()> {
        let source = directory.join("src");
        for (path, text) in &self.pages {
            fs::create_dir_all(parent(&source.join(path))?)?;
            fs::write(source.join(path), text)?;
        }
        for file in &self.files {
            copy(&self.root.join(file), &source.join(site_path(file)))?;
        }
        copy_directory(&self.root.join(ASSETS), directory)
    }
}

/// Returns where a file is in the site. `docs` is its root, and the page of a directory has the name of the directory.
pub(super) fn site_path(file: &str) -> String {
    if ["README.md", "docs/README.md", "docs/site/index.md"].contains(&file) {
        return FIRST.into();
    }
    let path = file.strip_prefix("docs/").unwrap_or(file);
    path.strip_suffix("/README.md").map_or(path.to_owned(), |directory| format!("{directory}.md"))
}

fn parent(path: &Path) -> Result<&Path> {
    path.parent().with_context(|| format!("{} is in no directory", path.display()))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(parent(to)?)?;
    fs::copy(from, to).with_context(|| format!("cannot copy {}", from.display()))?;
    Ok(())
}

fn copy_directory(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from).with_context(|| format!("cannot list {}", from.display()))? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() { copy_directory(&entry.path(), &to)? } else { copy(&entry.path(), &to)? }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_of_directories_become_pages() {
        assert_eq!(site_path("docs/limits.md"), "limits.md");
        assert_eq!(site_path("PROTOCOL.md"), "PROTOCOL.md");
        assert_eq!(site_path("clients/js/README.md"), "clients/js.md");
        assert_eq!(site_path("clients/js/examples/chat.js"), "clients/js/examples/chat.js");
        assert_eq!([site_path("README.md"), site_path("docs/README.md")], [FIRST, FIRST]);
    }
}
