//! Measures the addon: the same script with the native library and without it, side by side.

use std::path::Path;

use anyhow::{Context, Result, bail};

use super::copy;
use super::engine::Engine;
use super::implementation::Implementation;
use super::library::{Build, path_in};
use super::program::{prepare, version};
use crate::python;

/// The measurements: their names, their scripts, and whether they need the native library.
const MEASUREMENTS: [(&str, &str, bool); 2] =
    [("server", "res://bench/bench.gd", false), ("pads", "res://bench/pads.gd", true)];

/// `cargo xtask godot-bench`: prints a table of the measurements whose names begin with `only`. Nothing else should run on the
/// machine.
pub(crate) fn run(root: &Path, only: &str) -> Result<()> {
    if !MEASUREMENTS.iter().any(|(name, ..)| name.starts_with(only)) {
        bail!("there is no measurement {only}; use {}", MEASUREMENTS.map(|(name, ..)| name).join(" or "));
    }
    let Some(program) = prepare(root)? else { return Ok(()) };
    let Some(python) = python::prepare(root)? else { return Ok(()) };
    let Some(engine) = Engine::new(&program, &root.join("target/godot-tests"))? else { return Ok(()) };
    let mut tables = Vec::new();
    for implementation in Implementation::BOTH {
        eprintln!("measuring the {} implementation", implementation.name());
        tables.push(measure(root, &engine, &python, implementation, only)?);
    }
    let [fallback, native] = &tables[..] else { bail!("expected two implementations") };
    println!("Godot {}\n\n| figure | GDScript | native |\n|---|---|---|", version(&program)?);
    for (name, value) in native {
        let other = fallback.iter().find(|(other, _)| other == name).map_or("", |(_, value)| value);
        println!("| {name} | {other} | {value} |");
    }
    Ok(())
}

fn measure(
    root: &Path,
    engine: &Engine,
    python: &Path,
    implementation: Implementation,
    only: &str,
) -> Result<Vec<(String, String)>> {
    let is_native = implementation == Implementation::Native;
    let wanted = |(name, _, needs_native): &&(&str, &str, bool)| name.starts_with(only) && (is_native || !needs_native);
    let scripts: Vec<&str> = MEASUREMENTS.iter().filter(wanted).map(|(_, script, _)| *script).collect();
    if scripts.is_empty() {
        return Ok(Vec::new());
    }
    let project = copy::game(root, implementation, Build::Release)?;
    engine.run(&project, &["--import"])?;
    let mut figures = Vec::new();
    for script in scripts {
        let arguments = ["--script", script, "--", &format!("python={}", python.display())];
        let outcome = engine.run(&project, &arguments)?;
        if let Some(error) = &outcome.error {
            bail!("{error}:\n{}", outcome.lines.join("\n"));
        }
        figures.extend(outcome.lines.iter().filter_map(|line| parse(line)));
    }
    if implementation == Implementation::Native {
        let library = path_in(&project, Build::Release)?;
        let bytes = std::fs::metadata(&library).with_context(|| format!("cannot find {}", library.display()))?.len();
        figures.push(("size of the library, KiB".into(), (bytes / 1024).to_string()));
    }
    Ok(figures)
}

/// Parses `figure NAME: VALUE`.
fn parse(line: &str) -> Option<(String, String)> {
    let (name, value) = line.strip_prefix("figure ")?.rsplit_once(": ")?;
    Some((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_has_a_name_and_a_value() {
        let figure = |name: &str, value: &str| Some((name.to_owned(), value.to_owned()));
        assert_eq!(parse("figure clients at once, s: 0.5"), figure("clients at once, s", "0.5"));
        assert_eq!(parse("figure a: b: 1, 2"), figure("a: b", "1, 2"));
        assert_eq!(parse("[halloo] figure a: 1"), None);
    }
}
