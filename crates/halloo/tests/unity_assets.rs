//! The `.meta` files of the package for Unity in `clients/csharp`. Unity identifies an asset by the GUID in this file, and makes
//! another one on each machine for an asset that has none. Missing ones are written when `HALLOO_GENERATE` is set (`cargo xtask
//! generate`). A file that is renamed takes its `.meta` along, so its GUID remains that of its first path.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

fn package() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../clients/csharp")
}

/// Adds all files and folders below `folder` that Unity imports, or their `.meta` files.
fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if name.starts_with('.') || name.ends_with('~') || ["bin", "obj"].contains(&name) {
            continue;
        }
        if path.is_dir() {
            collect(&path, found);
        }
        found.push(path);
    }
}

fn meta_of(asset: &Path) -> PathBuf {
    let mut name = asset.as_os_str().to_owned();
    name.push(".meta");
    name.into()
}

fn is_meta(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "meta")
}

/// Returns the text for an asset that has no `.meta` file yet.
fn new_meta(asset: &Path) -> String {
    let path = asset.strip_prefix(package()).unwrap().to_str().unwrap().replace('\\', "/");
    let hash = Sha256::digest(format!("com.halloo.client/{path}"));
    let guid: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let extension = asset.extension().and_then(|extension| extension.to_str());
    let importer = match extension {
        Some("cs") => {
            "MonoImporter:\n  externalObjects: {}\n  serializedVersion: 2\n  defaultReferences: []\n  executionOrder: 0\n  icon: {instanceID: 0}"
        }
        Some("asmdef") => "AssemblyDefinitionImporter:\n  externalObjects: {}",
        Some("json") => "PackageManifestImporter:\n  externalObjects: {}",
        Some("md") => "TextScriptImporter:\n  externalObjects: {}",
        Some(_) => "DefaultImporter:\n  externalObjects: {}",
        None => "folderAsset: yes\nDefaultImporter:\n  externalObjects: {}",
    };
    format!("fileFormatVersion: 2\nguid: {guid}\n{importer}\n  userData:\n  assetBundleName:\n  assetBundleVariant:\n")
}

#[test]
fn each_asset_has_a_guid_of_its_own() {
    let mut found = Vec::new();
    collect(&package(), &mut found);
    let (metas, assets): (Vec<PathBuf>, Vec<PathBuf>) = found.into_iter().partition(|path| is_meta(path));
    let mut owners: BTreeMap<String, PathBuf> = BTreeMap::new();
    for asset in &assets {
        let meta = meta_of(asset);
        if !meta.exists() && std::env::var_os("HALLOO_GENERATE").is_some() {
            std::fs::write(&meta, new_meta(asset)).unwrap();
        }
        let text = std::fs::read_to_string(&meta)
            .unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask generate`", meta.display()));
        let guid = text.lines().find_map(|line| line.strip_prefix("guid: ")).unwrap_or_default();
        let is_valid = guid.len() == 32 && guid.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        assert!(is_valid, "{} has no GUID; delete it, and run `cargo xtask generate`", meta.display());
        assert_eq!(text.contains("folderAsset: yes"), asset.is_dir(), "{}", meta.display());
        if let Some(other) = owners.insert(guid.to_owned(), asset.clone()) {
            panic!("{} has the GUID of {}", asset.display(), other.display());
        }
    }
    let orphan = metas.iter().find(|meta| !assets.iter().any(|asset| meta_of(asset) == **meta));
    assert_eq!(orphan, None, "this is of no asset; delete it");
}
