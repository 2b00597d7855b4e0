//! Hours of ordinary trouble: a hundred clients that come, go, break, stall and flood, and a server whose memory,
//! descriptors and counts are compared with the truth every few seconds.

mod actor;
mod slope;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::random::Random;
use crate::server::{Server, status};
use actor::{Actor, Tally};

/// How the run goes.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// How long
    #[arg(long, default_value_t = 30)]
    minutes: u64,
    /// How many clients there are at most
    #[arg(long, default_value_t = 100)]
    clients: usize,
    /// Makes another run
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Trouble, and then quiet until the counts must agree.
const TROUBLE: Duration = Duration::from_secs(8);
/// A client that vanished is noticed after 15 s of silence; 1 s more for a loaded machine.
const QUIET: Duration = Duration::from_secs(16);
/// The part of the run before the slope is taken: until every table and buffer has the size that the trouble needs.
const WARM_UP: f64 = 0.5;
/// Memory may drift so much in a minute: a leak of one byte for each of the messages would show.
const SLOPE_KIB: f64 = 20.0;
/// Descriptors may be others at the end by as many.
const DESCRIPTORS: u64 = 2;

/// Runs, prints a line for each round and the judgement at the end.
pub(crate) fn run(halloo: &Path, options: &Options) -> Result<()> {
    let mut command = Command::new(halloo);
    // The allocator of glibc raises this bound with every large block that is freed, keeps what is below it, and so takes
    // half an hour to its high-water mark. Fixed, it gives large blocks back at once, and what grows is a leak.
    command.env("MALLOC_MMAP_THRESHOLD_", "65536").env("MALLOC_TRIM_THRESHOLD_", "65536");
    let mut server = Server::start_by(command, &[])?;
    server.drain_output()?;
    let before = server.vitals()?;
    let (calm, tally) = (Arc::new(AtomicBool::new(false)), Arc::new(Tally::default()));
    let actors: Vec<Actor> = (0..options.clients)
        .map(|number| Actor::start(server.port, Random::new(options.seed << 32 | number as u64), &calm, &tally))
        .collect();
    let (begin, span) = (Instant::now(), Duration::from_secs(options.minutes * 60));
    let (mut samples, mut mismatches, mut rounds, mut most) = (Vec::new(), Vec::new(), 0, 0);
    let mut random = Random::new(options.seed);
    while begin.elapsed() < span {
        calm.store(false, Ordering::SeqCst);
        let round = Instant::now();
        while round.elapsed() < TROUBLE {
            let size = [10, 100, 1000, 60_000][random.below(4) as usize];
            server.send_to_all(&vec![b'x'; size])?;
            most = most.max(server.vitals()?.memory_kib);
            std::thread::sleep(Duration::from_millis(50));
        }
        calm.store(true, Ordering::SeqCst);
        if let Err(error) = agree(server.port, &actors) {
            mismatches.push(format!("round {rounds}: {error}"));
        }
        server.check_alive()?;
        rounds += 1;
        let (vitals, members) = (server.vitals()?, truth(&actors).len());
        let minutes = begin.elapsed().as_secs_f64() / 60.0;
        // Each client that stays has a socket; what is above that is the server's own.
        let own = vitals.descriptors.saturating_sub(members as u64);
        samples.push((minutes, vitals.memory_kib as f64, own));
        println!(
            "{minutes:6.2} min: {:6} KiB, {:3} descriptors, {members:3} clients, {} mismatches, {}",
            vitals.memory_kib,
            vitals.descriptors,
            mismatches.len(),
            tally.line()
        );
        std::io::stdout().flush()?;
    }
    let settled: Vec<_> = samples.iter().filter(|sample| sample.0 >= WARM_UP * options.minutes as f64).collect();
    let slope = slope::slope(&settled.iter().map(|sample| (sample.0, sample.1)).collect::<Vec<_>>());
    // The least of each half, for a socket that says goodbye at the moment is no leak.
    let (first, last) = settled.split_at(settled.len() / 2);
    let least = |half: &[&(f64, f64, u64)]| half.iter().map(|sample| sample.2).min().unwrap_or(0);
    let drift = least(last).abs_diff(least(first));
    let cpu = server.vitals()?.cpu.saturating_sub(before.cpu);
    println!(
        "{rounds} rounds in {} min: memory {slope:+.1} KiB/min after warm-up (at most {SLOPE_KIB}), at most {most} KiB; \
         descriptors drifted by {drift} (at most {DESCRIPTORS}); {} mismatches; {:.0} s of processor time; {}",
        options.minutes,
        mismatches.len(),
        cpu.as_secs_f64(),
        tally.line()
    );
    mismatches.iter().for_each(|mismatch| println!("MISMATCH {mismatch}"));
    if slope > SLOPE_KIB || drift > DESCRIPTORS || !mismatches.is_empty() {
        bail!("the soak found a violation");
    }
    Ok(())
}

/// The addresses of those who are connected, as they see it themselves.
fn truth(actors: &[Actor]) -> BTreeSet<String> {
    actors.iter().filter_map(Actor::address).map(|address| address.to_string()).collect()
}

/// Waits until the server counts exactly those who are connected, which it must in time and for good.
fn agree(port: u16, actors: &[Actor]) -> Result<()> {
    let begin = Instant::now();
    loop {
        let status = status(port)?;
        let clients = status["halloo"]["clients"].as_array().context("no list of clients")?;
        let counted: BTreeSet<String> =
            clients.iter().filter_map(|client| Some(client["addr"].as_str()?.to_owned())).collect();
        let true_ones = truth(actors);
        if counted == true_ones && status["connected_clients"].as_u64() == Some(true_ones.len() as u64) {
            return Ok(());
        }
        if begin.elapsed() > QUIET {
            let (more, less) = (counted.difference(&true_ones).count(), true_ones.difference(&counted).count());
            bail!("{} counted, {} connected; {more} are not there, {less} are missing", counted.len(), true_ones.len());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}
