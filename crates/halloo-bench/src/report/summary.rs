//! The figures as they are written to `docs/benchmarks.json`.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::peer::LeftOut;
use crate::runner::Outcome;

/// The peer that is the upper bound: all others are compared with it.
pub(crate) const RAW_TCP: &str = "tcp";
/// The server of this project.
pub(crate) const HALLOO: &str = "halloo";

/// A whole run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) date: String,
    pub(crate) machine: String,
    pub(crate) mode: &'static str,
    pub(crate) pinned: bool,
    /// Peers in the order of the columns, with their versions.
    pub(crate) peers: Vec<(String, String)>,
    pub(crate) rows: Vec<Row>,
    /// File sizes in bytes, by what the files are.
    pub(crate) sizes: BTreeMap<String, u64>,
    pub(crate) left_out: Vec<LeftOut>,
    /// Errors and disturbances, each with its scenario.
    pub(crate) notes: Vec<String>,
}

/// A figure of a scenario.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) scenario: String,
    pub(crate) title: String,
    pub(crate) metric: String,
    pub(crate) more_is_better: bool,
    pub(crate) peers: BTreeMap<String, Summary>,
}

/// The values of a peer.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    /// In the order of the rounds.
    pub(crate) values: Vec<f64>,
}

impl Row {
    /// Returns the ratio of the medians of two peers.
    pub(crate) fn ratio(&self, peer: &str, to: &str) -> Option<f64> {
        let base = self.peers.get(to)?.median;
        (base != 0.0).then_some(self.peers.get(peer)?.median / base)
    }

    /// Returns whether the figure is a point on a growth curve.
    pub(crate) fn is_growth(&self) -> bool {
        self.scenario.starts_with("growth-")
    }
}

impl Summary {
    pub(crate) fn new(values: Vec<f64>) -> Summary {
        let mut sorted = values.clone();
        sorted.sort_by(f64::total_cmp);
        let count = sorted.len();
        let median = (sorted[(count - 1) / 2] + sorted[count / 2]) / 2.0;
        Summary { median, min: sorted[0], max: sorted[count - 1], values }
    }

    /// Returns half the distance between the extremes, relative to the median.
    pub(crate) fn spread(&self) -> f64 {
        if self.median == 0.0 { 0.0 } else { (self.max - self.min) / 2.0 / self.median.abs() }
    }
}

impl Report {
    /// Adds the results of a scenario.
    pub(crate) fn add(&mut self, outcome: Outcome) {
        let Outcome { scenario, metrics, failures, notes, .. } = outcome;
        for (metric, peers) in metrics {
            self.rows.push(Row {
                scenario: scenario.name.into(),
                title: scenario.title.into(),
                metric: metric.name.into(),
                more_is_better: metric.more_is_better,
                peers: peers.into_iter().map(|(peer, values)| (peer, Summary::new(values))).collect(),
            });
        }
        self.notes.extend(notes.into_iter().map(|note| format!("{}: {note}", scenario.name)));
        self.notes.extend(failures.into_iter().map(|(peer, why)| format!("{}: {peer} failed: {why}", scenario.name)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_has_median_extremes_and_spread() {
        let odd = Summary::new(vec![3.0, 1.0, 2.0]);
        assert_eq!((odd.median, odd.min, odd.max, odd.spread()), (2.0, 1.0, 3.0, 0.5));
        assert_eq!(odd.values, [3.0, 1.0, 2.0]);
        assert_eq!(Summary::new(vec![1.0, 2.0]).median, 1.5);
    }
}
