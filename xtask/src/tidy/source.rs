//! The text files of the workspace, as the rules read them.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// The files that a rule looks at.
const EXTENSIONS: [&str; 5] = ["rs", "md", "gd", "py", "html"];

/// One file.
pub(super) struct Source {
    /// Relative to the root of the workspace, with forward slashes on every system.
    pub(super) path: String,
    pub(super) text: String,
}

impl Source {
    pub(super) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Returns the lines of a Rust file without their comments, numbered from one.
    pub(super) fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, without_comment(line)))
    }

    /// Formats a violation as `path:line: message`, which editors can jump to.
    pub(super) fn violation(&self, line: usize, message: &str) -> String {
        format!("{}:{line}: {message}", self.path)
    }
}

/// Reads every file that a rule looks at, except build output and hidden directories.
pub(super) fn read_all(root: &Path) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    read_directory(root, "", &mut sources)?;
    sources.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(sources)
}

fn read_directory(root: &Path, prefix: &str, sources: &mut Vec<Source>) -> Result<()> {
    let directory = root.join(prefix);
    let entries = fs::read_dir(&directory).with_context(|| format!("cannot list {}", directory.display()))?;
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
        if entry.file_type()?.is_dir() {
            if name != "target" && !name.starts_with('.') {
                read_directory(root, &path, sources)?;
            }
        } else if name.rsplit_once('.').is_some_and(|(_, extension)| EXTENSIONS.contains(&extension)) {
            let text = fs::read_to_string(entry.path()).with_context(|| format!("cannot read {path}"))?;
            sources.push(Source { path, text });
        }
    }
    Ok(())
}

/// Cuts a line at `//`, but not at the one inside a URL such as `ws://`.
fn without_comment(line: &str) -> &str {
    let cut = line.match_indices("//").map(|(at, _)| at).find(|&at| !line[..at].ends_with(':'));
    &line[..cut.unwrap_or(line.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_cut_and_urls_are_not() {
        assert_eq!(without_comment("let a = 1; // one"), "let a = 1; ");
        assert_eq!(without_comment("/// Says so."), "");
        assert_eq!(without_comment(r#"let u = "ws://a"; // one"#), r#"let u = "ws://a"; "#);
    }
}
