//! Mono with its compiler, which run the client for C#: from Debian packages, in `target/mono`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, ensure};

use crate::debian::{self, Package};

const PACKAGE: Package = Package {
    name: "mono-mcs",
    // Later ones have the compiler in a package that is five times as large.
    suite: "trixie",
    with: &["libmono-system4.0-cil", "libmono-system-core4.0-cil"],
    size: "11 MiB",
    not_needed: &[
        "binutils",
        "debconf",
        "libbinutils",
        "libcom-err",
        "libctf",
        "libgprofng",
        "libgssapi",
        "libjansson",
        "libk5",
        "libkeyutils",
        "libkrb5",
        "libsframe",
        "libssl",
        "libzstd",
        "openssl",
        "tzdata",
    ],
    launcher: LAUNCHER,
    check,
};

/// Starts the program that is the first argument, or the compiler if that is `mcs`, with the libraries from its packages.
const LAUNCHER: &str = r#"#!/bin/sh
here=$(dirname "$(realpath "$0")")
root=$here/root/usr/lib
libraries=$(echo "$root"/*-linux-gnu*)
if [ ! -e "$here/config" ]; then
    # Mono looks for its own libraries below /usr otherwise.
    sed 's|\$mono_libdir/||' "$here/root/etc/mono/config" > "$here/config.$$"
    mv "$here/config.$$" "$here/config"
fi
export MONO_CONFIG="$here/config" MONO_CFG_DIR="$here/root/etc" MONO_PATH="$root/mono/4.5" MONO_GAC_PREFIX="$here/root/usr"
if [ "$1" = mcs ]; then
    shift
    set -- "$root/mono/4.5/mcs.exe" "$@"
fi
exec "$libraries"/ld-linux*.so.* --library-path "$libraries:$root" "$here/root/usr/bin/mono-sgen" "$@"
"#;

/// Returns the program that starts the others; `None` if they cannot be fetched, which is an error in a CI service.
pub(crate) fn prepare(root: &Path) -> Result<Option<PathBuf>> {
    debian::prepare(root, "mono", &PACKAGE, "no Mono, so the client for C# was not tested")
}

/// Returns an error unless the compiler runs.
fn check(launcher: &Path) -> Result<()> {
    let status = Command::new(launcher).args(["mcs", "--version"]).stdout(Stdio::null()).status()?;
    ensure!(status.success(), "the compiler does not run");
    Ok(())
}
