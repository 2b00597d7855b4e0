//! Finds Chromium, in which the page is tested: `$CHROMIUM`, else one on the `PATH`, else one fetched into
//! `target/chromium`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::ci::or_skip;
use crate::command::succeeds;
use crate::debian::{self, NEWEST, Package};

/// Drivers and data that a browser without a display does not load.
const NOT_NEEDED: [&str; 7] = ["libgl1", "libllvm", "libvulkan", "libz3", "mesa-", "tzdata", "x11-"];

/// Starts Chromium with the loader, the libraries and the fonts from its packages. Chromium looks for its data beside the
/// loader, and its zygote would start the loader without the program.
const LAUNCHER: &str = r#"#!/bin/sh
here=$(dirname "$(realpath "$0")")
libraries=$(echo "$here"/root/usr/lib/*-linux-gnu*)
if [ ! -e "$here/home" ]; then
  mkdir "$here/home"
  (cd "$libraries" && ln -sf ../chromium/* .)
fi
echo "<fontconfig><dir>$here/root/usr/share/fonts</dir></fontconfig>" > "$here/home/fonts.conf"
export HOME="$here/home" FONTCONFIG_FILE="$here/home/fonts.conf"
exec "$libraries"/ld-linux*.so.* --library-path "$libraries:$libraries/pulseaudio" \
  "$here/root/usr/lib/chromium/chromium" --browser-subprocess-path="$here/chromium" --no-zygote "$@"
"#;

const PACKAGE: Package = Package {
    name: "chromium",
    suite: NEWEST,
    with: &[],
    size: "150 MiB",
    not_needed: &NOT_NEEDED,
    launcher: LAUNCHER,
    check: |program| {
        let output = Command::new(program).arg("--version").output().context("cannot start it")?;
        let text = String::from_utf8_lossy(&output.stdout);
        ensure!(text.contains("Chromium"), "it does not print a version: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    },
};

/// Returns the program; `None` if there is none and it cannot be fetched, which is an error in a CI service.
pub(crate) fn prepare(root: &Path) -> Result<Option<PathBuf>> {
    if let Some(program) = std::env::var_os("CHROMIUM").filter(|program| !program.is_empty()) {
        return Ok(Some(program.into()));
    }
    let names = ["chromium", "chromium-browser", "google-chrome"];
    if let Some(name) = names.into_iter().find(|name| succeeds(Command::new(name).arg("--version"))) {
        return Ok(Some(name.into()));
    }
    let fetched = debian::fetch(&root.join("target").join("chromium"), &PACKAGE);
    or_skip(fetched, |error| format!("no Chromium, so the page was not tested in a browser: {error:#}"))
}
