//! `docs/cli-reference.md` is the help of each command: it is written when `HALLOO_GENERATE` is set (`cargo xtask generate`), and
//! compared otherwise.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

mod common;

use std::path::Path;
use std::process::Stdio;

use common::{halloo, stdout};

const FILE: &str = "docs/cli-reference.md";

const INTRODUCTION: &str = "\
# Options of the program

<!-- Written by `cargo xtask generate`. -->

What `halloo COMMAND --help` prints. [The command line](command-line.md) says how the commands are used, and
[limits.md](limits.md) lists the settings of a server with their names in Rust and Godot.
";

/// Returns what the program prints, whatever the environment and the terminal are.
fn help(arguments: &[&str]) -> String {
    let mut command = halloo(arguments);
    command.env("NO_COLOR", "1").env_remove("COLUMNS").stdin(Stdio::null());
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("HALLOO_")) {
        command.env_remove(name);
    }
    let text = stdout(&command.output().unwrap());
    text.lines().flat_map(|line| [line.trim_end(), "\n"]).collect::<String>().trim_end().replace("halloo.exe", "halloo")
}

/// Returns the names of the commands in the help of the program.
fn commands(help: &str) -> Vec<&str> {
    let (_, list) = help.split_once("Commands:\n").unwrap();
    let lines = list.split("\n\n").next().unwrap().lines();
    lines
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .filter(|name| !["", "help"].contains(name))
        .collect()
}

#[test]
fn reference_is_the_help_of_each_command() {
    let program = help(&["--help"]);
    let commands = commands(&program);
    assert!(commands.len() >= 8 && commands.contains(&"serve"), "{commands:?}");
    let mut page = INTRODUCTION.to_owned();
    for command in commands {
        page += &format!("\n## halloo {command}\n\n```text\n{}\n```\n", help(&[command, "--help"]));
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(FILE);
    let current = std::fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
    if current == page {
        return;
    }
    if std::env::var_os("HALLOO_GENERATE").is_some() {
        return std::fs::write(path, page).unwrap();
    }
    let stale = page.lines().find(|line| !current.contains(line)).unwrap_or("the order, or a line too many");
    panic!("{FILE} is not current; run `cargo xtask generate`. It lacks:\n{stale}");
}
