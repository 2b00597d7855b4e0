//! The program and the Godot library for the platforms that programs can be linked for here.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::host::directory;
use super::set_up::{Prepare, set_up};
use super::{arm64, windows};
use crate::command::run as run_command;
use crate::report::{Report, Tally};

/// A platform, and the names of its files.
struct Files {
    prepare: Prepare,
    program: &'static str,
    library: &'static str,
    /// The platform in the words of Godot.
    godot: &'static str,
}

const PLATFORMS: [Files; 2] = [
    Files {
        prepare: windows::prepare_linker,
        program: "halloo.exe",
        library: "halloo_godot.dll",
        godot: "windows.x86_64",
    },
    Files { prepare: arm64::prepare_linker, program: "halloo", library: "libhalloo_godot.so", godot: "linux.arm64" },
];

/// Builds them into `target/cross/dist`: `programs/TARGET`, and `addon`, which is laid out for `cargo xtask dist --libraries`.
pub(super) fn run(root: &Path, report: &mut Report) -> Result<()> {
    for files in &PLATFORMS {
        let Some(platform) = set_up(root, report, files.prepare)? else { continue };
        let target = platform.target;
        report.step(target, "correct what does not compile for this platform", || {
            run_command(&mut platform.build(root, "build --release --locked -p halloo-cli -p halloo-godot"))?;
            let built = directory(root).join("build").join(target).join("release");
            let dist = directory(root).join("dist");
            let copies =
                [(files.program, format!("programs/{target}")), (files.library, format!("addon/{}", files.godot))];
            for (name, place) in copies {
                let to = dist.join(place);
                fs::create_dir_all(&to)?;
                // Written beside the file and moved, so that a file there is complete.
                let unfinished = to.join("unfinished");
                fs::copy(built.join(name), &unfinished).with_context(|| format!("cargo built no {name}"))?;
                fs::rename(&unfinished, to.join(name))?;
                println!("{}: {} KiB", to.join(name).display(), fs::metadata(to.join(name))?.len() / 1024);
            }
            Ok(Tally::PASSED)
        })?;
    }
    Ok(())
}
