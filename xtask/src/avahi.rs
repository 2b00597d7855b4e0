//! The programs of Avahi for the interoperability tests: the installed ones, or those of Debian packages, in `target/avahi`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, ensure};

use crate::debian::{self, NEWEST, Package};

const PACKAGE: Package = Package {
    name: "avahi-utils",
    suite: NEWEST,
    with: &[],
    size: "20 MiB",
    not_needed: &["libc-gconv", "systemd", "libsystemd-shared", "perl", "adduser", "passwd"],
    launcher: LAUNCHER,
    check,
};

/// Starts the program that is the first argument, with the libraries from its packages.
const LAUNCHER: &str = r#"#!/bin/sh
here=$(dirname "$(realpath "$0")")
libraries=$(echo "$here"/root/usr/lib/*-linux-gnu*)
program=$1
shift
for directory in bin sbin; do
    if [ -x "$here/root/usr/$directory/$program" ]; then
        exec "$libraries"/ld-linux*.so.* --library-path "$libraries" "$here/root/usr/$directory/$program" "$@"
    fi
done
echo "$program is in none of the packages" >&2
exit 127
"#;

/// Returns the program that starts the others; `None` if they cannot be fetched, which is an error in a CI service.
pub(crate) fn prepare(root: &Path) -> Result<Option<PathBuf>> {
    debian::prepare(root, "avahi", &PACKAGE, "no Avahi, so tests against it were not run")
}

/// Returns an error unless the programs run.
fn check(launcher: &Path) -> Result<()> {
    for (program, argument) in
        [("avahi-daemon", "--version"), ("avahi-browse", "--version"), ("dbus-daemon", "--version")]
    {
        let status = Command::new(launcher).args([program, argument]).stdout(Stdio::null()).status()?;
        ensure!(status.success(), "{program} does not run");
    }
    Ok(())
}
