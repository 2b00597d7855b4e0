//! `soak --pages`: visitors that request published files in every way that a browser does, and exchange messages meanwhile.
//! They compare everything that they get. When all of them have left, the server must hold what it held before.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

use super::trend::slope;
use super::visitor::{Shared, Visitor};
use crate::process::with_fixed_thresholds;
use crate::random::Random;
use crate::server::Server;
use crate::site::Site;

const VISITORS: u64 = 24;
const LARGE_BYTES: u64 = 20 * 1024 * 1024;
/// How long visitors come before they leave, and the same for a short run.
const BUSY: Duration = Duration::from_secs(8);
const SHORTLY_BUSY: Duration = Duration::from_secs(2);
/// When all sockets of visitors that left must be closed.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(20);
/// The most that memory may grow in the second half, in KiB.
const MAX_GROWTH_KIB: f64 = 256.0;
/// The same for a short run, in which the heap is still growing to what so many visitors need: that takes a minute. A short
/// run therefore finds only leaks of more than some 150 bytes for each request.
const MAX_GROWTH_SHORTLY_KIB: f64 = 1024.0;

/// Runs for `time`, prints a line for each round, and a summary. Returns an error if anything is wrong.
pub(super) fn run(halloo: &Path, time: Duration, seed: u64) -> Result<()> {
    let site = Site::create(LARGE_BYTES)?;
    let mut server = Server::start_with(with_fixed_thresholds(halloo), &["--relay", "--www", site.path()?])?;
    server.drain_output()?;
    let shared = Shared::new(server.port, site.large);
    let visitors: Vec<Visitor> =
        (0..VISITORS).map(|number| Visitor::start(number, Random::new(seed << 32 | number), &shared)).collect();
    let (busy, max_growth) =
        if time > 10 * BUSY { (BUSY, MAX_GROWTH_KIB) } else { (SHORTLY_BUSY, MAX_GROWTH_SHORTLY_KIB) };
    let before = wait_until_left(&server, None)?;
    let (start, mut samples) = (Instant::now(), Vec::new());
    while start.elapsed() < time {
        shared.calm.store(false, Ordering::SeqCst);
        std::thread::sleep(busy);
        shared.calm.store(true, Ordering::SeqCst);
        let descriptors = wait_until_left(&server, Some(before))?;
        server.check_alive()?;
        shared.check()?;
        let (minutes, memory) = (start.elapsed().as_secs_f64() / 60.0, server.usage()?.memory_kib);
        samples.push((minutes, memory as f64));
        println!("{minutes:6.2} min: {memory:6} KiB, {descriptors:3} descriptors, {}", shared.summary());
    }
    shared.end.store(true, Ordering::SeqCst);
    visitors.into_iter().try_for_each(Visitor::join)?;
    let settled = samples.split_off(samples.len() / 2);
    let window = settled.last().map_or(0.0, |last| last.0 - settled[0].0);
    let growth = slope(&settled) * window;
    println!(
        "{:.1} min: memory {growth:+.0} KiB in the second half (at most {max_growth}), descriptors as before; {}",
        start.elapsed().as_secs_f64() / 60.0,
        shared.summary()
    );
    ensure!(shared.is_complete(), "a kind of request never happened; choose a longer time");
    ensure!(growth <= max_growth, "the memory grows; see the summary above");
    Ok(())
}

/// Waits until no visitor is connected. Returns the descriptors of the server, which must be `expected` if that is known.
fn wait_until_left(server: &Server, expected: Option<u64>) -> Result<u64> {
    let start = Instant::now();
    loop {
        // Visitors need a moment to leave, and the server to notice.
        std::thread::sleep(Duration::from_millis(500));
        let descriptors = server.usage()?.descriptors;
        if expected.is_none_or(|expected| expected == descriptors) {
            return Ok(descriptors);
        }
        if start.elapsed() > LEAVE_TIMEOUT {
            bail!("the server has {descriptors} descriptors without visitors, and had {expected:?} before");
        }
    }
}
