//! `adversary`: runs the scenarios one after the other and prints what was promised beside what was measured.

mod table;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, anyhow, bail};

use self::table::Table;
use crate::baseline_load::BaselineLoad;
use crate::context::{Context, Target};
use crate::scenario::{Finding, Run, Scenario};
use crate::{cores, faults, latencies, scenarios};

/// What to run, and how.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Run only this scenario; may be repeated
    #[arg(long, value_name = "NAME")]
    scenario: Vec<String>,
    /// Run everything at a tenth of its size or less, which takes two minutes
    #[arg(long)]
    quick: bool,
    /// Do not judge times, for a machine that does other work as well
    #[arg(long)]
    untimed: bool,
    /// Run the faults of networks, processes and storage instead of the attacks
    #[arg(long)]
    faults: bool,
    /// Measure the latency of the baseline load under each attack, then under all at once, instead
    #[arg(long, conflicts_with = "faults")]
    latency: bool,
    /// How long the floods of datagrams take that can take any time, such as 600 seconds
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<u64>,
    /// Run the baseline load of 200 clients beside each attack on a shared server, not only beside all at once
    #[arg(long)]
    baseline: bool,
    /// Write the table into this file, between its markers
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

/// The name of the scenario that runs all attacks at once.
const TOGETHER: &str = "together";

/// Runs the chosen scenarios. Returns an error if a promise is broken.
pub(crate) fn run(halloo: &Path, options: &Options) -> Result<()> {
    cores::divide();
    let context =
        Context { halloo: halloo.to_owned(), quick: options.quick, timed: !options.untimed, seconds: options.seconds };
    if options.latency {
        let mut table = Table::new("latency");
        for (attack, finding) in latencies::run(&context)? {
            table.add(&attack, latencies::PROMISED, Ok(finding));
        }
        if let Some(path) = &options.write {
            table.write(path)?;
        }
        return table.check();
    }
    let all: &[Scenario] = if options.faults { &faults::ALL } else { &scenarios::ALL };
    let chosen = |name: &str| options.scenario.is_empty() || options.scenario.iter().any(|one| one == name);
    let scenarios: Vec<&Scenario> = all.iter().filter(|scenario| chosen(scenario.name)).collect();
    let together = !options.faults && chosen(TOGETHER);
    if scenarios.is_empty() && !together {
        let mut names: Vec<&str> = all.iter().map(|scenario| scenario.name).collect();
        names.extend((!options.faults).then_some(TOGETHER));
        bail!("no scenario is called {}; choose from {}", options.scenario.join(" or "), names.join(", "));
    }
    let mut table = Table::new(if options.faults { "faults" } else { "adversary" });
    for scenario in scenarios {
        table.add(scenario.attack, scenario.promised, run_one(scenario, &context, options.baseline));
    }
    if together {
        let promised = "baseline load of 200 clients x 60 messages/s x 256 bytes: nothing lost, p99 at most 20 ms";
        table.add("all attacks on one server at once", promised, run_together(&context));
    }
    if let Some(path) = &options.write {
        table.write(path)?;
    }
    table.check()
}

fn run_one(scenario: &Scenario, context: &Context, baseline: bool) -> Result<Finding> {
    let attack = match scenario.run {
        Run::Own(run) => return run(context),
        Run::Shared(attack) => attack,
    };
    let mut server = context.server(&[])?;
    let load = if baseline { Some(BaselineLoad::start(&mut server)?) } else { None };
    if load.is_some() {
        // Until all buffers have the size that the load needs.
        std::thread::sleep(Duration::from_secs(2));
    } else {
        server.drain_output()?;
    }
    let target = Target::new(&server, context);
    // On a thread of its own, which gets a lower priority than the probe client that it starts.
    let outcome = std::thread::spawn(move || attack(&target)).join();
    let mut finding = outcome.map_err(|_| anyhow!("the attack panicked"))??;
    server.check_alive()?;
    if let Some(load) = load {
        let report = load.stop(&mut server)?;
        let _ = write!(finding.measured, "; {}", report.summary());
        finding.held &= report.held(context);
    }
    Ok(finding)
}

/// Runs all attacks on a shared server at once. The memory and latency bounds of single scenarios are not judged here,
/// only what happens to the baseline load.
fn run_together(context: &Context) -> Result<Finding> {
    let mut server = context.server(&[])?;
    let load = BaselineLoad::start(&mut server)?;
    let (target, before) = (Target::new(&server, context).beside_others(), server.usage()?);
    let watch = target.watch_memory();
    let attackers = scenarios::ALL.iter().filter_map(|scenario| match scenario.run {
        Run::Shared(attack) => Some((scenario.name, attack, target.clone())),
        Run::Own(_) => None,
    });
    let attackers = attackers.map(|(name, attack, target)| {
        let attacker = std::thread::spawn(move || {
            cores::lower_priority();
            attack(&target)
        });
        (name, attacker)
    });
    let attackers: Vec<_> = attackers.collect();
    let count = attackers.len();
    for (name, attacker) in attackers {
        if let Ok(Err(error)) = attacker.join() {
            eprintln!("{name}, beside the others: {error:#}");
        }
    }
    let growth = watch.stop().saturating_sub(before.memory_kib);
    server.check_alive()?;
    let report = load.stop(&mut server)?;
    let measured = format!("{count} attacks at once; {}; memory +{growth} KiB", report.summary());
    Ok(Finding { measured, held: report.held(context) })
}
