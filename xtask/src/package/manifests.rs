//! What other package managers need to download the archives: their addresses and checksums, and a Dockerfile.

use std::fs;

use anyhow::Result;
use serde_json::json;

use super::packer::{Packer, VERSION};
use super::target::{Program, Target};
use super::{archive, files};

const FORMULA: &str = include_str!("../../../contrib/packages/halloo.rb");
const DOCKERFILE: &str = include_str!("../../../contrib/packages/Dockerfile");
const DESCRIPTION: &str = "A WebSocket server for the local network that clients discover automatically";

/// Writes the manifests for downloads from `url`, and the Dockerfile.
pub(super) fn write(packer: &mut Packer<'_>, url: Option<&str>) -> Result<()> {
    fs::write(packer.directory.join("Dockerfile"), DOCKERFILE)?;
    let Some(url) = url.map(|url| url.trim_end_matches('/')) else {
        packer
            .left_out
            .push("Homebrew formula, scoop and winget manifests: `--url` gives the address of the downloads".into());
        return Ok(());
    };
    let write = |name: &str, text: String| fs::write(packer.directory.join(name), text);
    let mut blocks = String::new();
    let (mut scoop, mut winget) = (serde_json::Map::new(), String::new());
    for Program { target, .. } in &packer.programs {
        let archive = archive::name(target);
        let (address, hash) = (format!("{url}/{archive}"), files::sha256(&packer.directory.join(&archive))?);
        if target.is_static() {
            // The formula has one program for each system and processor: the one that is linked with its C library.
            continue;
        }
        if !target.is_windows() {
            blocks += &block(target, &address, &hash);
            continue;
        }
        let (scoop_name, winget_name) = if target.npm.1 == "x64" { ("64bit", "x64") } else { ("arm64", "arm64") };
        let directory = archive.trim_end_matches(".zip");
        scoop.insert(scoop_name.into(), json!({ "url": address, "hash": hash, "extract_dir": directory }));
        winget += &format!(
            "- Architecture: {winget_name}\n  InstallerUrl: {address}\n  InstallerSha256: {}\n  NestedInstallerFiles:\n  \
             - RelativeFilePath: {directory}\\halloo.exe\n    PortableCommandAlias: halloo\n",
            hash.to_uppercase()
        );
    }
    if blocks.is_empty() {
        packer.left_out.push("Homebrew formula: no program for macOS or Linux".into());
    } else {
        write("halloo.rb", FORMULA.replace("@URL@", url).replace("@VERSION@", VERSION).replace("@BLOCKS@", &blocks))?;
    }
    if scoop.is_empty() {
        packer.left_out.push("scoop and winget manifests: no program for Windows".into());
        return Ok(());
    }
    let scoop = json!({
        "version": VERSION,
        "description": DESCRIPTION,
        "homepage": url,
        "license": "MIT|Apache-2.0",
        "architecture": scoop,
        "bin": "halloo.exe",
    });
    write("halloo.json", serde_json::to_string_pretty(&scoop)? + "\n")?;
    let common = |kind: &str, body: &str| {
        format!(
            "PackageIdentifier: Halloo.Halloo\nPackageVersion: {VERSION}\n{body}ManifestType: {kind}\n\
             ManifestVersion: 1.6.0\n"
        )
    };
    write("Halloo.Halloo.yaml", common("version", "DefaultLocale: en-US\n"))?;
    let installers = format!("InstallerType: zip\nNestedInstallerType: portable\nInstallers:\n{winget}");
    write("Halloo.Halloo.installer.yaml", common("installer", &installers))?;
    let locale = format!(
        "PackageLocale: en-US\nPublisher: The halloo maintainers\nPackageName: halloo\nLicense: MIT OR Apache-2.0\n\
         ShortDescription: {DESCRIPTION}\n"
    );
    write("Halloo.Halloo.locale.en-US.yaml", common("defaultLocale", &locale))?;
    Ok(())
}

/// Returns the part of the formula for one target.
fn block(target: &Target, address: &str, hash: &str) -> String {
    let system = if target.npm.0 == "darwin" { "macos" } else { "linux" };
    let processor = if target.npm.1 == "x64" { "intel" } else { "arm" };
    format!(
        "\n  on_{system} do\n    on_{processor} do\n      url \"{address}\"\n      sha256 \"{hash}\"\n    end\n  end\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::target;

    #[test]
    fn formula_has_one_program_for_each_system_and_processor() {
        let directory = std::env::temp_dir().join(format!("halloo-manifests-{}", std::process::id()));
        let programs = target::ALL.iter().map(|target| Program { target, path: directory.join("none") }).collect();
        let mut packer = Packer::new(&directory, "packages", programs).unwrap();
        for program in &packer.programs {
            fs::write(packer.directory.join(archive::name(program.target)), "archive").unwrap();
        }
        write(&mut packer, Some("https://example.org/")).unwrap();
        let formula = fs::read_to_string(packer.directory.join("halloo.rb")).unwrap();
        let systems: Vec<&str> =
            formula.split("\n  on_").skip(1).map(|block| block.split(" url").next().unwrap()).collect();
        for system in &systems {
            assert_eq!(systems.iter().filter(|other| *other == system).count(), 1, "{system}");
        }
        assert_eq!(systems.len(), 4);
        let scoop: serde_json::Value =
            serde_json::from_slice(&fs::read(packer.directory.join("halloo.json")).unwrap()).unwrap();
        let address = scoop["architecture"]["64bit"]["url"].as_str().unwrap();
        assert!(address.ends_with("x86_64-pc-windows-msvc.zip"), "{address}");
        fs::remove_dir_all(&directory).unwrap();
    }
}
