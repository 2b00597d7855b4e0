//! The run as a page: `docs/benchmarks.md`.

use super::curves;
use super::summary::Report;
use super::table::{figure, table};

/// The page; the plot is expected beside it.
pub(crate) fn document(report: &Report) -> String {
    let versions: Vec<String> = report.peers.iter().map(|(name, version)| format!("- **{name}**: {version}")).collect();
    let left_out: Vec<String> = report.left_out.iter().map(|one| format!("- {}: {}", one.name, one.why)).collect();
    let sizes: Vec<String> = report.sizes.iter().map(|(name, &bytes)| format!("- {name}: {}B", unit(bytes))).collect();
    let notes: Vec<String> = report.notes.iter().map(|note| format!("- {note}")).collect();
    let pinned =
        if report.pinned { "one core for the server, another for the generator" } else { "NOT pinned to cores" };
    format!(
        "# Benchmarks\n\n\
         Written by `cargo xtask bench --full`; the values of every round are in [benchmarks.json](benchmarks.json).\n\n\
         {date}, {machine}; {pinned}; {mode} run.\n\n\
         ![Rates in parts of raw TCP](benchmarks.svg)\n\n\
         ## How it was measured\n\n{METHOD}\n\
         ## Figures\n\n\
         Each cell is the median of all rounds, half the distance between the extremes in percent, and the ratio to \
         raw TCP. A difference within the spread is none.\n\n{table}\n\
         ## Growth\n\n{growth}\n\n\
         ## Sizes\n\n{sizes}\n\n\
         ## Who was measured\n\n{versions}\n\n\
         ## Left out\n\n{left_out}\n\n\
         ## Disturbances and failures\n\n{notes}\n",
        date = report.date,
        machine = report.machine,
        mode = report.mode,
        table = table(report),
        growth = if curves(report).is_some() { GROWTH } else { "Not measured in this run." },
        sizes = lines_or_nothing(&sizes),
        versions = lines_or_nothing(&versions),
        left_out = lines_or_nothing(&left_out),
        notes = lines_or_nothing(&notes),
    )
}

const METHOD: &str = "\
- Every server has one core, the load generator another. In each round every server has its turn, in changing order, so
  that a machine that changes its speed does so for all of them.
- The limit is **tcp**: one readiness loop that returns the same bytes without looking at them.
- **halloo** handles messages on the reactor thread; **halloo-events** takes events on a thread of its own and answers
  each by a call from there. Both run with the default limits, access rules and heartbeat, on loopback. Other servers
  run with their defaults, without compression.
- The generator frames everything before the clock starts and compares every answer byte by byte. A message that is
  lost, doubled, out of order, somebody else's or changed ends the run as a failure.
- \"Server's ns\" is processor time of the server process divided by messages. It tells how far a server is from its own
  limit even where the generator, which does as much in the kernel, is the bottleneck.
- Fan-out: one client sends, all get it, and a next message leaves when the last client has one of those on their way.
- Ingest: clients send without waiting; in the end the application is asked how many messages it has taken, and that
  must be all. Raw TCP counts bytes.
- Memory is the growth of the resident size from no client to all of them, each after its handshake.
- System calls are counted by `strace`, which slows a server and so makes its batches larger.
";

const GROWTH: &str = "\
![Figures by the number of clients](growth.svg)

From 10 to 10,000 clients: an echo of 64 bytes with one message in flight for each client; the p99 of a round trip beside
as many idle clients; memory for each; processor time while all of them are idle.";

fn unit(bytes: u64) -> String {
    let text = figure(bytes as f64);
    if text.ends_with(char::is_alphabetic) { text } else { text + " " }
}

fn lines_or_nothing(lines: &[String]) -> String {
    if lines.is_empty() { "None.".into() } else { lines.join("\n") }
}
