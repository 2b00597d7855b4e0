//! Fetches WebKitGTK, whose engine is that of Safari, with its driver into `target/webkit`, for tests of the pad.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::debian::{self, NEWEST, Package};

/// Drivers of graphics cards, and what is not used without a person.
const NOT_NEEDED: [&str; 12] = [
    "iso-codes",
    "libc-gconv",
    "libegl-mesa",
    "libgl1-mesa",
    "libllvm",
    "libvulkan",
    "libz3",
    "mesa-",
    "perl",
    "procps",
    "systemd",
    "tzdata",
];

/// Starts the driver at the port that is its argument, with a display that nothing shows, and ends with its standard input.
/// Without a port, it prints the version of the browser. The browser starts programs by their absolute paths, so it gets the
/// packages as its root directory.
const LAUNCHER: &str = r#"#!/bin/sh
here=$(dirname "$(realpath "$0")")
root=$here/root
if [ ! -e "$root/proc" ]; then
  mkdir -p "$root/dev" "$root/tmp" "$root/run" "$root/proc"
  for link in bin sbin lib lib64; do [ -e "$root/$link" ] || ln -s "usr/$link" "$root/$link"; done
  echo "<fontconfig><dir>/usr/share/fonts</dir></fontconfig>" > "$root/fonts.conf"
fi
export root HOME=/tmp XDG_RUNTIME_DIR=/tmp FONTCONFIG_FILE=/fonts.conf DISPLAY=:1 LD_LIBRARY_PATH=
exec unshare --user --map-root-user --mount --pid --fork --kill-child sh -c '
  mount --rbind /dev "$root/dev" && mount -t tmpfs tmpfs "$root/tmp" && mount -t proc proc "$root/proc" || exit
  exec chroot "$root" /usr/bin/sh -c "
    libraries=\$(echo /usr/lib/*-linux-gnu*)
    schemas=/usr/share/glib-2.0/schemas
    [ -e \$schemas/gschemas.compiled ] || \$libraries/glib-2.0/glib-compile-schemas \$schemas
    [ -e /usr/share/mime/mime.cache ] || update-mime-database /usr/share/mime
    { Xvfb :1 -screen 0 1280x1024x24 -nolisten tcp -nolisten local -displayfd 1 2> /tmp/display.log & } | read ready
    [ \$1 ] || exec \$libraries/webkit2gtk-4.1/MiniBrowser --version
    WebKitWebDriver --port=\$1 --host=127.0.0.1 > /tmp/driver.log 2>&1 &
    read end
  " sh "$1"
' sh "$1"
"#;

const PACKAGE: Package = Package {
    name: "webkitgtk-webdriver",
    suite: NEWEST,
    with: &["dash", "fonts-dejavu-core", "xvfb"],
    size: "110 MiB",
    not_needed: &NOT_NEEDED,
    launcher: LAUNCHER,
    check,
};

/// Returns the program that starts the driver; `None` if it cannot be fetched, which is an error in a CI service.
pub(crate) fn prepare(root: &Path) -> Result<Option<PathBuf>> {
    debian::prepare(root, "webkit", &PACKAGE, "no WebKit, so the pad was not tested in it")
}

/// Returns an error unless the browser prints its version.
fn check(launcher: &Path) -> Result<()> {
    let output = Command::new(launcher).stdin(Stdio::null()).output().context("cannot start it")?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(text.contains("WebKit"), "it does not print a version: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
