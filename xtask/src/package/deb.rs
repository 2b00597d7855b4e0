//! Debian packages: the program, manual pages, completions and the units of systemd.
//!
//! Written here and not by cargo-deb, because a package is two archives of which the other packages need the same code, and
//! every machine that packs would have to compile that program first.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::files::{self, Entry};
use super::packer::{Packer, VERSION};

const COMMANDS: [&str; 8] = ["serve", "discover", "connect", "status", "doctor", "bench", "completions", "man"];
/// The shells, and where their completions are looked for.
const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "./usr/share/bash-completion/completions/halloo"),
    ("fish", "./usr/share/fish/vendor_completions.d/halloo.fish"),
    ("zsh", "./usr/share/zsh/vendor-completions/_halloo"),
];
/// Named by a program that is not linked by Zig, which links it statically.
const GCC_LIBRARY: &[u8] = b"libgcc_s.so.1\0";
const POSTINST: &str = include_str!("../../../contrib/debian/postinst");
const PRERM: &str = include_str!("../../../contrib/debian/prerm");
const POSTRM: &str = include_str!("../../../contrib/debian/postrm");

pub(super) fn write(packer: &mut Packer<'_>) -> Result<()> {
    let Some(runnable) = &packer.runnable else {
        packer.left_out.push("Debian packages: no program that runs here writes the manual pages".into());
        return Ok(());
    };
    let shared = shared(packer.root, runnable)?;
    for program in &packer.programs {
        let Some(architecture) = program.target.debian else { continue };
        let libc = program.required_libc()?.context("the program is not linked with the C library of Debian")?;
        let content = fs::read(&program.path)?;
        let unwinds_with_gcc = content.windows(GCC_LIBRARY.len()).any(|window| window == GCC_LIBRARY);
        let depends = format!("libc6 (>= 2.{libc}){}", if unwinds_with_gcc { ", libgcc-s1" } else { "" });
        let mut data = vec![Entry::program("./usr/bin/halloo", content)];
        data.extend(shared.iter().map(|entry| Entry {
            path: entry.path.clone(),
            content: entry.content.clone(),
            ..*entry
        }));
        let size = data.iter().map(|entry| entry.content.len().div_ceil(1024)).sum::<usize>();
        let control = [
            Entry::text("./control", control(architecture, &depends, size)),
            Entry::program("./postinst", POSTINST),
            Entry::program("./prerm", PRERM),
            Entry::program("./postrm", POSTRM),
        ];
        let members = [
            ("debian-binary", b"2.0\n".to_vec()),
            ("control.tar.gz", files::tar_gz(&control, true)?),
            ("data.tar.gz", files::tar_gz(&data, true)?),
        ];
        fs::write(packer.directory.join(name(architecture)), ar(&members))?;
    }
    Ok(())
}

/// Returns the file name of the package.
pub(super) fn name(architecture: &str) -> String {
    format!("halloo_{VERSION}-1_{architecture}.deb")
}

/// Returns the files that are the same for all architectures.
fn shared(root: &Path, program: &Path) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for (shell, path) in COMPLETIONS {
        entries.push(Entry::text(path, printed(program, &["completions", shell])?));
    }
    for unit in ["halloo.service", "halloo.socket"] {
        entries
            .push(Entry::copy(format!("./usr/lib/systemd/system/{unit}"), &root.join("contrib/systemd").join(unit))?);
    }
    let page = |name: String, arguments: &[&str]| -> Result<Entry> {
        Ok(Entry::text(format!("./usr/share/man/man1/{name}.1.gz"), files::gzip(&printed(program, arguments)?)?))
    };
    entries.push(page("halloo".into(), &["man"])?);
    for command in COMMANDS {
        entries.push(page(format!("halloo-{command}"), &["man", command])?);
    }
    let changes = fs::read(root.join("CHANGELOG.md"))?;
    let document = |name: &str, content: Vec<u8>| Entry::text(format!("./usr/share/doc/halloo/{name}"), content);
    entries.push(document("changelog.gz", files::gzip(&changes)?));
    entries.push(document("changelog.Debian.gz", files::gzip(debian_changes().as_bytes())?));
    let licence = fs::read_to_string(root.join("LICENSE-MIT"))?;
    entries.push(document("copyright", copyright(&licence).into_bytes()));
    Ok(entries)
}

fn printed(program: &Path, arguments: &[&str]) -> Result<Vec<u8>> {
    let output = Command::new(program).args(arguments).output()?;
    ensure!(output.status.success(), "`halloo {}` failed", arguments.join(" "));
    Ok(output.stdout)
}

fn control(architecture: &str, depends: &str, size: usize) -> String {
    format!(
        "Package: halloo\nVersion: {VERSION}-1\nArchitecture: {architecture}\n\
         Maintainer: The halloo maintainers <maintainers@halloo.invalid>\nInstalled-Size: {size}\n\
         Depends: {depends}\nSection: net\nPriority: optional\n\
         Description: WebSocket server for the local network that clients discover\n\
         \x20It announces itself until a client connects, and serves a page, rooms and\n\
         \x20game controllers for phones. There is no broker, no account and nothing to\n\
         \x20configure.\n"
    )
}

/// The changes of the package itself. It has no date of its own, so that the same files make the same package.
fn debian_changes() -> String {
    format!(
        "halloo ({VERSION}-1) unstable; urgency=medium\n\n  * The changes of the program are in changelog.gz.\n\n \
         -- The halloo maintainers <maintainers@halloo.invalid>  Thu, 01 Jan 2026 00:00:00 +0000\n"
    )
}

fn copyright(mit: &str) -> String {
    let body = mit.lines().map(|line| if line.is_empty() { " .\n".into() } else { format!(" {line}\n") });
    format!(
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: halloo\n\n\
         Files: *\nCopyright: The halloo maintainers\nLicense: Expat or Apache-2.0\n\n\
         License: Apache-2.0\n On Debian systems, see /usr/share/common-licenses/Apache-2.0.\n\n\
         License: Expat\n{}",
        body.collect::<String>()
    )
}

/// Returns an archive as ar(1) writes it.
fn ar(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut archive = b"!<arch>\n".to_vec();
    for (name, content) in members {
        let header = format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, 100_644, content.len());
        archive.extend(header.as_bytes());
        archive.extend(content);
        if content.len() % 2 == 1 {
            archive.push(b'\n');
        }
    }
    archive
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_of_odd_length_are_padded() {
        let archive = ar(&[("a", b"1".to_vec()), ("b", b"22".to_vec())]);
        assert_eq!(archive.len(), 8 + 60 + 2 + 60 + 2);
        assert_eq!(&archive[8 + 60..8 + 60 + 3], b"1\nb");
    }
}
