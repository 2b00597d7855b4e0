//! The table of contents of the site, `docs/SUMMARY.md`.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::links;

/// The file, relative to the root of the workspace.
pub(super) const FILE: &str = "docs/SUMMARY.md";

/// The pages of the site, in their order.
pub(super) struct Summary {
    pub(super) pages: Vec<Page>,
}

pub(super) struct Page {
    /// The heading above it in the table of contents; empty if there is none.
    pub(super) part: String,
    pub(super) title: String,
    /// Relative to the root of the workspace.
    pub(super) file: String,
}

impl Summary {
    pub(super) fn read(root: &Path) -> Result<Summary> {
        let text = fs::read_to_string(root.join(FILE)).with_context(|| format!("cannot read {FILE}"))?;
        Summary::parse(&text)
    }

    fn parse(text: &str) -> Result<Summary> {
        let (mut part, mut pages) = (String::new(), Vec::new());
        for line in text.lines() {
            if let Some(heading) = line.strip_prefix("# ") {
                part = heading.to_owned();
            } else if let Some(link) = line.trim_start_matches([' ', '-']).strip_prefix('[') {
                let (title, rest) = link.split_once("](").with_context(|| format!("{FILE}: no link in {line:?}"))?;
                let target = rest.trim_end().trim_end_matches(')');
                let file = links::resolve(FILE, target).with_context(|| format!("{FILE}: {target} is outside"))?;
                pages.push(Page { part: part.clone(), title: title.to_owned(), file });
            }
        }
        Ok(Summary { pages })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_have_a_part_a_title_and_a_file() {
        let summary = Summary::parse("[First](site/index.md)\n\n# Use it\n\n- [Wire](../PROTOCOL.md)\n").unwrap();
        let pages: Vec<_> = summary.pages.iter().map(|page| [&*page.part, &*page.title, &*page.file]).collect();
        assert_eq!(pages, [["", "First", "docs/site/index.md"], ["Use it", "Wire", "PROTOCOL.md"]]);
    }
}
