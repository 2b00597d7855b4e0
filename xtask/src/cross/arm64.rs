//! Linux on arm64: Debian's GCC links, and QEMU runs the programs.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::host::{directory, host_suite};
use super::platform::Platform;
use super::standard_library::{self, Purpose};
use crate::debian::{self, output};

pub(super) const TARGET: &str = "aarch64-unknown-linux-gnu";

/// That of Debian 12 lacks `IP_MULTICAST_IF`.
const QEMU_SUITE: &str = "trixie";

/// The packages of GCC, without those that they depend on and that every Debian has.
const GCC: [&str; 11] = [
    "gcc-VERSION-aarch64-linux-gnu",
    "cpp-VERSION-aarch64-linux-gnu",
    "binutils-aarch64-linux-gnu",
    "libc6-arm64-cross",
    "libc6-dev-arm64-cross",
    "linux-libc-dev-arm64-cross",
    "libgcc-VERSION-dev-arm64-cross",
    "libgcc-s1-arm64-cross",
    "libisl23",
    "libmpc3",
    "libmpfr6",
];

const NOT_EMULATED: [(&str, &str); 1] = [(
    "network_failure_exits_with_1_and_its_message",
    "strace sees the system calls of QEMU, not those of the program",
)];

/// Runs its arguments where the kernel starts programs for arm64 by QEMU. A user namespace may have such a rule of its own
/// since Linux 6.7. The tests start programs themselves, which a runner of cargo does not cover.
const WITHIN: &str = r#"#!/bin/sh
set -e
mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
printf '%s' ":arm64:M::$magic:$mask:$QEMU:F" > /proc/sys/fs/binfmt_misc/register
exec "$@"
"#;

/// Prepares linker and standard library, without QEMU.
pub(super) fn prepare_linker(root: &Path) -> Result<Platform> {
    let here = directory(root);
    let suite = host_suite()?;
    let gcc = here.join("gcc-arm64");
    let programs = gcc.join("usr/bin");
    if !gcc.exists() {
        let version = gcc_version(&here, &suite)?;
        let of_version = |name: &str| name.replace("VERSION", &version);
        let packages: Vec<String> = GCC.iter().map(|name| of_version(name)).collect();
        let packages: Vec<&str> = packages.iter().map(String::as_str).collect();
        debian::unpack_once(&gcc, &suite, &packages, &[], |unpacked| {
            let to = of_version("aarch64-linux-gnu-gcc-VERSION");
            output(Command::new("ln").args(["-sfn", &to]).arg(unpacked.join("usr/bin/aarch64-linux-gnu-gcc")))?;
            // The linker finds the libraries that this script names by their names, wherever they are.
            let script = unpacked.join("usr/aarch64-linux-gnu/lib/libc.so");
            let text = fs::read_to_string(&script)?;
            fs::write(&script, text.replace("/usr/aarch64-linux-gnu/lib/", ""))?;
            Ok(())
        })?;
    }
    let library = standard_library::prepare(root, TARGET, Purpose::Build, Some(&programs))?;
    let mut platform = Platform::new(TARGET, library);
    platform.add_programs(&programs);
    platform.set("LD_LIBRARY_PATH", gcc.join("usr/lib/x86_64-linux-gnu"));
    platform.set_of_target("LINKER", "aarch64-linux-gnu-gcc");
    Ok(platform)
}

/// Prepares everything that the tests need.
pub(super) fn prepare(root: &Path) -> Result<Platform> {
    let mut platform = prepare_linker(root)?;
    let here = directory(root);
    let qemu = here.join("qemu");
    // It is linked statically, so that it also runs in other root directories.
    debian::unpack_once(&qemu, QEMU_SUITE, &["qemu-user"], &["./usr/bin/qemu-aarch64"], |_| Ok(()))?;
    let within = here.join("within-arm64");
    fs::write(&within, WITHIN)?;
    platform.not_emulated = &NOT_EMULATED;
    platform.set("QEMU", qemu.join("usr/bin/qemu-aarch64"));
    platform.set("QEMU_LD_PREFIX", here.join("gcc-arm64/usr/aarch64-linux-gnu"));
    let words = ["unshare", "-Urm", "sh"].map(OsStr::new);
    platform.run_within(&[&words[..], &[within.as_os_str()]].concat());
    platform.check().context("the kernel runs no programs for arm64 by QEMU in a user namespace")?;
    Ok(platform)
}

/// Returns the version of the GCC for arm64 in this distribution.
fn gcc_version(here: &Path, suite: &str) -> Result<String> {
    let versions = debian::versions(&here.join("apt"), suite, "gcc-aarch64-linux-gnu")?;
    let version = versions.first().context("there is no GCC for arm64")?;
    // An epoch comes first: `4:12.2.0-3`.
    let version = version.split_once(':').map_or(version.as_str(), |(_, version)| version);
    Ok(version.split('.').next().unwrap_or(version).to_owned())
}
