//! The report as a document: `docs/benchmarks.md`.

use super::curves;
use super::summary::Report;
use super::table::{figure, table};

/// Returns the document. It refers to the drawings in the same directory.
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
         ![Rates relative to raw TCP](benchmarks.svg)\n\n\
         ## How it was measured\n\n{METHOD}\n\
         ## Figures\n\n\
         Each cell contains the median of all rounds, half the distance between the extremes in percent, and the ratio \
         to raw TCP. A difference within the spread is not significant.\n\n{table}\n\
         ## Growth\n\n{growth}\n\n\
         ## Sizes\n\n{sizes}\n\n\
         ## Servers\n\n{versions}\n\n\
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
- The server runs on one core, the load generator on another. Each round runs every server once, in changing order, so that
  a change in the speed of the machine affects all of them.
- The upper bound is **tcp**: one readiness loop that returns the same bytes without looking at them.
- **halloo** handles messages on the reactor thread; **halloo-events** receives events on a thread of its own and sends each
  reply from there. Both run on loopback with the default limits, access rules and heartbeat. Other servers run with their
  defaults, without compression.
- The generator builds all frames before the clock starts and compares every reply byte by byte. A message that is lost,
  duplicated, out of order, changed or meant for another client fails the run.
- \"Server's ns\" is the CPU time of the server process divided by the number of messages. It shows the cost of a message
  even if the generator, which does as much work in the kernel, is the bottleneck.
- Fan-out: one client sends, all clients receive, and the next message is sent when all of them have received one of those
  in flight.
- Ingest: clients send without waiting; in the end, the application must report that it has received all messages. Raw TCP
  counts bytes.
- Memory is the growth of the resident size from no client to all clients, divided by their number, after their handshakes.
- Over TLS, every server has the same certificate, and uses TLS 1.3 with AES-128-GCM, because the generator offers nothing
  else. The servers without TLS, including raw TCP, have no figures there.
- System calls are counted with `strace`, which slows a server down and so makes its batches larger.
";

const GROWTH: &str = "\
![Figures by the number of clients](growth.svg)

From 10 to 10,000 clients: an echo of 64 bytes with one message in flight per client; the p99 of a round trip beside as
many idle clients; memory per client; CPU time while all clients are idle.";

fn unit(bytes: u64) -> String {
    let text = figure(bytes as f64);
    if text.ends_with(char::is_alphabetic) { text } else { text + " " }
}

fn lines_or_nothing(lines: &[String]) -> String {
    if lines.is_empty() { "None.".into() } else { lines.join("\n") }
}
