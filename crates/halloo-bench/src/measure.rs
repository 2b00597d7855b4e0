//! Runs a scenario against a server and computes its figures.

use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::load::echo::{Echo, echo};
use crate::load::fanout::{FanOut, fan_out};
use crate::load::handshakes::handshakes;
use crate::load::ingest::{Ingest, ingest};
use crate::load::roundtrip::{Beside, round_trips};
use crate::load::{Usage, idle};
use crate::machine;
use crate::peer::Running;
use crate::scenario::{Measure, Pace, Scenario};
use crate::strace::calls_per_message;

/// Bytes of payload, unless the scenario sets another size.
const SIZE: usize = 64;
/// If a process uses less than this share of its core, other processes have used the rest.
const BUSY: f64 = 0.85;

/// The meaning of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Metric {
    pub(crate) name: &'static str,
    pub(crate) more_is_better: bool,
}

const fn more(name: &'static str) -> Metric {
    Metric { name, more_is_better: true }
}

const fn less(name: &'static str) -> Metric {
    Metric { name, more_is_better: false }
}

/// The figures of a run.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) figures: Vec<(Metric, f64)>,
    /// Whether neither the server nor the generator had its core to itself.
    pub(crate) disturbed: bool,
}

impl Scenario {
    /// Returns whether every run needs a new server process.
    pub(crate) fn needs_fresh_server(&self) -> bool {
        matches!(self.measure, Measure::Memory { .. } | Measure::Growth { .. } | Measure::Start)
    }
}

/// Runs `scenario` once against a server in its role.
pub(crate) fn measure(scenario: &Scenario, server: &Running, pace: &Pace) -> Result<Figures> {
    let target = &server.target;
    let (warm_up, time) = (pace.warm_up, pace.time);
    match scenario.measure {
        Measure::Echo { clients, size, in_flight } => {
            let usage = echo(target, &Echo { clients, size, in_flight, warm_up, time })?;
            Ok(rate(&usage, more("messages/s"), less("server's ns/message")))
        }
        Measure::FanOut { clients, in_flight } => {
            let (usage, latencies) = fan_out(target, &FanOut { clients, size: SIZE, in_flight, warm_up, time })?;
            let mut figures = rate(&usage, more("deliveries/s"), less("server's ns/delivery"));
            figures.figures.extend(percentiles(
                latencies,
                &[(less("p50 to the last, us"), 0.5), (less("p99 to the last, us"), 0.99)],
            )?);
            Ok(figures)
        }
        Measure::Ingest { clients } => {
            let usage = ingest(target, &Ingest { clients, size: SIZE, time })?;
            Ok(rate(&usage, more("messages/s taken"), less("server's ns/message")))
        }
        Measure::Handshakes => {
            let usage = handshakes(target, time)?;
            Ok(rate(&usage, more("handshakes/s"), less("server's ns/handshake")))
        }
        Measure::RoundTrip { others, beside } => {
            let ranks = [(less("p50, us"), 0.5), (less("p99, us"), 0.99), (less("p99.9, us"), 0.999)];
            let figures = percentiles(round_trips(target, others, beside, time)?, &ranks)?;
            Ok(Figures { figures, disturbed: false })
        }
        Measure::Memory { clients } => single(less("bytes/client"), idle::memory(target, clients)?),
        Measure::IdleCpu { clients } => {
            let time = if scenario.growth { pace.idle_time_of_growth } else { pace.idle_time };
            single(less("% of a core"), idle::cpu_percent(target, clients, time)?)
        }
        Measure::Growth { clients } => {
            let bytes = idle::memory(target, clients)?;
            let times = round_trips(target, clients, Beside::Idle, time)?;
            let usage = echo(target, &Echo { clients, size: SIZE, in_flight: 1, warm_up, time })?;
            let mut figures = rate(&usage, more("messages/s"), less("server's ns/message"));
            figures.figures.extend(percentiles(times, &[(less("p99, us"), 0.99)])?);
            figures.figures.push((less("bytes/client"), bytes));
            Ok(figures)
        }
        Measure::Start => {
            let resident = machine::resident(server.target.pid.unwrap_or_default());
            let mut figures = vec![(less("ms to accepting"), 1000.0 * server.started_in.as_secs_f64())];
            figures.extend(resident.map(|bytes| (less("MiB with no client"), bytes as f64 / f64::from(1 << 20))));
            Ok(Figures { figures, disturbed: false })
        }
        Measure::SystemCalls { clients, in_flight } => {
            let fans_out = scenario.role == "fanout";
            let load = |time| -> Result<u64> {
                let warm_up = Duration::ZERO;
                let usage = match fans_out {
                    true => fan_out(target, &FanOut { clients, in_flight, size: SIZE, warm_up, time })?.0,
                    false => echo(target, &Echo { clients, in_flight, size: SIZE, warm_up, time })?,
                };
                Ok(usage.total)
            };
            let name = if fans_out { "calls/delivery" } else { "calls/message" };
            single(less(name), calls_per_message(server, time, load)?)
        }
    }
}

fn single(metric: Metric, value: f64) -> Result<Figures> {
    Ok(Figures { figures: vec![(metric, value)], disturbed: false })
}

fn rate(usage: &Usage, rate: Metric, cost: Metric) -> Figures {
    let mut figures = vec![(rate, usage.rate())];
    figures.extend(usage.server_nanos().map(|nanos| (cost, nanos)));
    let share = |time: Option<Duration>| time.map(|time| time.as_secs_f64() / usage.elapsed.as_secs_f64());
    let shares = [share(usage.server), share(usage.own)];
    let disturbed = shares.iter().all(Option::is_some) && shares.into_iter().flatten().all(|share| share < BUSY);
    Figures { figures, disturbed }
}

fn percentiles(mut times: Vec<Duration>, ranks: &[(Metric, f64)]) -> Result<Vec<(Metric, f64)>> {
    times.sort_unstable();
    let last = times.len().checked_sub(1).context("no message arrived in the measured time")?;
    let at = |rank: f64| times[((last as f64) * rank).round() as usize];
    Ok(ranks.iter().map(|&(metric, rank)| (metric, 1e6 * at(rank).as_secs_f64())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_taken_from_sorted_times() {
        let times = (1..=101).rev().map(Duration::from_micros).collect();
        let found = percentiles(times, &[(less("p50"), 0.5), (less("p99"), 0.99)]).unwrap();
        assert!((found[0].1 - 51.0).abs() < 1e-6 && (found[1].1 - 100.0).abs() < 1e-6);
        assert!(percentiles(Vec::new(), &[]).is_err());
    }
}
