//! `cargo xtask tidy`: the rules of this project that neither the compiler nor clippy checks.

mod cycles;
mod dependencies;
mod layout;
mod packages;
mod text;

mod clock;
mod options;
mod purity;

mod english;

mod source;

use std::path::Path;

use anyhow::{Result, bail};

use crate::report::Tally;

/// `cargo xtask tidy`: returns an error if a rule is broken.
pub(crate) fn run(root: &Path) -> Result<()> {
    match check(root)?.failures.len() {
        0 => Ok(()),
        1 => bail!("1 rule is broken"),
        number => bail!("{number} rules are broken"),
    }
}

/// Checks every rule and prints every violation, one per line. Together, the rules are one check.
pub(crate) fn check(root: &Path) -> Result<Tally> {
    let sources = source::read_all(root)?;
    let mut violations = dependencies::check(root)?;
    violations.extend(cycles::check(&sources)?);
    violations.extend(packages::check(root)?);
    for source in &sources {
        violations.extend(english::check(source));
        if source.is_rust() {
            violations.extend(layout::check(source));
            violations.extend(text::check(source));
            violations.extend(purity::check(source));
            violations.extend(clock::check(source));
            violations.extend(options::check(source));
        }
    }
    for violation in &violations {
        println!("{violation}");
    }
    if violations.is_empty() {
        println!("{} files are tidy", sources.len());
        return Ok(Tally::PASSED);
    }
    Ok(Tally { failures: violations, ..Tally::FAILED })
}
