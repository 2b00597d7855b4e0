//! `soak`: hours of ordinary trouble. A hundred clients join, leave, break the protocol, stall and flood, while the memory,
//! the descriptors and the list of clients of the server are checked every few seconds.

mod client;
mod pages;

mod trend;
mod visitor;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use self::client::{Counters, SoakClient};
use self::trend::slope;
use crate::process::with_fixed_thresholds;
use crate::random::Random;
use crate::server::{Server, status};

/// What to run.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Duration in minutes
    #[arg(long, default_value_t = 30)]
    minutes: u64,
    /// Maximum number of clients
    #[arg(long, default_value_t = 100)]
    clients: usize,
    /// Seed of the random numbers; another seed makes another run
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Request published files in every way that a browser does instead
    #[arg(long)]
    pages: bool,
    /// Take 20 seconds
    #[arg(long, requires = "pages", conflicts_with = "minutes")]
    quick: bool,
}

/// The time of a short run.
const QUICK: Duration = Duration::from_secs(20);
/// How long clients cause trouble before they pause until the counts must agree.
const TROUBLE: Duration = Duration::from_secs(8);
/// When the counts must agree: a client that vanished is noticed after 15 s of silence; 1 s more for a busy machine.
const AGREEMENT_TIMEOUT: Duration = Duration::from_secs(16);
/// The part of the run that is left out of the trend, until every table and buffer has the size that the load needs.
const WARM_UP: f64 = 0.5;
/// The most that memory may grow, in KiB per minute: a leak of one byte per message would exceed it.
const MAX_SLOPE_KIB: f64 = 20.0;
/// The most that the number of the server's own descriptors may change.
const MAX_DESCRIPTOR_DRIFT: u64 = 2;

/// The state of the server at the end of a round.
struct Sample {
    minutes: f64,
    memory_kib: f64,
    /// Descriptors other than the sockets of connected clients.
    descriptors: u64,
}

/// Runs the soak, prints a line for each round, and a summary. Returns an error if a bound is exceeded.
pub(crate) fn run(halloo: &Path, options: &Options) -> Result<()> {
    let time = Duration::from_secs(options.minutes * 60);
    if options.pages {
        return pages::run(halloo, if options.quick { QUICK } else { time }, options.seed);
    }
    let mut server = Server::start_with(with_fixed_thresholds(halloo), &[])?;
    server.drain_output()?;
    let before = server.usage()?;
    let (calm, counters) = (Arc::new(AtomicBool::new(false)), Arc::new(Counters::default()));
    let clients: Vec<SoakClient> = (0..options.clients)
        .map(|number| SoakClient::start(server.port, Random::new(options.seed << 32 | number as u64), &calm, &counters))
        .collect();
    let start = Instant::now();
    let (mut samples, mut mismatches, mut rounds, mut most) = (Vec::new(), Vec::new(), 0, 0);
    let mut random = Random::new(options.seed);
    while start.elapsed() < time {
        calm.store(false, Ordering::SeqCst);
        let round = Instant::now();
        while round.elapsed() < TROUBLE {
            let size = [10, 100, 1000, 60_000][random.below(4) as usize];
            server.send_to_all(&vec![b'x'; size])?;
            most = most.max(server.usage()?.memory_kib);
            std::thread::sleep(Duration::from_millis(50));
        }
        calm.store(true, Ordering::SeqCst);
        if let Err(error) = wait_for_agreement(server.port, &clients) {
            mismatches.push(format!("round {rounds}: {error}"));
        }
        server.check_alive()?;
        rounds += 1;
        let (usage, connected) = (server.usage()?, connected(&clients).len());
        let minutes = start.elapsed().as_secs_f64() / 60.0;
        let descriptors = usage.descriptors.saturating_sub(connected as u64);
        samples.push(Sample { minutes, memory_kib: usage.memory_kib as f64, descriptors });
        println!(
            "{minutes:6.2} min: {:6} KiB, {:3} descriptors, {connected:3} clients, {} mismatches, {}",
            usage.memory_kib,
            usage.descriptors,
            mismatches.len(),
            counters.summary()
        );
        std::io::stdout().flush()?;
    }
    let settled: Vec<_> = samples.iter().filter(|sample| sample.minutes >= WARM_UP * options.minutes as f64).collect();
    let slope = slope(&settled.iter().map(|sample| (sample.minutes, sample.memory_kib)).collect::<Vec<_>>());
    // The minimum of each half: the socket of a client that is just closing is not a leak.
    let (first, last) = settled.split_at(settled.len() / 2);
    let least = |half: &[&Sample]| half.iter().map(|sample| sample.descriptors).min().unwrap_or(0);
    let drift = least(last).abs_diff(least(first));
    let cpu = server.usage()?.cpu.saturating_sub(before.cpu);
    println!(
        "{rounds} rounds in {} min: memory {slope:+.1} KiB/min after the warm-up (at most {MAX_SLOPE_KIB}), at most {most} \
         KiB; descriptors changed by {drift} (at most {MAX_DESCRIPTOR_DRIFT}); {} mismatches; {:.0} s of CPU time; {}",
        options.minutes,
        mismatches.len(),
        cpu.as_secs_f64(),
        counters.summary()
    );
    mismatches.iter().for_each(|mismatch| println!("MISMATCH {mismatch}"));
    if slope > MAX_SLOPE_KIB || drift > MAX_DESCRIPTOR_DRIFT || !mismatches.is_empty() {
        bail!("the soak exceeded a bound; see the summary above");
    }
    Ok(())
}

/// Returns the local addresses of the clients that are connected, as they see it.
fn connected(clients: &[SoakClient]) -> BTreeSet<String> {
    clients.iter().filter_map(SoakClient::address).map(|address| address.to_string()).collect()
}

/// Waits until the server lists exactly the clients that are connected.
fn wait_for_agreement(port: u16, clients: &[SoakClient]) -> Result<()> {
    let start = Instant::now();
    loop {
        let status = status(port)?;
        let list = status["halloo"]["clients"].as_array().context("the status has no list of clients")?;
        let listed: BTreeSet<String> =
            list.iter().filter_map(|client| Some(client["addr"].as_str()?.to_owned())).collect();
        let connected = connected(clients);
        if listed == connected && status["connected_clients"].as_u64() == Some(connected.len() as u64) {
            return Ok(());
        }
        if start.elapsed() > AGREEMENT_TIMEOUT {
            let (extra, missing) = (listed.difference(&connected).count(), connected.difference(&listed).count());
            bail!(
                "the server lists {} clients, {} are connected; {extra} too many, {missing} missing",
                listed.len(),
                connected.len()
            );
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}
