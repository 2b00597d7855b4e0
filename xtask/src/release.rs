//! `cargo xtask release`: makes a version of everything that is published: its changelog, commit, tag and packages.

mod changelog;
mod places;

mod repository;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use semver::Version;

use crate::command::{cargo, run as run_command};
use repository::Repository;

#[derive(Args)]
pub(crate) struct Options {
    /// The version to make, such as 0.2.0
    version: Version,
    /// Check and print everything, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not pack; `cargo xtask package` does so later
    #[arg(long)]
    no_package: bool,
    /// Write the Homebrew formula, the scoop and winget manifests for downloads from this address
    #[arg(long, conflicts_with = "no_package")]
    url: Option<String>,
}

/// Makes the version, and packs it.
pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    let today = humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string();
    let release = Release::prepare(root, &options.version, &today[..10])?;
    release.print();
    if options.dry_run {
        println!("Nothing was changed, because of `--dry-run`.");
        return Ok(());
    }
    release.make()?;
    if !options.no_package {
        // A new process, because this one was compiled with the previous version.
        let mut package = cargo(root, "xtask package");
        package.args(options.url.iter().flat_map(|url| ["--url", url]));
        run_command(&mut package).context("the version is tagged, but not packed; run `cargo xtask package`")?;
    }
    println!("Next: push the branch and the tag, then publish as CONTRIBUTING.md says.");
    Ok(())
}

/// A version with everything that changes for it.
struct Release<'a> {
    repository: Repository<'a>,
    version: &'a Version,
    /// The new contents of files, by their paths in the repository.
    files: Vec<(String, String)>,
    /// What changed in this version, from the changelog.
    notes: String,
}

impl<'a> Release<'a> {
    /// Checks that the version can be made, and prepares what changes. `date` is that of the version, such as 2026-03-31.
    fn prepare(root: &'a Path, version: &'a Version, date: &str) -> Result<Release<'a>> {
        let repository = Repository::open(root)?;
        let changes = repository.changes()?;
        ensure!(changes.is_empty(), "the work tree has changes; commit or stash them:\n{changes}");
        ensure!(!repository.has_tag(&tag(version))?, "the tag {} exists; choose a higher version", tag(version));
        let current = places::current(root)?;
        if *version < current {
            bail!("version {version} is lower than {current}, which is in Cargo.toml; choose a higher version");
        }
        let text = fs::read_to_string(root.join(changelog::FILE)).context("cannot read the changelog")?;
        let (text, notes) = changelog::release(&text, version, date)?;
        let mut files = places::changed(root, &current, version)?;
        files.push((changelog::FILE.into(), text));
        Ok(Release { repository, version, files, notes })
    }

    fn print(&self) {
        println!("version {}, tag {}", self.version, tag(self.version));
        self.files.iter().for_each(|(path, _)| println!("changes {path}"));
        println!("\n{}", self.notes);
    }

    /// Writes the files, commits them and sets the tag.
    fn make(&self) -> Result<()> {
        for (path, text) in &self.files {
            self.repository.write(path, text)?;
        }
        let paths: Vec<&str> = self.files.iter().map(|(path, _)| path.as_str()).collect();
        let subject = format!("Release version {}", self.version);
        self.repository
            .commit(&paths, &format!("{subject}\n\nSet the version, and date its section of the changelog."))?;
        self.repository.tag(&tag(self.version), &format!("{subject}\n\n{}", self.notes))
    }
}

/// Returns what changed in the version of this workspace, or since the last one.
pub(crate) fn notes(root: &Path) -> Result<String> {
    let text = fs::read_to_string(root.join(changelog::FILE)).context("cannot read the changelog")?;
    Ok(changelog::notes(&text, env!("CARGO_PKG_VERSION")))
}

