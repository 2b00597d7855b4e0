//! `cargo xtask adversary` and `cargo xtask soak`: run `halloo-adversary` against the release build of `halloo`.

use std::path::Path;
use std::process::Command;
use std::thread;

use anyhow::{Context, Result, anyhow};

use crate::command::{cargo, executable, run as run_command, succeeds};
use crate::report::Tally;

/// Builds both programs and runs a command of `halloo-adversary` with `arguments`.
pub(crate) fn run(root: &Path, command: &str, arguments: &[String]) -> Result<()> {
    run_command(&mut cargo(root, "build --release --locked -p halloo-cli -p halloo-adversary"))?;
    let release = root.join("target").join("release");
    let mut program = Command::new(release.join(executable("halloo-adversary")));
    program.current_dir(root).arg("--halloo").arg(release.join(executable("halloo")));
    run_command(program.arg(command).args(arguments))
}

/// Returns whether this machine has `/proc` and allows network namespaces.
pub(crate) fn is_possible() -> bool {
    let network = succeeds(Command::new("unshare").args(["-Urn", "ip", "link", "set", "lo", "up"]));
    network && Path::new("/proc/self/status").exists()
}

/// The runs of the reduced tests, against the debug build and without judging times.
const REDUCED: [&[&str]; 3] = [
    &["adversary", "--quick", "--untimed"],
    &["adversary", "--quick", "--untimed", "--faults"],
    &["soak", "--pages", "--quick"],
];

/// Runs all attacks, all faults and the soak of published files at a reduced size, at the same time, since all of them mostly
/// wait. Each run is one check.
pub(crate) fn run_reduced(root: &Path) -> Result<Tally> {
    run_command(&mut cargo(root, "build --locked -p halloo-cli -p halloo-adversary"))?;
    let debug = root.join("target").join("debug");
    let mut tally = Tally::default();
    let runs = REDUCED.map(|arguments| {
        let mut command = Command::new(debug.join(executable("halloo-adversary")));
        command.current_dir(root).arg("--halloo").arg(debug.join(executable("halloo"))).args(arguments);
        thread::spawn(move || command.output())
    });
    for run in runs {
        let output = run.join().map_err(|_| anyhow!("a thread panicked"))?.context("cannot start halloo-adversary")?;
        let text = String::from_utf8_lossy(&output.stdout);
        println!("{text}{}", String::from_utf8_lossy(&output.stderr));
        let broken: Vec<String> = text.lines().filter_map(broken_promise).collect();
        tally.add(match output.status.success() {
            true => Tally::PASSED,
            false if broken.is_empty() => Tally::failure(format!("halloo-adversary ended with {}", output.status)),
            false => Tally { failures: broken, ..Tally::FAILED },
        });
    }
    Ok(tally)
}

/// Parses a row of the table of promises. Returns the attack and the measurement if the promise is broken.
fn broken_promise(row: &str) -> Option<String> {
    let row = row.strip_prefix("| ")?.strip_suffix(" | **no** |")?;
    let (attack, rest) = row.split_once(" | ")?;
    let (_, measured) = rest.split_once(" | ")?;
    Some(format!("{attack}: {measured}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_broken_promises_are_returned() {
        let broken = broken_promise("| reset | others stay | FAILED: no server | **no** |");
        assert_eq!(broken.as_deref(), Some("reset: FAILED: no server"));
        assert_eq!(broken_promise("| flood | stays up | a\\|b | yes |"), None);
        assert_eq!(broken_promise("flood, beside the others: timeout"), None);
    }
}
