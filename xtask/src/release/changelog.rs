//! The changelog, in the form of Keep a Changelog.

use anyhow::{Context, Result, ensure};
use semver::Version;

pub(super) const FILE: &str = "CHANGELOG.md";

const UNRELEASED: &str = "## [Unreleased]\n";

/// Returns the changelog in which what is unreleased has become `version`, and what changed in it.
pub(super) fn release(text: &str, version: &Version, date: &str) -> Result<(String, String)> {
    ensure!(
        !text.contains(&heading(&version.to_string())),
        "{FILE} has a section for {version}; choose a higher version, or remove that section"
    );
    let (before, after) = text
        .split_once(UNRELEASED)
        .with_context(|| format!("{FILE} has no section Unreleased; add `{}`", UNRELEASED.trim()))?;
    let notes = section(after);
    let has_entry = notes.lines().any(|line| line.starts_with("- ") || line.starts_with("| "));
    ensure!(has_entry, "the section Unreleased of {FILE} is empty; describe there what changed since the last version");
    let text = format!("{before}{UNRELEASED}\n{} - {date}\n{after}", heading(&version.to_string()));
    Ok((text, notes))
}

/// Returns what changed in `version`, or what is unreleased if it has no section.
pub(super) fn notes(text: &str, version: &str) -> String {
    let of_version = text.split_once(&heading(version)).and_then(|(_, rest)| rest.split_once('\n'));
    let after = of_version.or_else(|| text.split_once(UNRELEASED)).map_or("", |(_, after)| after);
    section(after)
}

fn heading(version: &str) -> String {
    format!("## [{version}]")
}

/// Returns the text up to the next section.
fn section(text: &str) -> String {
    let end = if text.starts_with("## ") { 0 } else { text.find("\n## ").unwrap_or(text.len()) };
    format!("{}\n", text[..end].trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- New.\n\n## [1.0.0] - 2029-01-01\n\n- Old.\n";

    #[test]
    fn unreleased_section_becomes_the_version() {
        let (text, notes) = release(TEXT, &Version::new(1, 1, 0), "2030-01-31").unwrap();
        let expected = "## [Unreleased]\n\n## [1.1.0] - 2030-01-31\n\n### Added\n\n- New.\n\n## [1.0.0]";
        assert!(text.contains(expected), "{text}");
        assert_eq!(notes, "### Added\n\n- New.\n");
        assert_eq!(super::notes(&text, "1.1.0"), notes);
        assert_eq!(super::notes(&text, "1.0.0"), "- Old.\n");
        assert_eq!(super::notes(TEXT, "1.1.0"), notes);
    }

    #[test]
    fn changelog_without_changes_or_with_the_version_is_refused() {
        let refusal = |text: &str, version| release(text, &version, "2030-01-31").unwrap_err().to_string();
        assert!(refusal(&TEXT.replace("- New.", ""), Version::new(1, 1, 0)).contains("is empty"));
        assert!(refusal("## [Unreleased]\n## [1.0.0]\n- Old.\n", Version::new(1, 1, 0)).contains("is empty"));
        assert!(refusal(TEXT, Version::new(1, 0, 0)).contains("has a section for 1.0.0"));
        let message = refusal("# Changelog\n", Version::new(1, 0, 0));
        assert_eq!(message, "CHANGELOG.md has no section Unreleased; add `## [Unreleased]`");
        release("# Changelog\n## [Unreleased]\n- A.\n", &Version::new(1, 0, 0), "2030-01-31").unwrap();
    }
}
