//! The Python package `halloo-bin` for each platform: an archive with the program and its description.
//!
//! Written here and not by maturin, so that all packages contain the same program, also one that was built elsewhere.
//! `pip install ./clients/python-bin` builds it from the source, by maturin.

use std::fs;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use toml::Value;

use super::archive::zip;
use super::files::Entry;
use super::packer::{Packer, VERSION};
use super::target::{OLDEST_LIBC, Program, executable};

/// The directory with the description of the source package.
const SOURCE: &str = "clients/python-bin";

pub(super) fn write(packer: &Packer<'_>) -> Result<()> {
    let source = packer.root.join(SOURCE);
    let project: toml::Table = fs::read_to_string(source.join("pyproject.toml"))?.parse()?;
    let project = project.get("project").context("pyproject.toml describes no project")?;
    let metadata = metadata(project, &fs::read_to_string(source.join("README.md"))?)?;
    for program in &packer.programs {
        let tags = tags(program)?;
        let information = format!("halloo_bin-{VERSION}.dist-info");
        let mut entries = vec![
            Entry::program(
                format!("halloo_bin-{VERSION}.data/scripts/{}", executable(program.target)),
                fs::read(&program.path)?,
            ),
            Entry::text(format!("{information}/METADATA"), metadata.as_str()),
            Entry::text(format!("{information}/WHEEL"), description(&tags)),
        ];
        for licence in ["LICENSE-MIT", "LICENSE-APACHE"] {
            let path = packer.root.join(licence);
            entries.push(Entry::copy(format!("{information}/licenses/{licence}"), &path)?);
        }
        let record = record(&entries, &format!("{information}/RECORD"));
        entries.push(Entry::text(format!("{information}/RECORD"), record));
        zip(&entries, &packer.directory.join(format!("halloo_bin-{VERSION}-py3-none-{}.whl", tags.join("."))))?;
    }
    Ok(())
}

/// Returns the platforms on which pip installs the program.
fn tags(program: &Program) -> Result<Vec<String>> {
    let target = program.target;
    let is_arm = target.npm.1 == "arm64";
    let architecture = if is_arm { "aarch64" } else { "x86_64" };
    Ok(match (target.npm.0, program.required_libc()?) {
        ("win32", _) => vec![if is_arm { "win_arm64" } else { "win_amd64" }.into()],
        // The oldest systems that programs of Rust run on.
        ("darwin", _) => vec![if is_arm { "macosx_11_0_arm64" } else { "macosx_10_12_x86_64" }.into()],
        (_, Some(minor)) if minor <= OLDEST_LIBC => {
            // The second one is for a pip older than 20.3.
            vec![format!("manylinux_2_{OLDEST_LIBC}_{architecture}"), format!("manylinux2014_{architecture}")]
        }
        (_, Some(minor)) => vec![format!("manylinux_2_{minor}_{architecture}")],
        // It needs no C library, so the version does not matter.
        (_, None) => vec![format!("musllinux_1_1_{architecture}")],
    })
}

/// Returns the core metadata, version 2.4, of the project in pyproject.toml.
fn metadata(project: &Value, readme: &str) -> Result<String> {
    let text = |key: &str| {
        project.get(key).and_then(Value::as_str).with_context(|| format!("pyproject.toml has no project.{key}"))
    };
    let keywords = project.get("keywords").and_then(Value::as_array).context("pyproject.toml has no keywords")?;
    let keywords: Vec<&str> = keywords.iter().filter_map(Value::as_str).collect();
    Ok(format!(
        "Metadata-Version: 2.4\nName: {}\nVersion: {VERSION}\nSummary: {}\nKeywords: {}\n\
         License-Expression: MIT OR Apache-2.0\nLicense-File: LICENSE-MIT\nLicense-File: LICENSE-APACHE\n\
         Requires-Python: {}\nDescription-Content-Type: text/markdown\n\n{readme}",
        text("name")?,
        text("description")?,
        keywords.join(","),
        text("requires-python")?,
    ))
}

fn description(tags: &[String]) -> String {
    let tags = tags.iter().map(|tag| format!("Tag: py3-none-{tag}\n"));
    format!("Wheel-Version: 1.0\nGenerator: halloo {VERSION}\nRoot-Is-Purelib: false\n{}", tags.collect::<String>())
}

/// Returns the list of files with their hashes, which pip checks.
fn record(entries: &[Entry], own_path: &str) -> String {
    let lines = entries.iter().map(|Entry { path, content, .. }| {
        format!("{path},sha256={},{}\n", URL_SAFE_NO_PAD.encode(Sha256::digest(content)), content.len())
    });
    lines.chain([format!("{own_path},,\n")]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::target;

    fn tags_of(triple: &str, content: &[u8]) -> Vec<String> {
        let path = std::env::temp_dir().join(format!("halloo-wheel-{triple}-{}-{}", content.len(), std::process::id()));
        fs::write(&path, content).unwrap();
        let target = target::ALL.iter().find(|target| target.triple == triple).unwrap();
        let tags = tags(&Program { target, path: path.clone() }).unwrap();
        fs::remove_file(path).unwrap();
        tags
    }

    #[test]
    fn platform_names_the_c_library_that_the_program_needs() {
        let gnu = "x86_64-unknown-linux-gnu";
        assert_eq!(tags_of(gnu, b"GLIBC_2.4 GLIBC_2.34"), ["manylinux_2_34_x86_64"]);
        assert_eq!(tags_of(gnu, b"GLIBC_2.16"), ["manylinux_2_17_x86_64", "manylinux2014_x86_64"]);
        assert_eq!(tags_of("aarch64-unknown-linux-gnu", b"GLIBC_2.28"), ["manylinux_2_28_aarch64"]);
        assert_eq!(tags_of("x86_64-unknown-linux-musl", b"static"), ["musllinux_1_1_x86_64"]);
        assert_eq!(tags_of("x86_64-pc-windows-gnu", b""), ["win_amd64"]);
        assert_eq!(tags_of("aarch64-apple-darwin", b""), ["macosx_11_0_arm64"]);
    }

    #[test]
    fn record_has_each_file_with_its_hash_and_itself_without() {
        let record = record(&[Entry::text("a", "text")], "b/RECORD");
        assert_eq!(record, "a,sha256=mC2ePrmW9VnmM_TRlN7zdh2Qn1o7ZH0ahR_q1nwyydE,4\nb/RECORD,,\n");
    }
}
