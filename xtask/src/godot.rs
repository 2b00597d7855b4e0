//! The tests of the addon in a Godot engine.

pub(crate) mod addon;
pub(crate) mod bench;
pub(crate) mod program;

pub(crate) mod copy;
pub(crate) mod implementation;
pub(crate) mod library;

mod archive;
mod engine;
mod results;

use std::path::Path;

use anyhow::{Result, ensure};

use self::implementation::Implementation;
use crate::python;

/// `cargo xtask godot`: finds or fetches Godot and prints the path of its program.
pub(crate) fn run(root: &Path) -> Result<()> {
    if let Some(program) = program::prepare(root)? {
        println!("{}", program.display());
    }
    Ok(())
}

/// `cargo xtask godot-test`: runs the tests of the addon whose names begin with `only`, with both implementations.
pub(crate) fn test(root: &Path, only: &str) -> Result<()> {
    let Some(program) = program::prepare(root)? else { return Ok(()) };
    let python = python::prepare(root)?;
    for implementation in Implementation::BOTH {
        println!("\n=== {}", implementation.name());
        let tally = addon::test(root, &program, python.as_deref(), implementation, only)?;
        ensure!(tally.failed == 0, "{} tests of the {} implementation failed", tally.failed, implementation.name());
    }
    Ok(())
}
