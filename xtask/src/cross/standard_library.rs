//! The standard library for a platform that the toolchain has none for, compiled from the source of the same version.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::debian_rustc;
use super::host::{directory, path_with};
use crate::command::cargo;
use crate::debian::{self, output};

/// The distributions that may have the source, in the order in which they are tried.
const SUITES: [&str; 3] = ["trixie-backports", "testing", "sid"];

/// Builds the crate as part of the compiler does; no library for Windows or Linux is linked dynamically to it.
const FLAGS: &str = "-Zforce-unstable-if-unmarked -Cembed-bitcode=yes -Awarnings";

/// What the standard library is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Programs.
    Build,
    /// `cargo check` alone, which needs no linker.
    Check,
}

/// What to compile with.
pub(super) struct StandardLibrary {
    /// The directory to name by `--sysroot`; `None` if the toolchain has this target.
    pub(super) sysroot: Option<PathBuf>,
    /// Another compiler than that of the toolchain.
    pub(super) rustc: Option<PathBuf>,
}

impl StandardLibrary {
    /// That of the toolchain.
    pub(super) const INSTALLED: StandardLibrary = StandardLibrary { sysroot: None, rustc: None };
}

/// Returns the standard library for `target`. Compiles it first if it is missing, with the linker and its helpers in
/// `programs`. If there is no source for the toolchain any more, both the compiler and the source are those of Debian.
pub(super) fn prepare(root: &Path, target: &str, purpose: Purpose, programs: Option<&Path>) -> Result<StandardLibrary> {
    let toolchain = Toolchain::installed()?;
    if toolchain.has(target) {
        return Ok(StandardLibrary::INSTALLED);
    }
    let here = directory(root);
    let missing = match source(&here, &toolchain) {
        Ok(source) => {
            let sysroot = Some(toolchain.sysroot_with(&here, &source, target, purpose, programs)?);
            return Ok(StandardLibrary { sysroot, rustc: None });
        }
        Err(missing) => missing,
    };
    eprintln!("another compiler is used than that of the toolchain, the one of Debian: {missing:#}");
    let toolchain = Toolchain::of(&debian_rustc::prepare(root)?)?;
    let sysroot = toolchain.sysroot_with(&here, &source(&here, &toolchain)?, target, purpose, programs)?;
    Ok(StandardLibrary { sysroot: Some(sysroot), rustc: Some(toolchain.rustc) })
}

/// Returns whether the toolchain has the standard library for a target.
pub(super) fn is_installed(target: &str) -> Result<bool> {
    Ok(Toolchain::installed()?.has(target))
}

/// A compiler and its own standard library.
struct Toolchain {
    rustc: PathBuf,
    release: String,
    host: String,
    sysroot: PathBuf,
}

impl Toolchain {
    /// The one that this program was started with.
    fn installed() -> Result<Toolchain> {
        Toolchain::of(Path::new("rustc"))
    }

    fn of(rustc: &Path) -> Result<Toolchain> {
        let version = output(Command::new(rustc).arg("-vV"))?;
        let field = |name: &str| {
            let value = version.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            value.map(str::to_owned).with_context(|| format!("rustc does not name its {name}"))
        };
        let sysroot = output(Command::new(rustc).args(["--print", "sysroot"]))?.trim().into();
        Ok(Toolchain { rustc: rustc.to_owned(), release: field("release")?, host: field("host")?, sysroot })
    }

    fn has(&self, target: &str) -> bool {
        self.libraries().join(target).join("lib").is_dir()
    }

    fn libraries(&self) -> PathBuf {
        self.sysroot.join("lib/rustlib")
    }

    /// Returns a directory for `--sysroot` with the standard library for `target`.
    fn sysroot_with(
        &self,
        here: &Path,
        source: &Path,
        target: &str,
        purpose: Purpose,
        programs: Option<&Path>,
    ) -> Result<PathBuf> {
        let name = if purpose == Purpose::Build { "sysroot" } else { "sysroot-check" };
        let sysroot = here.join(format!("{name}-{}", self.release));
        let libraries = sysroot.join("lib/rustlib");
        if !libraries.join(target).exists() {
            fs::create_dir_all(&libraries)?;
            let host = libraries.join(&self.host);
            output(Command::new("ln").arg("-sfn").arg(self.libraries().join(&self.host)).arg(host))?;
            let rustc = &self.rustc;
            compile(rustc, source, &libraries, target, purpose, programs)
                .with_context(|| format!("cannot compile the standard library for {target}"))?;
        }
        Ok(sysroot)
    }
}