fn tag(version: &Version) -> String {
    format!("v{version}")
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::process::Command;

    use super::*;
    use crate::ci::or_skip;
    use crate::command::workspace_root;
    use crate::debian::output;

    const DATE: &str = "2030-01-31";

    /// A clone of this repository, which is removed at the end.
    struct Clone(PathBuf);

    impl Clone {
        /// `None` where there is no repository, such as in an unpacked archive.
        fn new(name: &str) -> Option<Clone> {
            let path = std::env::temp_dir().join(format!("halloo-release-{name}-{}", std::process::id()));
            let mut clone = Command::new("git");
            clone.args(["clone", "--quiet", "--shared"]).arg(workspace_root()).arg(&path);
            let cloned = or_skip(output(&mut clone), |error| format!("no clone, so no release was tried: {error:#}"));
            cloned.unwrap()?;
            let clone = Clone(path);
            clone.git(&["config", "user.name", "Test"]);
            clone.git(&["config", "user.email", "test@halloo.invalid"]);
            Some(clone)
        }

        fn git(&self, arguments: &[&str]) -> String {
            output(Command::new("git").current_dir(&self.0).args(arguments)).unwrap()
        }

        fn write(&self, path: &str, text: &str) {
            fs::write(self.0.join(path), text).unwrap();
        }

        fn commit(&self) {
            self.git(&["commit", "--quiet", "--all", "--no-verify", "--message", "Change"]);
        }

        fn release(&self, version: &str) -> Result<()> {
            let version = version.parse().unwrap();
            Release::prepare(&self.0, &version, DATE)?.make()
        }

        fn refusal(&self, version: &str) -> String {
            self.release(version).unwrap_err().to_string()
        }
    }

    impl Drop for Clone {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn release_sets_the_version_everywhere_commits_and_tags() {
        let Some(clone) = Clone::new("made") else { return };
        let before = places::current(&clone.0).unwrap().to_string();
        clone.release("9.8.7").unwrap();
        assert_eq!(clone.git(&["status", "--porcelain"]), "");
        assert_eq!(clone.git(&["tag", "--points-at", "HEAD"]).trim(), "v9.8.7");
        assert!(
            clone.git(&["show", "--no-patch", "--format=%B", "v9.8.7"]).contains("### Added"),
            "the tag has no notes"
        );
        assert_eq!(clone.git(&["log", "-1", "--format=%s"]).trim(), "Release version 9.8.7");

        // A file that names the version and is not in the list is found here.
        let pattern = format!(r"(^|[^0-9.]){}([^0-9.]|$)", before.replace('.', r"\."));
        let mut search = Command::new("git");
        search.current_dir(&clone.0).args(["grep", "--name-only", "-IE", &pattern]);
        let found = String::from_utf8(search.output().unwrap().stdout).unwrap();
        let allowed = |path: &&str| path.starts_with("docs/benchmarks.") || path.ends_with(".lock");
        let forgotten: Vec<&str> = found.lines().filter(|path| !allowed(path)).collect();
        assert!(forgotten.is_empty(), "add these to xtask/src/release/places.rs: {forgotten:?}");

        // The lock files fit the manifests.
        for manifest in ["Cargo.toml", "fuzz/Cargo.toml", "loom/Cargo.toml"] {
            let mut metadata = cargo(&clone.0, "metadata --offline --locked --no-deps --format-version 1");
            output(metadata.arg("--manifest-path").arg(clone.0.join(manifest))).unwrap();
            let lock = fs::read_to_string(clone.0.join(manifest).with_extension("lock")).unwrap();
            assert!(lock.contains("version = \"9.8.7\""), "{manifest}");
        }
        let changelog = fs::read_to_string(clone.0.join(changelog::FILE)).unwrap();
        assert!(changelog.contains("## [Unreleased]\n\n## [9.8.7] - 2030-01-31\n"));
    }

    #[test]
    fn release_refuses_what_would_be_wrong_and_says_what_to_do() {
        let Some(clone) = Clone::new("refused") else { return };
        clone.write("README.md", "changed");
        assert!(clone.refusal("9.8.7").starts_with("the work tree has changes; commit or stash them:"));
        // The advice, followed.
        clone.git(&["stash", "--quiet"]);
        clone.release("9.8.7").unwrap();

        assert_eq!(clone.refusal("9.8.7"), "the tag v9.8.7 exists; choose a higher version");
        let empty = clone.refusal("9.8.8");
        assert_eq!(
            empty,
            "the section Unreleased of CHANGELOG.md is empty; describe there what changed since the last version"
        );
        let text = fs::read_to_string(clone.0.join(changelog::FILE)).unwrap();
        clone
            .write(changelog::FILE, &text.replace("## [Unreleased]\n", "## [Unreleased]\n\n### Fixed\n\n- A fault.\n"));
        clone.commit();
        assert!(clone.refusal("9.8.6").contains("is lower than 9.8.7"));
        clone.git(&["tag", "--delete", "v9.8.7"]);
        assert!(clone.refusal("9.8.7").starts_with("CHANGELOG.md has a section for 9.8.7"));
        clone.release("9.8.8").unwrap();
        assert_eq!(clone.git(&["tag", "--points-at", "HEAD"]).trim(), "v9.8.8");
    }

    #[test]
    fn nothing_changes_before_the_version_is_made() {
        let Some(clone) = Clone::new("dry") else { return };
        let version = "9.8.7".parse().unwrap();
        let release = Release::prepare(&clone.0, &version, DATE).unwrap();
        assert!(release.files.len() > 8);
        assert_eq!(clone.git(&["status", "--porcelain"]), "");
        assert_eq!(clone.git(&["tag", "--list", "v9.8.7"]), "");
    }
}
