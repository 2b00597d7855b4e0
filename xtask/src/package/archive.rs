//! Archives with the program, named as cargo-binstall expects them: `.zip` for Windows, `.tar.gz` elsewhere.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use anyhow::Result;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::files::{self, Entry};
use super::packer::{Packer, VERSION};
use super::target::{Target, executable};

pub(super) fn write(packer: &Packer<'_>) -> Result<()> {
    for program in &packer.programs {
        let directory = format!("halloo-{VERSION}-{}", program.target.triple);
        let mut entries =
            vec![Entry::program(format!("{directory}/{}", executable(program.target)), fs::read(&program.path)?)];
        for name in ["README.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE"] {
            entries.push(Entry::copy(format!("{directory}/{name}"), &packer.root.join(name))?);
        }
        let path = packer.directory.join(name(program.target));
        if program.target.is_windows() {
            zip(&entries, &path)?;
        } else {
            fs::write(path, files::tar_gz(&entries, false)?)?;
        }
    }
    Ok(())
}

/// Returns the file name of the archive for `target`.
pub(super) fn name(target: &Target) -> String {
    let suffix = if target.is_windows() { "zip" } else { "tar.gz" };
    format!("halloo-{VERSION}-{}.{suffix}", target.triple)
}

/// Writes a zip archive, the same whenever it is made from the same files.
pub(super) fn zip(entries: &[Entry], path: &Path) -> Result<()> {
    let mut writer = ZipWriter::new(File::create(path)?);
    for Entry { path, content, mode } in entries {
        writer.start_file(path.as_str(), SimpleFileOptions::default().unix_permissions(*mode))?;
        writer.write_all(content)?;
    }
    writer.finish()?.flush()?;
    Ok(())
}
