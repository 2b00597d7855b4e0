//! Archives that are the same whenever they are made from the same files, and their checksums.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use flate2::{Compression, GzBuilder};
use sha2::{Digest, Sha256};

/// The time of all files, in seconds since 1970: the first of January 2026. Debian refuses files from 1970.
const TIME: u64 = 1_767_225_600;

/// A file in an archive, with its path there.
pub(super) struct Entry {
    pub(super) path: String,
    pub(super) content: Vec<u8>,
    pub(super) mode: u32,
}

impl Entry {
    pub(super) fn text(path: impl Into<String>, content: impl Into<Vec<u8>>) -> Entry {
        Entry { path: path.into(), content: content.into(), mode: 0o644 }
    }

    pub(super) fn program(path: impl Into<String>, content: impl Into<Vec<u8>>) -> Entry {
        Entry { path: path.into(), content: content.into(), mode: 0o755 }
    }

    /// An entry with the content of a file of the repository.
    pub(super) fn copy(path: impl Into<String>, file: &Path) -> Result<Entry> {
        Ok(Entry::text(path, fs::read(file).with_context(|| format!("cannot read {}", file.display()))?))
    }
}

/// Returns a tar archive, compressed. Its files belong to root and are from [`TIME`]. With `directories`, it also has an entry for
/// each directory, as a Debian package must.
pub(super) fn tar_gz(entries: &[Entry], directories: bool) -> Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut append = |path: &str, kind, mode, content: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_mtime(TIME);
        header.set_size(content.len() as u64);
        header.set_username("root")?;
        header.set_groupname("root")?;
        archive.append_data(&mut header, path, content)
    };
    let mut known = Vec::new();
    for Entry { path, content, mode } in entries {
        for (end, _) in path.match_indices('/').filter(|_| directories) {
            let directory = &path[..=end];
            if !known.contains(&directory) && directory != "./" {
                append(directory, tar::EntryType::Directory, 0o755, &[])?;
                known.push(directory);
            }
        }
        append(path, tar::EntryType::Regular, *mode, content)?;
    }
    gzip(&archive.into_inner()?)
}

/// Returns `content` compressed, without a name or a time.
pub(super) fn gzip(content: &[u8]) -> Result<Vec<u8>> {
    let mut writer = GzBuilder::new().write(Vec::new(), Compression::best());
    writer.write_all(content)?;
    Ok(writer.finish()?)
}

/// Returns the SHA-256 of a file, in hexadecimal.
pub(super) fn sha256(path: &Path) -> Result<String> {
    let mut hash = Sha256::new();
    let mut file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        match std::io::Read::read(&mut file, &mut buffer)? {
            0 => return Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            length => hash.update(&buffer[..length]),
        }
    }
}

/// Writes `SHA256SUMS`, which `sha256sum --check` reads.
pub(super) fn write_checksums(directory: &Path) -> Result<()> {
    let mut text = String::new();
    for name in names(directory)? {
        text += &format!("{}  {name}\n", sha256(&directory.join(&name))?);
    }
    Ok(fs::write(directory.join("SHA256SUMS"), text)?)
}

/// Returns the names of the files in a directory, sorted.
pub(super) fn names(directory: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(directory).with_context(|| format!("cannot list {}", directory.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            names.push(entry.file_name().into_string().ok().context("a name is not UTF-8")?);
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_files_make_the_same_archive_with_each_directory_once() {
        let entries = [Entry::program("./usr/bin/halloo", "program"), Entry::text("./usr/share/text", "text")];
        let archive = tar_gz(&entries, true).unwrap();
        assert_eq!(archive, tar_gz(&entries, true).unwrap());
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&archive[..]));
        let names = archive.entries().unwrap().map(|entry| {
            let entry = entry.unwrap();
            (entry.path().unwrap().display().to_string(), entry.header().mode().unwrap())
        });
        let expected = [("usr/", 0o755), ("usr/bin/", 0o755), ("usr/bin/halloo", 0o755), ("usr/share/", 0o755)];
        let names: Vec<_> = names.collect();
        assert_eq!(names[..4], expected.map(|(name, mode)| (name.to_owned(), mode)));
        assert_eq!(names[4], ("usr/share/text".to_owned(), 0o644));
    }
}
