//! Runs the rows one after the other, and prints what was promised beside what was measured.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};

use crate::cores;
use crate::faults;
use crate::honest::{Honest, Report};
use crate::rows::{ALL, Finding, Ground, Row, Run, Stage};

/// What is run, and how.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Run only this scenario; repeatable
    #[arg(long, value_name = "NAME")]
    scenario: Vec<String>,
    /// Run at a tenth of the size or less: two minutes
    #[arg(long)]
    quick: bool,
    /// Judge no times: for tests on a busy machine
    #[arg(long)]
    untimed: bool,
    /// Run the faults instead of the attacks
    #[arg(long)]
    faults: bool,
    /// Add the baseline load of 200 clients to each attack on a shared server, not only to all of them at once
    #[arg(long)]
    baseline: bool,
    /// Write the table into this file, between its markers
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

/// The name of the row in which everything happens at once.
const TOGETHER: &str = "together";

/// The marks around a table in a file.
fn marks(faults: bool) -> [String; 2] {
    let what = if faults { "faults" } else { "adversary" };
    [format!("<!-- {what}: written by `cargo xtask adversary --write` -->\n"), format!("<!-- {what}: end -->\n")]
}

/// Runs what is asked for; an error when a promise is not kept.
pub(crate) fn run(halloo: &Path, options: &Options) -> Result<()> {
    cores::divide();
    let stage = Stage { halloo: halloo.to_owned(), quick: options.quick, timed: !options.untimed };
    let all: &[Row] = if options.faults { &faults::ALL } else { &ALL };
    let chosen = |name: &str| options.scenario.is_empty() || options.scenario.iter().any(|row| row == name);
    let rows: Vec<&Row> = all.iter().filter(|row| chosen(row.name)).collect();
    let together = !options.faults && chosen(TOGETHER);
    if rows.is_empty() && !together {
        let names: Vec<&str> = all.iter().map(|row| row.name).collect();
        bail!("no such row; there are {}{}", names.join(", "), if options.faults { "" } else { ", together" });
    }
    let mut table = Table::default();
    for row in rows {
        table.add(row.attack, row.promised, attack(row, &stage, options.baseline));
    }
    if together {
        let promised = "200 honest clients x 60 messages/s x 256 bytes: nothing lost, p99 at most 20 ms";
        table.add("all attacks on one server at once", promised, all_at_once(&stage));
    }
    if let Some(path) = &options.write {
        table.write(path, &marks(options.faults))?;
    }
    match table.broken {
        0 => Ok(()),
        broken => bail!("{broken} of {} promises are not kept", table.rows),
    }
}

fn attack(row: &Row, stage: &Stage, honest: bool) -> Result<Finding> {
    let attack = match row.run {
        Run::Alone(attack) => return attack(stage),
        Run::Beside(attack) => attack,
    };
    let mut server = stage.server(&[])?;
    let honest = if honest { Some(Honest::start(&mut server)?) } else { None };
    if honest.is_some() {
        // Until all buffers have the size that the load needs.
        std::thread::sleep(Duration::from_secs(2));
    } else {
        server.drain_output()?;
    }
    let ground = Ground::new(&server, stage);
    // On a thread of its own, which comes after the neighbour that it starts.
    let outcome = std::thread::spawn(move || attack(&ground)).join();
    let mut finding = outcome.map_err(|_| anyhow!("the attack panicked"))??;
    server.check_alive()?;
    if let Some(honest) = honest {
        let report = honest.end(&mut server)?;
        let _ = write!(finding.measured, "; {}", told(&report));
        finding.held &= report.held(stage);
    }
    Ok(finding)
}

/// What each attack by itself promises of memory and latency is left aside here: the honest clients are the measure.
fn all_at_once(stage: &Stage) -> Result<Finding> {
    let mut server = stage.server(&[])?;
    let honest = Honest::start(&mut server)?;
    let (ground, before) = (Ground::new(&server, stage), server.vitals()?);
    let watch = ground.watch();
    let attackers = ALL.iter().filter_map(|row| match row.run {
        Run::Beside(attack) => Some((row.name, attack, ground.clone())),
        Run::Alone(_) => None,
    });
    let attackers = attackers.map(|(name, attack, ground)| {
        let attacker = std::thread::spawn(move || {
            cores::come_after_others();
            attack(&ground)
        });
        (name, attacker)
    });
    let attackers: Vec<_> = attackers.collect();
    let count = attackers.len();
    for (name, attacker) in attackers {
        // Their counts of clients are each other's, so only what breaks the adversary itself is told.
        if let Ok(Err(error)) = attacker.join() {
            eprintln!("{name}, among the others: {error:#}");
        }
    }
    let growth = watch.end().saturating_sub(before.memory_kib);
    server.check_alive()?;
    let report = honest.end(&mut server)?;
    let measured = format!("{count} attacks at once; {}; memory +{growth} KiB", told(&report));
    Ok(Finding { measured, held: report.held(stage) })
}

fn told(report: &Report) -> String {
    format!("honest: {} sent, {} lost, p99 {:.1} ms", report.sent, report.lost, report.p99.as_secs_f64() * 1000.0)
}

#[derive(Default)]
struct Table {
    text: String,
    rows: usize,
    broken: usize,
}

impl Table {
    fn add(&mut self, attack: &str, promised: &str, outcome: Result<Finding>) {
        let finding = outcome.unwrap_or_else(|error| Finding { measured: format!("FAILED: {error:#}"), held: false });
        let held = if finding.held { "yes" } else { "**no**" };
        self.rows += 1;
        self.broken += usize::from(!finding.held);
        let line = format!("| {attack} | {promised} | {} | {held} |", finding.measured.replace('|', "\\|"));
        println!("{line}");
        self.text += &line;
        self.text.push('\n');
    }

    fn write(&self, path: &Path, [begin_mark, end_mark]: &[String; 2]) -> Result<()> {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let marks = text.find(begin_mark).zip(text.find(end_mark));
        let (begin, end) = marks.context("the file has no place for the table of the adversary")?;
        let head = "| attack | promised | measured | held |\n|---|---|---|---|\n";
        let text = [&text[..begin + begin_mark.len()], "\n", head, &self.text, "\n", &text[end..]].concat();
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }
}
