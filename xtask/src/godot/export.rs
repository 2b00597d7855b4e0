//! A game with pages of its own, exported: the pack contains the folder that the game serves, and the tests of own pages pass
//! in it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::Peers;
use super::archive::{BIN, EXPORT};
use super::copy::{copy_directory, new_project, prepare_extension};
use super::engine::Engine;
use super::implementation::Implementation;
use super::library::Build;
use super::results::evaluate;
use crate::report::Tally;

/// What runs the tests of own pages.
const TESTS: [&str; 4] = ["run.gd", "suite.gd", "client.gd", "suites/own_pages.gd"];

/// The folder that the game serves.
const CONTROLLER: &str = "tests/controller";

const PROJECT: &str = r#"config_version=5

[application]

config/name="A game with pages"

[autoload]

WebSocketServer="*res://addons/halloo/websocket_server.gd"

[editor_plugins]

enabled=PackedStringArray("res://addons/halloo/plugin.cfg")

[halloo]

serve_files="res://tests/controller"
"#;

/// Exports the game and runs its tests in the pack.
pub(super) fn test(root: &Path, engine: &Engine, peers: &Peers) -> Result<Tally> {
    let project = create(root)?;
    let game = new_project(root, "pages-exported")?;
    fs::create_dir_all(&game)?;
    let pack = game.join("game.pck").display().to_string();
    let export = engine.run(&project, &["--export-pack", "Game", &pack])?;
    if !Path::new(&pack).exists() {
        return Ok(evaluate(&export).named("export"));
    }
    // An export puts the library beside the game; here the engine is in another directory.
    copy_directory(&project.join(BIN), &game.join(BIN))?;
    let arguments = peers.arguments(root);
    let mut command = vec!["--main-pack", &pack, "--script", "res://tests/run.gd", "--", "implementation=native"];
    command.extend(arguments.iter().map(String::as_str));
    println!("--- exported with pages");
    Ok(evaluate(&engine.run(&game, &command)?).named("exported with pages"))
}

/// Creates a project with the addon, the folder to serve and the tests.
fn create(root: &Path) -> Result<PathBuf> {
    let project = new_project(root, "pages")?;
    copy_directory(&root.join("godot/addons"), &project.join("addons"))?;
    copy_directory(&root.join("godot").join(CONTROLLER), &project.join(CONTROLLER))?;
    prepare_extension(root, &project, Implementation::Native, Build::Debug)?;
    fs::create_dir_all(project.join("tests/suites"))?;
    for test in TESTS {
        fs::copy(root.join("godot/tests").join(test), project.join("tests").join(test))?;
    }
    fs::write(project.join("project.godot"), PROJECT)?;
    fs::write(project.join("export_presets.cfg"), EXPORT)?;
    Ok(project)
}
