//! Examples in pages that are those of other documents, where tests run them: `{{#code FILE: HEADING}}` becomes the code blocks
//! below this heading.

use anyhow::{Context, Result, ensure};

/// Returns a page with the examples in it. `read` returns the text of a file, relative to the page.
pub(super) fn insert(page: &str, read: impl Fn(&str) -> Result<String>) -> Result<String> {
    let mut result = String::with_capacity(page.len());
    for line in page.split_inclusive('\n') {
        let Some(reference) = line.trim().strip_prefix("{{#code ").and_then(|rest| rest.strip_suffix("}}")) else {
            result += line;
            continue;
        };
        let (file, heading) = reference.split_once(": ").with_context(|| format!("no heading in {line:?}"))?;
        let blocks = blocks(&read(file)?, heading);
        ensure!(!blocks.is_empty(), "{file} has no code below the heading {heading:?}");
        result += &blocks;
    }
    Ok(result)
}

/// Returns the code blocks between a heading and the next one.
fn blocks(document: &str, heading: &str) -> String {
    let (mut blocks, mut is_below, mut in_code) = (String::new(), false, false);
    for line in document.split_inclusive('\n') {
        let fence = line.starts_with("```");
        if !in_code && line.starts_with('#') {
            is_below = line.trim_start_matches('#').trim() == heading;
        }
        if is_below && (in_code || fence) {
            blocks += line;
            if in_code && fence {
                blocks += "\n";
            }
        }
        in_code ^= fence;
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_below_a_heading_is_inserted() {
        let document = "# A\n```sh\n# no heading\n```\ntext\n```js\n1\n```\n## B\n```py\n2\n```\n";
        let insert = |page: &str| insert(page, |_| Ok(document.into()));
        let expected = "x\n```sh\n# no heading\n```\n\n```js\n1\n```\n\ny\n";
        assert_eq!(insert("x\n{{#code d.md: A}}\ny\n").unwrap(), expected);
        assert_eq!(insert("{{#code d.md: B}}\n").unwrap(), "```py\n2\n```\n\n");
        assert_eq!(insert("{{#code d.md: C}}").unwrap_err().to_string(), "d.md has no code below the heading \"C\"");
    }
}
