//! Windows on x86-64: Debian's MinGW links, and Wine runs the programs.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::host::{directory, host_suite};
use super::platform::Platform;
use super::standard_library::{self, Purpose};
use crate::debian::{self, output};

pub(super) const TARGET: &str = "x86_64-pc-windows-gnu";

/// The oldest Wine with the calls that mio uses; that of Debian 12 lacks them.
const WINE_SUITE: &str = "trixie";

const MINGW: [&str; 6] = [
    "gcc-mingw-w64-x86-64-win32",
    "gcc-mingw-w64-x86-64-win32-runtime",
    "gcc-mingw-w64-base",
    "binutils-mingw-w64-x86-64",
    "mingw-w64-x86-64-dev",
    "mingw-w64-common",
];

/// Wine with a C library of its own, because it is newer than the system.
const WINE: [&str; 8] = ["wine", "libwine", "wine64", "libz-mingw-w64", "libc6", "libunwind8", "liblzma5", "libgcc-s1"];

/// Libraries for graphics, sound and scripts, two thirds of Wine.
const NOT_NEEDED: [&str; 11] = [
    "d3d*",
    "d2d*",
    "wined3d*",
    "mshtml*",
    "msvc[pr][0-9]*",
    "jscript*",
    "vbscript*",
    "winedbg*",
    "x[ac3]*",
    "opengl*",
    "light.*",
];

const NOT_EMULATED: [(&str, &str); 1] =
    [("name_without_an_interface_is_reported_with_those_that_exist", "Wine does not list the network interfaces here")];

/// Prepares linker and standard library, without Wine.
pub(super) fn prepare_linker(root: &Path) -> Result<Platform> {
    let mingw = directory(root).join("mingw");
    debian::unpack_once(&mingw, &host_suite()?, &MINGW, &[], |unpacked| {
        let programs = unpacked.join("usr/bin");
        let link = programs.join("x86_64-w64-mingw32-gcc");
        output(Command::new("ln").args(["-sfn", "x86_64-w64-mingw32-gcc-win32"]).arg(link)).map(drop)
    })?;
    let library = standard_library::prepare(root, TARGET, Purpose::Build, Some(&mingw.join("usr/bin")))?;
    let mut platform = Platform::new(TARGET, library);
    platform.add_programs(&mingw.join("usr/bin"));
    Ok(platform)
}

/// Prepares everything that the tests need.
pub(super) fn prepare(root: &Path) -> Result<Platform> {
    let mut platform = prepare_linker(root)?;
    let wine = Wine::prepare(&directory(root))?;
    for (variable, value) in wine.variables() {
        platform.set(variable, value);
    }
    platform.not_emulated = &NOT_EMULATED;
    platform.set_of_target("RUNNER", wine.program("wine64"));
    platform.end_with(wine.program("wineserver"), "--kill");
    Ok(platform)
}

/// An unpacked Wine, and the directory with its drive C.
struct Wine {
    directory: PathBuf,
    prefix: PathBuf,
}

impl Wine {
    fn prepare(here: &Path) -> Result<Wine> {
        let patchelf = here.join("patchelf");
        debian::unpack_once(&patchelf, &host_suite()?, &["patchelf"], &[], |_| Ok(()))?;
        let wine = Wine { directory: here.join("wine"), prefix: here.join("wine-prefix") };
        let excluded: Vec<String> =
            NOT_NEEDED.iter().map(|name| format!("--exclude=*/wine/x86_64-windows/{name}")).collect();
        let excluded: Vec<&str> = excluded.iter().map(String::as_str).collect();
        debian::unpack_once(&wine.directory, WINE_SUITE, &WINE, &excluded, |unpacked| {
            wine.link_libraries(unpacked, &patchelf.join("usr/bin/patchelf"))
        })?;
        wine.prepare_prefix().context("Wine does not start")?;
        Ok(wine)
    }

    /// Returns a program of Wine.
    fn program(&self, name: &str) -> PathBuf {
        self.directory.join("usr/lib/wine").join(name)
    }

    fn variables(&self) -> [(&'static str, &OsStr); 3] {
        [
            ("WINEPREFIX", self.prefix.as_os_str()),
            ("WINEDEBUG", OsStr::new("-all")),
            // Otherwise it offers to download a .NET and a web browser.
            ("WINEDLLOVERRIDES", OsStr::new("mscoree,mshtml=")),
        ]
    }

    /// Makes the programs in `unpacked` use the C library from their packages.
    fn link_libraries(&self, unpacked: &Path, patchelf: &Path) -> Result<()> {
        let programs = unpacked.join("usr/lib/wine");
        fs::rename(programs.join("wineserver64"), programs.join("wineserver"))?;
        let libraries = self.directory.join("usr/lib/x86_64-linux-gnu");
        for program in ["wine64", "wineserver"] {
            let mut command = Command::new(patchelf);
            command.arg("--set-interpreter").arg(libraries.join("ld-linux-x86-64.so.2"));
            command.args(["--force-rpath", "--set-rpath"]).arg(&libraries).arg(programs.join(program));
            output(&mut command)?;
        }
        let link = |to: &str, from: PathBuf| output(Command::new("ln").args(["-sfn", to]).arg(from)).map(drop);
        link("wine64", programs.join("wine"))?;
        // Where the server searches for its tables.
        link(".", unpacked.join("usr/share/wine/wine"))
    }

    /// Creates drive C.
    fn prepare_prefix(&self) -> Result<()> {
        if self.prefix.exists() {
            return Ok(());
        }
        let unfinished = self.prefix.with_extension("unfinished");
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished)?;
        }
        let system = unfinished.join("drive_c/windows/system32");
        fs::create_dir_all(&system)?;
        fs::copy(self.directory.join("usr/x86_64-w64-mingw32/lib/zlib1.dll"), system.join("zlib1.dll"))?;
        let in_unfinished = |program: &str| {
            let mut command = Command::new(self.program(program));
            command.envs(self.variables()).env("WINEPREFIX", &unfinished);
            command
        };
        output(in_unfinished("wine64").args(["wineboot", "--init"]))?;
        // The server must not keep using the directory under its old name.
        output(in_unfinished("wineserver").arg("--wait"))?;
        fs::rename(&unfinished, &self.prefix)?;
        Ok(())
    }
}
