//! Links in Markdown: `[text](target)`, and the attributes `src` and `href` of HTML.

/// Returns a page with each relative link replaced by what `replace` returns for its target and its line number. Code stays as
/// it is.
pub(super) fn rewrite(text: &str, mut replace: impl FnMut(&str, usize) -> String) -> String {
    let (mut result, mut in_code) = (String::with_capacity(text.len()), false);
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let fence = line.trim_start().starts_with("```");
        in_code ^= fence;
        if in_code || fence {
            result += line;
        } else {
            rewrite_line(line, &mut result, &mut |target| replace(target, index + 1));
        }
    }
    result
}

fn rewrite_line(line: &str, result: &mut String, replace: &mut dyn FnMut(&str) -> String) {
    let mut rest = line;
    while let Some((start, end)) = next_target(rest) {
        let (before, target) = (&rest[..start], &rest[start..end]);
        *result += before;
        if is_relative(target) && is_text(&line[..line.len() - rest.len() + start]) {
            *result += &replace(target);
        } else {
            *result += target;
        }
        rest = &rest[end..];
    }
    *result += rest;
}

/// Returns where the next target of a link starts and ends.
fn next_target(text: &str) -> Option<(usize, usize)> {
    let opening = [("](", ')'), ("src=\"", '"'), ("href=\"", '"')];
    let found = opening.iter().filter_map(|(open, close)| Some((text.find(open)? + open.len(), *close)));
    let (start, close) = found.min_by_key(|(start, _)| *start)?;
    Some((start, start + text[start..].find(close)?))
}

/// Returns whether the text after `before` is not inside of a code span.
fn is_text(before: &str) -> bool {
    before.matches('`').count().is_multiple_of(2)
}

/// Returns whether a target is a path, and neither an address nor an anchor of the same page.
pub(super) fn is_relative(target: &str) -> bool {
    let scheme = target.split(['/', '?', '#']).next().is_some_and(|first| first.contains(':'));
    !scheme && !target.is_empty() && !target.starts_with(['#', '/'])
}

/// Returns the path that a link in the file `from` leads to; `None` if it leaves the tree. Both are relative to its root.
pub(super) fn resolve(from: &str, target: &str) -> Option<String> {
    let mut path: Vec<&str> = from.split('/').collect();
    path.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => _ = path.pop()?,
            part => path.push(part),
        }
    }
    Some(path.join("/"))
}

/// Returns the link in the file `from` that leads to the file `to`.
pub(super) fn relative(from: &str, to: &str) -> String {
    "../".repeat(from.matches('/').count()) + to
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_links_are_replaced_and_code_stays() {
        let page =
            "[a](b.md) [c](https://d.e) [f](#g) `[h](i)`\n```md\n[j](k)\n```\n<img src=\"l.png\"> [m](n.md#o).\n";
        let mut lines = Vec::new();
        let result = rewrite(page, |target, line| {
            lines.push(line);
            format!("<{target}>")
        });
        let expected = page.replace("b.md", "<b.md>").replace("l.png", "<l.png>").replace("n.md#o", "<n.md#o>");
        assert_eq!((result, lines), (expected, vec![1, 5, 5]));
    }

    #[test]
    fn paths_are_resolved_within_the_tree() {
        assert_eq!(resolve("docs/a.md", "../clients/./js/README.md").as_deref(), Some("clients/js/README.md"));
        assert_eq!(resolve("docs/a.md", "../../b"), None);
        assert_eq!(relative("clients/js.md", "limits.md"), "../limits.md");
        assert_eq!(relative("a.md", "clients/js.md"), "clients/js.md");
    }
}
