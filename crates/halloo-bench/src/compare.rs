//! `compare`: chooses peers and scenarios, runs them, prints a table and writes the report.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Instant, SystemTime};

use anyhow::{Context, Result, bail};

use crate::peer::{self, LeftOut, Peer, Prepared};
use crate::report::{Report, curves, document, plot, table};
use crate::scenario::{self, Measure, Pace, Scenario};
use crate::{machine, runner};

/// The peers of a quick run. The others are much slower and would only take time.
const QUICK: [&str; 5] = ["tcp", "halloo", "halloo-events", "uwebsockets", "bun"];
/// The peer that takes part in a quick run only if the thread of the application matters.
const EVENTS: &str = "halloo-events";

/// The number of rounds once a run is late.
const LATE_ROUNDS: usize = 3;

/// What to measure, and where to write the report.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The list of peers that `cargo xtask bench` prepared
    #[arg(long, default_value = "target/bench/peers.json")]
    prepared: PathBuf,
    /// Run every scenario, more often and longer; up to 20 minutes
    #[arg(long)]
    full: bool,
    /// Run only scenarios whose name begins with one of these, separated by commas
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Compare only these peers, separated by commas
    #[arg(long, value_delimiter = ',')]
    peers: Vec<String>,
    /// The directory for benchmarks.md, benchmarks.json, benchmarks.svg and growth.svg
    #[arg(long, default_value = "target/bench/report")]
    output: PathBuf,
}

/// Measures and reports. Returns an error if halloo itself failed in a scenario.
pub(crate) fn compare(options: &Options) -> Result<()> {
    let prepared = peer::read(&options.prepared)?;
    let peers = choose_peers(&prepared, options)?;
    let (scenarios, impossible) = choose_scenarios(options)?;
    let mut pace = Pace::new(options.full);
    let pinned = machine::cores() > 1 && machine::pin(machine::cores() - 1);
    let mut report = Report {
        date: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        machine: machine::description(),
        mode: if options.full { "full" } else { "quick" },
        pinned,
        peers: peers.iter().map(|peer| (peer.name.clone(), peer.version.clone())).collect(),
        rows: Vec::new(),
        sizes: sizes(&prepared)?,
        left_out: left_out(&prepared, &peers, impossible),
        notes: Vec::new(),
    };
    let start = Instant::now();
    if let Some(busy) = machine::wait_until_idle(pace.first_idle_timeout) {
        eprintln!("warning: other processes use {:.0} % of the machine; measuring anyway", 100.0 * busy);
    }
    let mut failed = Vec::new();
    for (number, scenario) in scenarios.iter().enumerate() {
        let takes_part = |peer: &&&Peer| {
            let asked_for = !options.peers.is_empty();
            let quick = QUICK.contains(&peer.name.as_str()) && (peer.name != EVENTS || scenario.through_application);
            (asked_for || quick || (options.full && !scenario.growth)) && (peer.tls || !scenario.secure)
        };
        let taking_part: Vec<&Peer> = peers.iter().filter(takes_part).copied().collect();
        if start.elapsed() > pace.late_after && pace.rounds > LATE_ROUNDS {
            pace.rounds = LATE_ROUNDS;
            report.notes.push(format!("the run was late: only {LATE_ROUNDS} rounds from {} on", scenario.name));
        }
        let outcome = runner::run(scenario, &taking_part, &pace);
        eprintln!("{:>2}/{} {:4.1} s  {}", number + 1, scenarios.len(), outcome.took.as_secs_f64(), scenario.title);
        failed.extend(outcome.failures.iter().filter(|(peer, _)| peer.starts_with("halloo")).map(|_| scenario.name));
        report.add(outcome);
    }
    print(&report);
    write(&report, &options.output)?;
    println!("{:.0} s; written to {}", start.elapsed().as_secs_f64(), options.output.display());
    failed.dedup();
    if !failed.is_empty() {
        bail!("halloo failed in {}", failed.join(", "));
    }
    Ok(())
}

