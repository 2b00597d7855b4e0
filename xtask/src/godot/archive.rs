//! The addon as users get it: unpacked from its archive into a project that contains nothing else and that no editor has
//! opened, and then in an export of that project.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use zip::ZipArchive;

use super::copy::{copy_directory, new_project};
use super::engine::Engine;
use super::implementation::Implementation;
use super::library::{Build, godot_name, path_in};
use super::results::evaluate;
use crate::dist;
use crate::report::Tally;

/// The documented examples, and the files that run them as tests.
const TESTS: [&str; 7] = [
    "run.gd",
    "suite.gd",
    "client.gd",
    "usage_example.gd",
    "readme_example.gd",
    "suites/example.gd",
    "suites/status.gd",
];

const PROJECT: &str = r#"config_version=5

[application]

config/name="A new project"

[autoload]

WebSocketServer="*res://addons/halloo/websocket_server.gd"
"#;

/// Where the libraries of the extension are in a project.
pub(super) const BIN: &str = "addons/halloo/bin";

/// An export of everything.
pub(super) const EXPORT: &str = r#"[preset.0]

name="Game"
platform="Linux"
export_filter="all_resources"
export_path=""

[preset.0.options]
"#;

/// Runs the documented example in the project and in its export.
pub(super) fn test(root: &Path, engine: &Engine, implementation: Implementation) -> Result<Tally> {
    let project = unpack(root, implementation)?;
    let argument = format!("implementation={}", implementation.name());
    let tests = ["--script", "res://tests/run.gd", "--", &argument];
    println!("--- from the archive");
    let run = engine.run(&project, &tests)?;
    let mut tally = evaluate(&run).named("from the archive");
    tally.add(check_warning(&run.lines, implementation));

    println!("--- exported");
    let game = new_project(root, &format!("{}-exported", implementation.name()))?;
    fs::create_dir_all(&game)?;
    let pack = game.join("game.pck").display().to_string();
    let export = engine.run(&project, &["--export-pack", "Game", &pack])?;
    if !Path::new(&pack).exists() {
        tally.add(evaluate(&export).named("export"));
        return Ok(tally);
    }
    // An export puts the library beside the game; here the engine is in another directory.
    if project.join(BIN).exists() {
        copy_directory(&project.join(BIN), &game.join(BIN))?;
    }
    let mut command = vec!["--main-pack", pack.as_str()];
    command.extend(tests);
    tally.add(evaluate(&engine.run(&game, &command)?).named("exported"));
    Ok(tally)
}

/// Expects one warning that names the library which is missing, and none if there is one.
fn check_warning(lines: &[String], implementation: Implementation) -> Tally {
    let platform =
        format!("{} {}", if cfg!(windows) { "Windows" } else { "Linux" }, godot_name(std::env::consts::ARCH));
    let warnings = lines.iter().filter(|line| line.contains("[halloo] the native library for")).collect::<Vec<_>>();
    let named = warnings.iter().filter(|line| line.contains(&format!("{platform} is missing"))).count();
    let expected = usize::from(implementation == Implementation::Fallback);
    if warnings.len() == expected && named == expected {
        println!("ok the missing library is named in {expected} warnings");
        return Tally::PASSED;
    }
    println!("FAILED warnings of a missing library: {warnings:?}");
    Tally::failure(format!("expected {expected} warnings that the library for {platform} is missing, not {warnings:?}"))
}

/// Creates a project with the addon from an archive, which is created as by `cargo xtask dist`.
fn unpack(root: &Path, implementation: Implementation) -> Result<PathBuf> {
    let project = new_project(root, &format!("{}-unpacked", implementation.name()))?;
    let archive = dist::make(root, &root.join("target/godot-tests/dist"), None, Build::Debug)?;
    let file = File::open(&archive).with_context(|| format!("cannot open {}", archive.display()))?;
    ZipArchive::new(file)?.extract(&project)?;
    if implementation == Implementation::Fallback {
        fs::remove_file(path_in(&project, Build::Debug)?)?;
    }
    fs::write(project.join("project.godot"), PROJECT)?;
    fs::write(project.join("export_presets.cfg"), EXPORT)?;
    fs::create_dir_all(project.join("tests/suites"))?;
    for test in TESTS {
        fs::copy(root.join("godot/tests").join(test), project.join("tests").join(test))?;
    }
    Ok(project)
}
