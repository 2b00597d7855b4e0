//! The tests of the addon in a Godot engine.

mod addon;
pub(crate) mod bench;
pub(crate) mod program;

pub(crate) mod copy;
pub(crate) mod library;

mod archive;
mod engine;
mod export;
mod implementation;
mod peers;
mod results;

use std::path::Path;

use anyhow::Result;

use self::implementation::Implementation;
pub(crate) use self::peers::Peers;
use crate::report::{Report, Tally};

/// `cargo xtask godot-test`: runs the tests of the addon whose names begin with `only`, with both implementations.
pub(crate) fn test(root: &Path, only: &str) -> Result<()> {
    let Some(program) = program::prepare(root)? else { return Ok(()) };
    let peers = Peers::prepare(root)?;
    let mut report = Report::default();
    let result = test_steps(&mut report, root, Some(&program), &peers, only);
    report.print();
    result
}

/// Runs the tests whose names begin with `only` as a step for each implementation. Without `program`, they are skipped.
pub(crate) fn test_steps(
    report: &mut Report,
    root: &Path,
    program: Option<&Path>,
    peers: &Peers,
    only: &str,
) -> Result<()> {
    for implementation in Implementation::BOTH {
        let name = format!("Godot addon, {}", implementation.name());
        report.step(&name, "run the failing test alone: `cargo xtask godot-test NAME`", || match program {
            Some(program) => addon::test(root, program, peers, implementation, only),
            None => Ok(Tally::SKIPPED),
        })?;
    }
    Ok(())
}