fn choose_peers<'a>(prepared: &'a Prepared, options: &Options) -> Result<Vec<&'a Peer>> {
    let all = &prepared.peers;
    for name in &options.peers {
        if !all.iter().any(|peer| peer.name == *name) {
            let known: Vec<&str> = all.iter().map(|peer| peer.name.as_str()).collect();
            bail!("no peer is called {name}; choose from {}", known.join(", "));
        }
    }
    let chosen = |peer: &&Peer| match options.peers.is_empty() {
        true => options.full || QUICK.contains(&peer.name.as_str()),
        false => options.peers.contains(&peer.name),
    };
    Ok(all.iter().filter(chosen).collect())
}

/// Returns the scenarios to measure, and those that this machine cannot measure.
fn choose_scenarios(options: &Options) -> Result<(Vec<Scenario>, Vec<LeftOut>)> {
    let mut scenarios = scenario::all();
    match options.only.is_empty() {
        true => scenarios.retain(|scenario| options.full || scenario.quick),
        false => scenarios.retain(|scenario| options.only.iter().any(|only| scenario.name.starts_with(only.as_str()))),
    }
    if scenarios.is_empty() {
        let known: Vec<&str> = scenario::all().iter().map(|scenario| scenario.name).collect();
        bail!("no scenario begins with {}; choose from {}", options.only.join(" or "), known.join(", "));
    }
    // Last, so that its long pause is not between loads that are compared.
    scenarios.sort_by_key(|scenario| matches!(scenario.measure, Measure::IdleCpu { .. }));
    let mut impossible = Vec::new();
    scenarios.retain(|scenario| {
        let why = obstacle(scenario);
        let possible = why.is_none();
        impossible.extend(why.map(|why| LeftOut { name: scenario.name.into(), why }));
        possible
    });
    Ok((scenarios, impossible))
}

fn sizes(prepared: &Prepared) -> Result<std::collections::BTreeMap<String, u64>> {
    let size = |(name, path): (&String, &PathBuf)| {
        let file = fs::metadata(path).with_context(|| format!("cannot find {}", path.display()))?;
        Ok((name.clone(), file.len()))
    };
    prepared.files.iter().map(size).collect()
}

/// Returns why this machine cannot measure a scenario.
fn obstacle(scenario: &Scenario) -> Option<String> {
    let strace = || Command::new("strace").arg("--version").output().is_ok();
    let files = scenario.open_files();
    let possible = machine::open_file_limit().unwrap_or(u64::MAX);
    match scenario.measure {
        _ if files > possible => Some(format!("needs {files} open files, but the limit is {possible}")),
        Measure::Memory { .. } | Measure::Growth { .. } | Measure::IdleCpu { .. } if !cfg!(target_os = "linux") => {
            Some("needs /proc, which only Linux has".into())
        }
        Measure::SystemCalls { .. } if !strace() => Some("needs the program strace".into()),
        _ => None,
    }
}

fn left_out(prepared: &Prepared, peers: &[&Peer], impossible: Vec<LeftOut>) -> Vec<LeftOut> {
    let mut left_out = prepared.left_out.clone();
    left_out.extend(impossible);
    for peer in &prepared.peers {
        if !peers.iter().any(|chosen| chosen.name == peer.name) {
            left_out.push(LeftOut { name: peer.name.clone(), why: "not part of this run".into() });
        }
    }
    left_out
}

fn print(report: &Report) {
    println!("\n{}, {}{}", report.machine, report.date, if report.pinned { "" } else { ", NOT pinned to cores" });
    println!("median, half the spread, ratio to raw TCP\n\n{}", table(report));
    for (name, bytes) in &report.sizes {
        println!("size of {name}: {bytes} bytes");
    }
    for one in &report.left_out {
        println!("left out: {}: {}", one.name, one.why);
    }
    for note in &report.notes {
        println!("note: {note}");
    }
}

fn write(report: &Report, directory: &Path) -> Result<()> {
    fs::create_dir_all(directory)?;
    let json = serde_json::to_string_pretty(report)? + "\n";
    let mut files =
        vec![("benchmarks.md", document(report)), ("benchmarks.json", json), ("benchmarks.svg", plot(report))];
    files.extend(curves(report).map(|curves| ("growth.svg", curves)));
    for (name, content) in files {
        let path = directory.join(name);
        fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
