//! lintian, which examines Debian packages, from its own package in `target/lintian`.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::command::succeeds;
use crate::debian::{self, NEWEST};

const PACKAGE: debian::Package = debian::Package {
    name: "lintian",
    suite: NEWEST,
    // What every Debian system has, so no package depends on it.
    with: &["base-files", "coreutils", "dash", "diffutils", "findutils", "grep", "gzip", "sed", "tar"],
    size: "62 MiB",
    not_needed: &[],
    launcher: LAUNCHER,
    check,
};

/// Runs it on the package that is the first argument, in a file system of its own, because it starts other programs by their
/// paths there. The links are those that the packages make when they are installed.
const LAUNCHER: &str = r#"#!/bin/sh
set -e
root=$(dirname "$(realpath "$0")")/root
mkdir -p "$root/proc" "$root/dev" "$root/tmp" "$root/etc/dpkg/origins"
for directory in bin sbin lib lib64; do [ -e "$root/$directory" ] || ln -s "usr/$directory" "$root/$directory"; done
ln -sfn dash "$root/usr/bin/sh"
ln -sfn debian "$root/etc/dpkg/origins/default"
argument=$1
if [ -f "$1" ]; then
    argument=/tmp/$(basename "$1")
    cp "$1" "$root$argument"
fi
shift
export root argument
exec unshare -Urm sh -c 'mount --rbind /proc "$root/proc" && mount --rbind /dev "$root/dev" && exec env -i PATH=/usr/bin:/usr/sbin \
    HOME=/tmp LC_ALL=C chroot "$root" lintian --allow-root "$argument" "$@"' sh "$@"
"#;

/// Examines a package, and returns an error if something in it is wrong. Warnings are printed.
pub(super) fn examine(root: &Path, package: &Path) -> Result<()> {
    let Some(program) =
        debian::prepare(root, "lintian", &PACKAGE, "no lintian, so the Debian package was not examined")?
    else {
        return Ok(());
    };
    // Its file system has no locales, and the package is not part of Debian.
    let irrelevant = "groff-message,initial-upload-closes-no-bugs";
    let mut lintian = Command::new(program);
    lintian.arg(package).args(["--fail-on", "error", "--suppress-tags", irrelevant]);
    let output = lintian.output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "lintian finds:\n{text}{}", String::from_utf8_lossy(&output.stderr));
    print!("{text}");
    Ok(())
}

fn check(launcher: &Path) -> Result<()> {
    let works = succeeds(Command::new(launcher).arg("--version"));
    works.then_some(()).context("it does not run; it needs user namespaces")
}
