//! Finds mdBook: an installed one that is new enough, else one fetched into `target/mdbook`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::debian::{self, NEWEST, Package};

/// The oldest version with the settings in `docs/site/book.toml`.
const OLDEST: (u32, u32) = (0, 5);

/// Starts mdBook with the loader and the libraries from its packages. That of Debian reads its icons in `/usr/share`.
const LAUNCHER: &str = r#"#!/bin/sh
root=$(dirname "$(realpath "$0")")/root
export root
exec unshare --user --map-root-user --mount sh -c '
  mount --bind "$root/usr/share" /usr/share || exit
  libraries=$(echo "$root"/usr/lib/*-linux-gnu*)
  exec "$libraries"/ld-linux*.so.* --library-path "$libraries" "$root/usr/bin/mdbook" "$@"
' sh "$@"
"#;

const PACKAGE: Package = Package {
    name: "mdbook",
    suite: NEWEST,
    with: &[],
    size: "15 MiB",
    not_needed: &["libc-gconv"],
    launcher: LAUNCHER,
    check,
};

/// Returns the program; `None` if there is none and it cannot be fetched, which is an error in a CI service.
pub(super) fn prepare(root: &Path) -> Result<Option<PathBuf>> {
    let installed = Path::new("mdbook");
    if check(installed).is_ok() {
        return Ok(Some(installed.to_owned()));
    }
    let skipped = "no mdBook, so the documentation site was NOT built; `cargo install mdbook` installs it";
    let fetched = debian::prepare(root, "mdbook", &PACKAGE, skipped)?;
    if fetched.is_none() && !cfg!(target_os = "linux") {
        eprintln!("SKIPPED: {skipped}");
    }
    Ok(fetched)
}

/// Returns an error unless the program starts and is new enough.
fn check(program: &Path) -> Result<()> {
    let output = Command::new(program).arg("--version").output().context("cannot start it")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let version = version(&text).with_context(|| format!("it does not print a version, but {:?}", text.trim()))?;
    ensure!(version >= OLDEST, "mdBook {}.{} is older than {}.{}", version.0, version.1, OLDEST.0, OLDEST.1);
    Ok(())
}

/// Returns the first two numbers of a version such as `mdbook v0.5.4`.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.trim().strip_prefix("mdbook v")?.split('.').map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(version("mdbook v0.5.4\n"), Some((0, 5)));
        assert!(version("mdbook v0.10.0") > Some(OLDEST) && version("mdbook v0.4.52") < Some(OLDEST));
        assert_eq!(version("mdbook 1"), None);
    }
}
