//! The compiler of Debian, for a toolchain whose standard library has no source any more.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::host::directory;
use crate::debian::{self, NEWEST, Package, output};

/// The compiler of C and its libraries: those of this system link what runs on it.
const NOT_NEEDED: [&str; 18] = [
    "binutils",
    "cpp",
    "gcc",
    "libasan",
    "libatomic",
    "libc-dev",
    "libc6-dev",
    "libcc1",
    "libcrypt-dev",
    "libgcc-1",
    "libgomp",
    "libgprofng",
    "libhwasan",
    "libitm",
    "liblsan",
    "libtsan",
    "libubsan",
    "linux-libc",
];

/// Starts rustc with the loader and the libraries from its packages. The loader is the program that runs, so that rustc
/// cannot find its standard library from its own path.
const LAUNCHER: &str = r#"#!/bin/sh
here=$(dirname "$(realpath "$0")")
libraries=$(echo "$here"/root/usr/lib/*-linux-gnu)
case "$*" in
    *--sysroot=* | "--print sysroot") ;;
    *) set -- "--sysroot=$here/root/usr" "$@" ;;
esac
if [ "$*" = "--print sysroot" ]; then
    echo "$here/root/usr"
    exit
fi
exec "$libraries"/ld-linux*.so.* --library-path "$libraries" "$here/root/usr/bin/rustc" "$@"
"#;

const PACKAGE: Package = Package {
    name: "rustc",
    suite: NEWEST,
    with: &[],
    size: "150 MiB",
    not_needed: &NOT_NEEDED,
    launcher: LAUNCHER,
    check: |program| output(Command::new(program).arg("-vV")).map(drop),
};

/// Returns it, and fetches it first if it is missing.
pub(super) fn prepare(root: &Path) -> Result<PathBuf> {
    debian::fetch(&directory(root).join("debian-rustc"), &PACKAGE)
}
