//! Runs the tests of the addon in the engine, with the native library or without it.

use std::path::Path;
use std::thread;

use anyhow::{Result, bail};

use super::engine::{Engine, Outcome};
use super::implementation::Implementation;
use super::program::version;
use super::results::{evaluate, show};
use super::{Peers, archive, copy, export, library};
use crate::report::Tally;

/// The start of the names of tests that run in the editor.
const EDITOR_TESTS: &str = "editor";

/// The name of the test that runs the addon from its archive.
const ARCHIVE_TEST: &str = "archive";

/// The name of the test that exports a game with pages of its own.
const EXPORT_TEST: &str = "export";

/// The name of the test that quits the game under load, and how often it does.
const QUIT_TEST: &str = "quit_under_load";
const QUITS: usize = 20;
/// How many of them run at the same time: each mostly waits.
const QUITS_AT_ONCE: usize = 4;

/// Runs the tests whose names begin with `only` in copies of the project, and counts the results.
pub(crate) fn test(
    root: &Path,
    program: &Path,
    peers: &Peers,
    implementation: Implementation,
    only: &str,
) -> Result<Tally> {
    if implementation == Implementation::Native && !library::exists(root) {
        println!("SKIPPED: the crate halloo-godot is missing");
        return Ok(Tally::SKIPPED);
    }
    let Some(engine) = Engine::new(program, &root.join("target/godot-tests"))? else { return Ok(Tally::SKIPPED) };
    println!("Godot {}", version(program)?);
    let python = Peers::path(&peers.python);
    let mut tally = Tally::default();
    let wanted = |name: &str| name.starts_with(only) || only.starts_with(name);
    if !only.starts_with(EDITOR_TESTS) && ![ARCHIVE_TEST, EXPORT_TEST].contains(&only) {
        let project = copy::game(root, implementation, library::Build::Debug)?;
        // Reads every scene and script, as an editor does when it first opens a project, and makes the named classes known.
        import(&engine, &project)?;
        if only.is_empty() || !wanted(QUIT_TEST) {
            tally.add(test_game(&engine, &project, &peers.arguments(root), implementation, only)?);
        }
        if wanted(QUIT_TEST) && implementation == Implementation::Native && !python.is_empty() {
            tally.add(quit_under_load(&engine, &project, &python)?);
        }
    }
    if wanted(ARCHIVE_TEST) {
        tally.add(archive::test(root, &engine, implementation)?);
    }
    if wanted(EXPORT_TEST) && implementation == Implementation::Native {
        tally.add(export::test(root, &engine, peers)?);
    }
    if wanted(EDITOR_TESTS) {
        let project = copy::editor(root, implementation)?;
        tally.add(evaluate(&engine.run(&project, &["--editor"])?));
    }
    Ok(tally)
}

fn import(engine: &Engine, project: &Path) -> Result<()> {
    let import = engine.run(project, &["--import"])?;
    if let Some(error) = &import.error {
        show(&import, true);
        bail!("cannot import the project: {error}");
    }
    Ok(())
}

fn test_game(
    engine: &Engine,
    project: &Path,
    peers: &[String],
    implementation: Implementation,
    only: &str,
) -> Result<Tally> {
    let program = engine.program().to_string_lossy();
    let arguments = [("implementation", implementation.name()), ("only", only), ("godot", &program)]
        .map(|(key, value)| format!("{key}={value}"));
    let mut command = vec!["--script", "res://tests/run.gd", "--"];
    command.extend(arguments.iter().chain(peers).map(String::as_str));
    Ok(evaluate(&engine.run(project, &command)?))
}

/// Quits the game many times while clients send at full speed: it must not crash or leave a thread behind.
fn quit_under_load(engine: &Engine, project: &Path, python: &str) -> Result<Tally> {
    let argument = format!("python={python}");
    let quit = || engine.run(project, &["--script", "res://tests/quit.gd", "--", &argument]);
    let several = || (0..QUITS / QUITS_AT_ONCE).map(|_| quit()).collect::<Result<Vec<_>>>();
    let outcomes: Result<Vec<Vec<Outcome>>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..QUITS_AT_ONCE).map(|_| scope.spawn(several)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| bail!("a thread panicked"))).collect()
    });
    for outcome in outcomes?.iter().flatten() {
        let unfinished = || Some("the game ended before it was to quit").filter(|_| !outcome.printed("quitting"));
        if let Some(error) = outcome.error.as_deref().or_else(unfinished) {
            show(outcome, true);
            println!("FAILED {QUIT_TEST}");
            return Ok(Tally::failure(format!("{QUIT_TEST}: {error}")));
        }
    }
    println!("ok {QUIT_TEST}, {QUITS} times");
    Ok(Tally::PASSED)
}
