//! `llms.txt` (llmstxt.org): what the project is, and each page in one line, for programs that read the site.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::links;
use super::summary::Summary;

/// The file whose tables describe the pages, relative to the root of the workspace.
const DESCRIPTIONS: &str = "docs/README.md";

/// Returns the text. A page without a description is an error.
pub(super) fn text(root: &Path, summary: &Summary) -> Result<String> {
    let read = |file: &str| fs::read_to_string(root.join(file)).with_context(|| format!("cannot read {file}"));
    compose(&read("README.md")?, &read(DESCRIPTIONS)?, summary)
}

fn compose(readme: &str, descriptions: &str, summary: &Summary) -> Result<String> {
    let sentence = readme.lines().skip(1).find(|line| !line.is_empty()).context("README.md has no first sentence")?;
    let (mut text, mut part) = (format!("# halloo\n\n> {sentence}\n"), "");
    // The first page says the same as the sentence.
    for page in summary.pages.iter().skip(1) {
        if page.part != part {
            part = &page.part;
            write!(text, "\n## {part}\n\n")?;
        }
        let description = description(descriptions, &page.file)
            .with_context(|| format!("{DESCRIPTIONS} has no row for {}, which is in docs/SUMMARY.md", page.file))?;
        let path = super::book::site_path(&page.file);
        let address = path.trim_end_matches(".md");
        writeln!(text, "- [{}]({address}.html): {description}", page.title)?;
    }
    Ok(text)
}

/// Returns the second cell of the row that links to `file`.
fn description<'a>(descriptions: &'a str, file: &str) -> Option<&'a str> {
    let target = |row: &str| Some(row.strip_prefix("| [")?.split_once("](")?.1.split_once(')')?.0.to_owned());
    let links_to =
        |row: &&str| target(row).and_then(|target| links::resolve(DESCRIPTIONS, &target)).is_some_and(|to| to == file);
    let row = descriptions.lines().find(links_to)?;
    let (_, cell) = row.trim_end_matches(['|', ' ']).split_once(" | ")?;
    Some(cell)
}

#[cfg(test)]
mod tests {
    use super::super::summary::Page;
    use super::*;

    fn summary() -> Summary {
        let page =
            |part: &str, title: &str, file: &str| Page { part: part.into(), title: title.into(), file: file.into() };
        Summary { pages: vec![page("", "halloo", "docs/site/index.md"), page("Wire", "Protocol", "PROTOCOL.md")] }
    }

    #[test]
    fn each_page_has_a_line() {
        let rows = "| page | what |\n|---|---|\n| [a](../PROTOCOL.md) | the datagrams |\n";
        let expected = "# halloo\n\n> A server.\n\n## Wire\n\n- [Protocol](PROTOCOL.html): the datagrams\n";
        assert_eq!(compose("# halloo\n\nA server.\n", rows, &summary()).unwrap(), expected);
    }

    #[test]
    fn page_without_a_description_is_an_error() {
        let error = compose("# halloo\n\nA server.\n", "", &summary()).unwrap_err();
        assert_eq!(error.to_string(), "docs/README.md has no row for PROTOCOL.md, which is in docs/SUMMARY.md");
    }
}
