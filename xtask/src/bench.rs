//! `cargo xtask bench`: prepares the servers to compare, then runs `halloo-bench`, which measures and reports.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;

use crate::command::{cargo, executable, run as run_command};
use crate::peers::{self, Peer};

/// What to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Measure only this part of halloo, without other servers
    #[arg(conflicts_with_all = ["full", "only", "peers"])]
    part: Option<Part>,
    /// Run every scenario, more often and longer, and write docs/benchmarks.*; up to 20 minutes instead of 2
    #[arg(long)]
    full: bool,
    /// Run only scenarios whose name begins with one of these, separated by commas, such as echo-64,fanout
    #[arg(long)]
    only: Option<String>,
    /// Compare only these peers, separated by commas, such as tcp,halloo,bun
    #[arg(long)]
    peers: Option<String>,
}

/// A part of halloo that no other server is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// A message to a room beside one to all clients, and the memory of rooms
    Rooms,
    /// Messages beside downloads, the start with many files, and the memory of slow readers
    Files,
}

impl Part {
    /// Returns the command of `halloo-bench`.
    fn command(self) -> &'static str {
        match self {
            Part::Rooms => "rooms",
            Part::Files => "files",
        }
    }
}

/// The file that `halloo-bench compare` reads.
#[derive(Debug, Default, Serialize)]
struct Prepared {
    peers: Vec<Peer>,
    left_out: Vec<LeftOut>,
    files: BTreeMap<&'static str, PathBuf>,
}

#[derive(Debug, Serialize)]
struct LeftOut {
    name: &'static str,
    why: String,
}

/// Prepares the peers, measures and reports.
pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    run_command(&mut cargo(root, "build --release --locked -p halloo-bench -p halloo-cli"))?;
    let release = root.join("target").join("release");
    let program = release.join(executable("halloo-bench"));
    if let Some(part) = options.part {
        return run_command(std::process::Command::new(&program).current_dir(root).arg(part.command()));
    }
    let mut prepared = Prepared::default();
    prepared.files.insert("the program halloo", release.join(executable("halloo")));
    for (name, prepare) in peers::ALL {
        if options.peers.as_ref().is_some_and(|wanted| !wanted.split(',').any(|one| one == name)) {
            continue;
        }
        match prepare(root, &program) {
            Ok(mut peer) => {
                peer.name = name;
                prepared.peers.push(peer);
            }
            Err(error) => {
                eprintln!("LEFT OUT: {name}: {error:#}");
                prepared.left_out.push(LeftOut { name, why: format!("{error:#}") });
            }
        }
    }
    let directory = peers::directory(root);
    fs::create_dir_all(&directory).with_context(|| format!("cannot create {}", directory.display()))?;
    let list = directory.join("peers.json");
    fs::write(&list, serde_json::to_string_pretty(&prepared)?)?;
    // Only a complete run replaces the committed report.
    let complete = options.full && options.only.is_none() && options.peers.is_none();
    let output = if complete { root.join("docs") } else { directory.join("report") };
    let mut command = std::process::Command::new(&program);
    command.current_dir(root).arg("compare").arg("--prepared").arg(list).arg("--output").arg(output);
    command.args(options.full.then_some("--full"));
    for (name, value) in [("--only", &options.only), ("--peers", &options.peers)] {
        command.args(value.iter().flat_map(|value| [name, value]));
    }
    run_command(&mut command)
}
