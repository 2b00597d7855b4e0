//! Runs every peer in turn, in several rounds, so that a change in the speed of the machine affects all of them.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::machine;
use crate::measure::{Figures, Metric, measure};
use crate::peer::{Peer, Running};
use crate::scenario::{Measure, Pace, Scenario};

/// A peer whose run takes longer gets no more rounds in the scenario, so that a few slow servers do not delay the rest.
const SLOW: Duration = Duration::from_secs(8);

/// The results of a scenario.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) scenario: Scenario,
    /// Values by metric and peer, one for each round; metrics in the order of the first run.
    pub(crate) metrics: Vec<(Metric, BTreeMap<String, Vec<f64>>)>,
    /// Errors by peer.
    pub(crate) failures: BTreeMap<String, String>,
    pub(crate) notes: Vec<String>,
    pub(crate) took: Duration,
}

/// A peer that takes part in a scenario.
struct Participant<'a> {
    peer: &'a Peer,
    /// The running server, unless every run needs a new process.
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
    if let Some(busy) = machine::wait_until_idle(pace.idle_timeout) {
        outcome.notes.push(format!("other processes used {:.0} % of the machine before", 100.0 * busy));
    }
    let mut participants = Vec::new();
    for &peer in peers {
        let server = if scenario.needs_fresh_server() { Ok(None) } else { start_server(peer, scenario).map(Some) };
        match server {
            Ok(server) => participants.push(Participant { peer, server }),
            Err(error) => outcome.fail(peer, &error),
        }
    }
    match scenario.measure {
        // Ten thousand clients of each peer at the same time would exceed the limit on open files of most systems.
        Measure::IdleCpu { .. } if scenario.growth => in_turn(scenario, participants, 1, pace, &mut outcome),
        Measure::IdleCpu { .. } => all_at_once(scenario, &participants, pace, &mut outcome),
        _ => in_turn(scenario, participants, pace.rounds, pace, &mut outcome),
    }
    outcome.took = start.elapsed();
    outcome
}

fn in_turn(
    scenario: &Scenario,
    mut participants: Vec<Participant<'_>>,
    rounds: usize,
    pace: &Pace,
    outcome: &mut Outcome,
) {
    let (mut runs, mut disturbed) = (0, 0);
    for _ in 0..rounds {
        participants.retain_mut(|participant| {
            let start = Instant::now();
            let figures = match run_once(scenario, participant, pace) {
                Ok(figures) => figures,
                Err(error) => {
                    outcome.fail(participant.peer, &error);
                    return false;
                }
            };
            runs += 1;
            disturbed += usize::from(figures.disturbed);
            outcome.add(participant.peer, figures);
            let took = start.elapsed();
            if took > SLOW {
                let name = &participant.peer.name;
                outcome
                    .notes
                    .push(format!("{name} got no more rounds after one that took {:.0} s", took.as_secs_f64()));
            }
            took <= SLOW
        });
        // So that a peer does not always follow the same one.
        if !participants.is_empty() {
            participants.rotate_left(1);
        }
    }
    if disturbed > 0 {
        outcome.notes.push(format!(
            "{disturbed} of {runs} runs were disturbed: neither the server nor the generator had its core to itself"
        ));
    }
}

fn run_once(scenario: &Scenario, participant: &Participant<'_>, pace: &Pace) -> Result<Figures> {
    match &participant.server {
        Some(server) => measure(scenario, server, pace),
        None => measure(scenario, &start_server(participant.peer, scenario)?, pace),
    }
}

/// Measures all servers at the same time: idle servers do not disturb each other.
fn all_at_once(scenario: &Scenario, participants: &[Participant<'_>], pace: &Pace, outcome: &mut Outcome) {
    let outcome = Mutex::new(outcome);
    std::thread::scope(|scope| {
        for participant in participants {
            scope.spawn(|| {
                let figures = run_once(scenario, participant, pace);
                let mut outcome = outcome.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                match figures {
                    Ok(figures) => outcome.add(participant.peer, figures),
                    Err(error) => outcome.fail(participant.peer, &error),
                }
            });
        }
    });
}

/// Starts a server on the first core. This thread stays on the last one.
fn start_server(peer: &Peer, scenario: &Scenario) -> Result<Running> {
    machine::pin(0);
    let server = peer.start(scenario.role, scenario.secure);
    machine::pin(machine::cores().saturating_sub(1));
    server
}