/// Returns the source of the standard library of this toolchain: its component `rust-src`, or that of Debian.
fn source(here: &Path, toolchain: &Toolchain) -> Result<PathBuf> {
    let source = here.join(format!("library-{}", toolchain.release));
    if source.exists() {
        return Ok(source);
    }
    let unfinished = here.join("library.unfinished");
    remove(&unfinished)?;
    fs::create_dir_all(&unfinished)?;
    let component = toolchain.libraries().join("src/rust/library");
    let origin = if component.is_dir() {
        output(Command::new("cp").arg("-r").arg(component).arg(unfinished.join("library")))?;
        "the component rust-src".to_owned()
    } else {
        from_debian(&unfinished, &toolchain.release)?
    };
    let library = unfinished.join("library");
    // Debian's copies of other crates lack what only Windows needs. Cargo fetches them instead, as the lock file says, once
    // the settings that name the copies are gone.
    remove(&library.join("vendor"))?;
    remove(&library.join(".cargo"))?;
    let manifest = library.join("std/Cargo.toml");
    let text = fs::read_to_string(&manifest)?;
    fs::write(&manifest, text.replace(r#"crate-type = ["dylib", "rlib"]"#, r#"crate-type = ["rlib"]"#))?;
    fs::write(library.join("origin"), format!("{origin}\n"))?;
    eprintln!("the standard library is that of {origin}");
    fs::rename(&library, &source)?;
    remove(&unfinished)?;
    Ok(source)
}

/// Unpacks the source from the first distribution that has this version, and returns which package that was.
fn from_debian(directory: &Path, release: &str) -> Result<String> {
    let mut found = Vec::new();
    for suite in SUITES {
        // A mirror need not have every distribution.
        let Ok(versions) = debian::versions(&directory.join("apt"), suite, "rust-src") else { continue };
        if let Some(version) = versions.iter().find(|version| is_release(version, release)) {
            let package = format!("rust-src={version}");
            let tree = directory.join("tree");
            let only = ["--wildcards", "./usr/src/rustc-*/library"];
            debian::unpack_once(&tree, suite, &[&package], &only, |_| Ok(()))?;
            let sources = fs::read_dir(tree.join("usr/src"))?.next().context("the package has no source")??;
            fs::rename(sources.path().join("library"), directory.join("library"))?;
            return Ok(format!("{package} of {suite}"));
        }
        found.extend(versions);
    }
    anyhow::bail!(
        "Debian has no source of the standard library of Rust {release} any more, only of {}; \
         install it by `rustup component add rust-src`",
        found.join(", ")
    )
}

/// Returns whether a version of a Debian package such as `1.95.0+dfsg1-1~bpo13+1` is that of this release.
fn is_release(version: &str, release: &str) -> bool {
    version.strip_prefix(release).is_some_and(|rest| rest.starts_with('+'))
}

fn compile(
    rustc: &Path,
    source: &Path,
    libraries: &Path,
    target: &str,
    purpose: Purpose,
    programs: Option<&Path>,
) -> Result<()> {
    let unfinished = libraries.join(format!("{target}.unfinished"));
    remove(&unfinished)?;
    let (command, kind) = if purpose == Purpose::Build { ("build", "rlib") } else { ("check", "rmeta") };
    let arguments = format!("{command} --quiet --locked --release -p sysroot --features panic-unwind,backtrace");
    let mut cargo = cargo(source, &arguments);
    cargo.args(["--target", target, "--target-dir"]).arg(unfinished.join("build"));
    cargo
        .env("RUSTC", rustc)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", FLAGS)
        .env("CARGO_PROFILE_RELEASE_DEBUG", "0");
    if let Some(programs) = programs {
        cargo.env("PATH", path_with(programs));
    }
    output(&mut cargo)?;
    let library = unfinished.join("library/lib");
    fs::create_dir_all(&library)?;
    let mut count = 0;
    for file in fs::read_dir(unfinished.join("build").join(target).join("release/deps"))? {
        let file = file?;
        if Path::new(&file.file_name()).extension().is_some_and(|extension| extension == kind) {
            fs::copy(file.path(), library.join(file.file_name()))?;
            count += 1;
        }
    }
    ensure!(count > 0, "cargo built no .{kind}");
    fs::rename(unfinished.join("library"), libraries.join(target))?;
    remove(&unfinished)
}

/// Removes a directory if it exists.
fn remove(directory: &Path) -> Result<()> {
    if directory.exists() {
        fs::remove_dir_all(directory).with_context(|| format!("cannot remove {}", directory.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::is_release;

    #[test]
    fn only_the_same_release_is_used() {
        assert!(is_release("1.95.0+dfsg1-1~bpo13+1", "1.95.0"));
        for other in ["1.95.1+dfsg1-1", "1.95.00+dfsg1-1", "1.94.0+dfsg1-1", "1.95.0"] {
            assert!(!is_release(other, "1.95.0"), "{other}");
        }
    }
}
