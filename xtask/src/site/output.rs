//! Checks the links in the HTML of the site: each leads to a file of the site, and to an element of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::links;

/// It is shown at any address, so its links are those of the root of a web server.
const NOT_FOUND: &str = "404.html";

/// Returns a line for each link that leads nowhere. Addresses outside of the site are not checked.
pub(super) fn broken_links(site: &Path) -> Result<Vec<String>> {
    let mut files = BTreeSet::new();
    list(site, "", &mut files)?;
    let mut pages = BTreeMap::new();
    for file in files.iter().filter(|file| file.ends_with(".html") && *file != NOT_FOUND) {
        let html = fs::read_to_string(site.join(file)).with_context(|| format!("cannot read {file} of the site"))?;
        pages.insert(file.as_str(), html);
    }
    let anchors: BTreeMap<&str, BTreeSet<&str>> =
        pages.iter().map(|(file, html)| (*file, attributes(html, "id").collect())).collect();
    let mut broken = Vec::new();
    for (file, html) in &pages {
        for target in attributes(html, "href").chain(attributes(html, "src")) {
            if (target.starts_with('#') || links::is_relative(target)) && !exists(file, target, &files, &anchors) {
                broken.push(format!("{file}: {target}"));
            }
        }
    }
    Ok(broken)
}

fn exists(from: &str, target: &str, files: &BTreeSet<String>, anchors: &BTreeMap<&str, BTreeSet<&str>>) -> bool {
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let path = path.split('?').next().unwrap_or(path);
    let file = if path.is_empty() { Some(from.to_owned()) } else { links::resolve(from, path) };
    let Some(file) = file.filter(|file| files.contains(file)) else { return false };
    anchor.is_empty() || anchors.get(file.as_str()).is_some_and(|ids| ids.contains(anchor))
}

/// Returns the values of an attribute. What follows a `>` is text, such as an example in HTML, whose `<` is an entity.
fn attributes<'a>(html: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let opening = format!(" {name}=\"");
    let is_in_tag = |at: &usize| html[..*at].rfind(['<', '>']).is_some_and(|last| html[last..].starts_with('<'));
    let starts = html.match_indices(&opening).map(|(at, _)| at).filter(is_in_tag);
    let values = starts.filter_map(|at| html[at + opening.len()..].split_once('"').map(|(value, _)| value));
    values.collect::<Vec<_>>().into_iter()
}

/// Lists the files in a directory, relative to the site.
fn list(site: &Path, prefix: &str, files: &mut BTreeSet<String>) -> Result<()> {
    for entry in fs::read_dir(site.join(prefix)).context("cannot list the site")? {
        let entry = entry?;
        let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            list(site, &format!("{path}/"), files)?;
        } else {
            files.insert(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_anchors_must_exist() {
        let files: BTreeSet<String> = ["index.html", "a/b.html", "c.png"].map(String::from).into();
        let anchors = BTreeMap::from([("a/b.html", BTreeSet::from(["top"])), ("index.html", BTreeSet::new())]);
        let exists = |from, target| exists(from, target, &files, &anchors);
        assert!(
            exists("a/b.html", "../c.png?v=1") && exists("index.html", "a/b.html#top") && exists("a/b.html", "#top")
        );
        assert!(!exists("a/b.html", "c.png") && !exists("index.html", "a/b.html#end") && !exists("index.html", "#top"));
    }

    #[test]
    fn attributes_are_read() {
        let html = r#"<a class="x" href="b.html">&lt;a href="no"></a><img data-src="d" src="c.png">"#;
        assert_eq!(attributes(html, "href").collect::<Vec<_>>(), ["b.html"]);
        assert_eq!(attributes(html, "src").collect::<Vec<_>>(), ["c.png"]);
    }
}
