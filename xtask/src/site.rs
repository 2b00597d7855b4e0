//! `cargo xtask site`: builds the documentation site from `docs` with mdBook, and checks its links.
//!
//! The pages are copied before, because a site cannot link to files outside of it: what the pages link to becomes part of the
//! site, and the links change with it.

mod book;
mod llms;
mod output;

mod code;
mod links;
mod summary;

mod mdbook;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command::run as run_command;
use crate::environments::{CHROMIUM, Environments, NODE_MODULES};
use crate::report::Tally;
use book::Book;

/// Builds the site into `target/site`, and prints where its first page is.
pub(crate) fn run(root: &Path) -> Result<()> {
    if let Some(site) = build(root)? {
        println!("{}", site.join("index.html").display());
    }
    Ok(())
}

/// Builds the site and opens it in Chromium, as two checks. Each is skipped if what it needs is missing.
pub(crate) fn check(root: &Path, environments: &Environments) -> Result<Tally> {
    let Some(site) = build(root)? else { return Ok(Tally::SKIPPED) };
    let mut tally = Tally::PASSED;
    let (Some(modules), Some(chromium)) = (environments.get(NODE_MODULES), environments.get(CHROMIUM)) else {
        println!("SKIPPED: no Node.js or no Chromium, so the site was not opened in a browser");
        tally.add(Tally::SKIPPED);
        return Ok(tally);
    };
    let mut browser = Command::new("node");
    browser.arg(root.join("tests/node/site_in_browser.mjs")).arg(site);
    run_command(browser.env("NODE_MODULES", modules).env("CHROMIUM", chromium))?;
    tally.add(Tally::PASSED);
    Ok(tally)
}

/// Returns the directory of the site; `None` if there is no mdBook, which is an error in a CI service.
fn build(root: &Path) -> Result<Option<PathBuf>> {
    let Some(mdbook) = mdbook::prepare(root)? else { return Ok(None) };
    let (source, site) = (root.join("target/site-source"), root.join("target/site"));
    for directory in [&source, &site] {
        if directory.exists() {
            fs::remove_dir_all(directory).with_context(|| format!("cannot remove {}", directory.display()))?;
        }
    }
    let book = Book::read(root)?;
    book.write(&source)?;
    run_command(Command::new(mdbook).arg("build").arg(&source).arg("--dest-dir").arg(&site).env("MDBOOK_LOG", "warn"))?;
    fs::write(site.join("llms.txt"), llms::text(root, book.summary())?)?;
    let broken = output::broken_links(&site)?;
    if !broken.is_empty() {
        bail!("links of the site lead nowhere:\n{}", broken.join("\n"));
    }
    Ok(Some(site))
}
