//! Instructions per message: unlike times, they are the same on a busy machine, so that a test can compare them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result, anyhow, bail, ensure};

use crate::ci::or_skip;
use crate::command::{cargo, run as run_command};
use crate::debian::{self, NEWEST, Package};
use crate::report::Tally;

const PROGRAM: &str = "halloo-bench";
const IS_POSSIBLE: bool = cfg!(all(target_os = "linux", target_arch = "x86_64"));

/// The parts of `halloo-bench work`, and the instructions per message of each when this was written.
const PARTS: [(&str, u64); 4] = [("small", 185), ("large", 818), ("turn", 526), ("sink", 249)];

/// Allowance for another compiler or C library, in percent.
const TOLERANCE: u64 = 25;

/// What TLS may add to a turn of a client that does not use it, in percent. It was one: reads, writes and timers look whether
/// a connection has TLS. The rest is an allowance for another compiler.
const TLS_PERCENT: u64 = 3;

/// What the feature `cluster` may add to a server that is in none, in percent.
const CLUSTER_PERCENT: u64 = 1;

/// Messages of the first run. A second run has twice as many; the difference leaves out startup and shutdown.
const MESSAGES: u64 = 16_000;

const PACKAGE: Package = Package {
    name: "valgrind",
    suite: NEWEST,
    with: &[],
    size: "30 MiB",
    not_needed: &["libc6-dbg", "libc-gconv"],
    launcher: LAUNCHER,
    check,
};

/// Starts Valgrind with the C library from its packages. The program under test uses that of the system.
const LAUNCHER: &str = r#"#!/bin/sh
here=$(dirname "$(realpath "$0")")
libraries=$(echo "$here"/root/usr/lib/*-linux-gnu*)
export VALGRIND_LIB="$here/root/usr/libexec/valgrind"
exec "$libraries"/ld-linux*.so.* --library-path "$libraries" "$here/root/usr/bin/valgrind.bin" "$@"
"#;

/// The programs whose instructions are counted.
pub(crate) struct Programs {
    without_tls: PathBuf,
    with_tls: PathBuf,
    with_cluster: PathBuf,
}

impl Programs {
    /// Starts to build them, where they can be used. That takes minutes: a release build, three times.
    pub(crate) fn start_build(root: &Path) -> JoinHandle<Result<Programs>> {
        let root = root.to_owned();
        thread::spawn(move || {
            ensure!(IS_POSSIBLE, "instructions are only counted on Linux on x86-64");
            Programs::build(&root)
        })
    }

    fn build(root: &Path) -> Result<Programs> {
        let directory = root.join("target").join("counts");
        fs::create_dir_all(&directory)?;
        let build = |name: &str, features: &str| {
            run_command(&mut cargo(root, &format!("build --quiet --release --locked -p halloo-bench {features}")))?;
            let program = directory.join(name);
            fs::copy(root.join("target/release").join(PROGRAM), &program)?;
            anyhow::Ok(program)
        };
        Ok(Programs {
            without_tls: build("without-tls", "--no-default-features")?,
            with_tls: build("with-tls", "")?,
            with_cluster: build("with-cluster", "--no-default-features --features cluster")?,
        })
    }
}

/// `cargo xtask counts`: returns an error if a message costs more instructions than expected.
pub(crate) fn test(root: &Path) -> Result<()> {
    let tally = run(root, Programs::start_build(root))?;
    ensure!(tally.failed == 0, "{} parts cost more instructions than expected", tally.failed);
    Ok(())
}

/// Counts every part and compares it with what is expected, on systems where that is possible.
pub(crate) fn run(root: &Path, programs: JoinHandle<Result<Programs>>) -> Result<Tally> {
    if !IS_POSSIBLE {
        println!("SKIPPED: instructions are only counted on Linux on x86-64");
        return Ok(Tally::SKIPPED);
    }
    let Some(valgrind) = prepare(root)? else { return Ok(Tally::SKIPPED) };
    let programs = programs.join().map_err(|_| anyhow!("a thread panicked"))?;
    let Programs { without_tls, with_tls, with_cluster } = programs?;
    let mut tally = Tally::default();
    let mut turn = 0;
    for (part, expected) in PARTS {
        let each = count_each(root, &valgrind, &without_tls, part)?;
        if part == "turn" {
            turn = each;
        }
        let figure = format!("{part}: {each} instructions per message; {expected} expected");
        println!("{figure}");
        let most = expected + expected * TOLERANCE / 100;
        // Far fewer would mean that the work was not done.
        tally.add(if (expected / 2..=most).contains(&each) { Tally::PASSED } else { Tally::failure(figure) });
        let with_cluster = count_each(root, &valgrind, &with_cluster, part)?;
        let figure =
            format!("{part}, without a cluster: {with_cluster} instructions per message; {each} without the feature");
        println!("{figure}");
        // Rounded up, since the counts are whole numbers.
        let most = each + (each * CLUSTER_PERCENT).div_ceil(100);
        tally.add(if (each / 2..=most).contains(&with_cluster) { Tally::PASSED } else { Tally::failure(figure) });
    }
    let beside_tls = "turn-beside-tls";
    // It creates the certificate, which must not be counted.
    run_command(Command::new(&with_tls).current_dir(root).args(["work", beside_tls, "16"]))?;
    let each = count_each(root, &valgrind, &with_tls, beside_tls)?;
    let figure = format!("{beside_tls}: {each} instructions per message; {turn} in a build without TLS");
    println!("{figure}");
    let most = turn + turn * TLS_PERCENT / 100;
    tally.add(if (turn / 2..=most).contains(&each) { Tally::PASSED } else { Tally::failure(figure) });
    Ok(tally)
}

/// Returns the installed Valgrind, or fetches one; `None` if that is not possible, which is an error in a CI service.
fn prepare(root: &Path) -> Result<Option<PathBuf>> {
    let installed = Path::new("valgrind");
    if check(installed).is_ok() {
        return Ok(Some(installed.to_owned()));
    }
    let fetched = debian::fetch(&root.join("target").join("valgrind"), &PACKAGE);
    or_skip(fetched, |error| format!("no Valgrind, so instructions were not counted: {error:#}"))
}

/// Returns an error unless Callgrind runs.
fn check(valgrind: &Path) -> Result<()> {
    let mut command = callgrind(valgrind);
    let output = command.arg("/bin/true").output().context("it does not start")?;
    ensure!(output.status.success(), "it ended with {}", output.status);
    Ok(())
}

fn callgrind(valgrind: &Path) -> Command {
    let mut command = Command::new(valgrind);
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    command
}

/// Returns the instructions per message.
fn count_each(root: &Path, valgrind: &Path, program: &Path, part: &str) -> Result<u64> {
    let once = count(root, valgrind, program, part, MESSAGES)?;
    let twice = count(root, valgrind, program, part, 2 * MESSAGES)?;
    Ok(twice.saturating_sub(once) / MESSAGES)
}

fn count(root: &Path, valgrind: &Path, program: &Path, part: &str, messages: u64) -> Result<u64> {
    let mut command = callgrind(valgrind);
    let output = command.current_dir(root).arg(program).args(["work", part]).arg(messages.to_string()).output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("halloo-bench ended with {}: {text}", output.status);
    }
    collected(&text).with_context(|| format!("Valgrind printed no count: {text}"))
}

/// Parses `==123== Collected : 6606909`.
fn collected(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_parsed() {
        let text = "==7== Events    : Ir\n==7== Collected : 6606909\n==7==\n";
        assert_eq!(collected(text), Some(6_606_909));
        assert_eq!(collected("valgrind: cannot"), None);
    }
}
