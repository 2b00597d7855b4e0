//! `cargo xtask tidy`: the house rules that neither the compiler nor clippy checks.

mod arrows;
mod circles;
mod clock;
mod purity;
mod text;

mod source;

use std::path::Path;

use anyhow::{Result, bail};

/// Checks every rule and prints every violation, one per line.
pub(crate) fn run(root: &Path) -> Result<()> {
    let sources = source::read_all(root)?;
    let mut complaints = arrows::check(root)?;
    complaints.extend(circles::check(&sources));
    for source in &sources {
        complaints.extend(text::check(source));
        complaints.extend(purity::check(source));
        complaints.extend(clock::check(source));
    }
    for complaint in &complaints {
        println!("{complaint}");
    }
    match complaints.len() {
        0 => println!("{} source files are tidy", sources.len()),
        number => bail!("{number} house rules are broken"),
    }
    Ok(())
}
