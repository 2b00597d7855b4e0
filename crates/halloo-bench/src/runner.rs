//! Every server in turn, again and again, so that a machine that changes its speed does so for all.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::machine;
use crate::measure::{Figures, Metric, measure};
use crate::peer::{Peer, Running};
use crate::scenario::{Measure, Pace, Scenario};

/// A run that takes longer was the peer's last in its scenario, or a few slow servers would keep all others waiting.
const SLOW: Duration = Duration::from_secs(8);

/// All that was found out about one scenario.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) scenario: Scenario,
    /// Values by metric and peer, one for each round; metrics in the order in which they were found.
    pub(crate) metrics: Vec<(Metric, BTreeMap<String, Vec<f64>>)>,
    /// What went wrong, by peer.
    pub(crate) failures: BTreeMap<String, String>,
    pub(crate) notes: Vec<String>,
    pub(crate) took: Duration,
}

/// A peer that still takes part in the scenario.
struct Contestant<'a> {
    peer: &'a Peer,
    /// Running all the time, unless every run needs a new process.
    server: Option<Running>,
}

impl Outcome {
    fn add(&mut self, peer: &Peer, figures: Figures) {
        for (metric, value) in figures.figures {
            let at = self.metrics.iter().position(|(known, _)| *known == metric);
            let at = at.unwrap_or_else(|| {
                self.metrics.push((metric, BTreeMap::new()));
                self.metrics.len() - 1
            });
            self.metrics[at].1.entry(peer.name.clone()).or_default().push(value);
        }
    }

    fn fail(&mut self, peer: &Peer, error: &anyhow::Error) {
        self.failures.insert(peer.name.clone(), format!("{error:#}"));
    }
}

/// Runs one scenario with all peers.
pub(crate) fn run(scenario: &Scenario, peers: &[&Peer], pace: &Pace) -> Outcome {
    let start = Instant::now();
    let (metrics, failures, notes) = Default::default();
    let mut outcome = Outcome { scenario: scenario.clone(), metrics, failures, notes, took: Duration::ZERO };
    if let Some(busy) = machine::wait_until_quiet(pace.patience) {
        outcome.notes.push(format!("the machine was not quiet: {:.0} % of it were busy before", 100.0 * busy));
    }
    let mut contestants = Vec::new();
    for &peer in peers {
        let server = if scenario.needs_fresh_server() { Ok(None) } else { start_server(peer, scenario.role).map(Some) };
        match server {
            Ok(server) => contestants.push(Contestant { peer, server }),
            Err(error) => outcome.fail(peer, &error),
        }
    }
    match scenario.measure {
        // Ten thousand clients of each at the same time would be more open files than most systems let a program have.
        Measure::Processor { .. } if scenario.growth => in_turn(scenario, contestants, 1, pace, &mut outcome),
        Measure::Processor { .. } => all_at_once(scenario, &contestants, pace, &mut outcome),
        _ => in_turn(scenario, contestants, pace.rounds, pace, &mut outcome),
    }
    outcome.took = start.elapsed();
    outcome
}

fn in_turn(
    scenario: &Scenario,
    mut contestants: Vec<Contestant<'_>>,
    rounds: usize,
    pace: &Pace,
    outcome: &mut Outcome,
) {
    let (mut runs, mut disturbed) = (0, 0);
    for _ in 0..rounds {
        contestants.retain_mut(|contestant| {
            let start = Instant::now();
            let figures = match run_once(scenario, contestant, pace) {
                Ok(figures) => figures,
                Err(error) => {
                    outcome.fail(contestant.peer, &error);
                    return false;
                }
            };
            runs += 1;
            disturbed += usize::from(figures.disturbed);
            outcome.add(contestant.peer, figures);
            let took = start.elapsed();
            if took > SLOW {
                let name = &contestant.peer.name;
                outcome.notes.push(format!("{name} had no more rounds after one of {:.0} s", took.as_secs_f64()));
            }
            took <= SLOW
        });
        // Not always the same neighbour before it.
        if !contestants.is_empty() {
            contestants.rotate_left(1);
        }
    }
    if disturbed > 0 {
        outcome.notes.push(format!(
            "{disturbed} of {runs} runs were disturbed: neither the server nor the generator had its core for itself"
        ));
    }
}

fn run_once(scenario: &Scenario, contestant: &Contestant<'_>, pace: &Pace) -> Result<Figures> {
    match &contestant.server {
        Some(server) => measure(scenario, server, pace),
        None => measure(scenario, &start_server(contestant.peer, scenario.role)?, pace),
    }
}

/// Servers that do nothing do not disturb each other.
fn all_at_once(scenario: &Scenario, contestants: &[Contestant<'_>], pace: &Pace, outcome: &mut Outcome) {
    let outcome = Mutex::new(outcome);
    std::thread::scope(|scope| {
        for contestant in contestants {
            scope.spawn(|| {
                let figures = run_once(scenario, contestant, pace);
                let mut outcome = outcome.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                match figures {
                    Ok(figures) => outcome.add(contestant.peer, figures),
                    Err(error) => outcome.fail(contestant.peer, &error),
                }
            });
        }
    });
}

/// Starts a server on the first core; this thread stays on the last.
fn start_server(peer: &Peer, role: &str) -> Result<Running> {
    machine::pin(0);
    let server = peer.start(role);
    machine::pin(machine::cores().saturating_sub(1));
    server
}
