//! A hundred thousand short connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use crate::context::Target;
use crate::peer::Peer;
use crate::scenario::{Finding, Run, Scenario};

pub(super) const CONNECTS: Scenario = Scenario {
    name: "connect-flood",
    attack: "100,000 connects at 500/s or more, half of them with a complete handshake, closed with a reset",
    promised: "descriptors +-5; memory at most +5 MiB",
    run: Run::Shared(run),
};

/// Threads that connect at the same time.
const THREADS: usize = 4;

fn run(target: &Target) -> Result<Finding> {
    let (total, port) = (target.size(100_000, 4000), target.port);
    let (before, begin) = (target.usage()?, Instant::now());
    let failed = Arc::new(AtomicUsize::new(0));
    let attackers = (0..THREADS).map(|_| {
        let failed = Arc::clone(&failed);
        std::thread::spawn(move || {
            for number in 0..total / THREADS {
                let outcome = if number % 2 == 0 { Peer::join(port) } else { Peer::open(port).map_err(Into::into) };
                failed.fetch_add(usize::from(outcome.is_err()), Ordering::Relaxed);
            }
        })
    });
    for attacker in attackers.collect::<Vec<_>>() {
        attacker.join().map_err(|_| anyhow!("an attacker panicked"))?;
    }
    let rate = total as f64 / begin.elapsed().as_secs_f64();
    // Until the server has handled the last resets.
    std::thread::sleep(Duration::from_millis(500));
    let after = target.usage()?;
    let (descriptors, growth) =
        (after.descriptors as i64 - before.descriptors as i64, after.memory_kib as i64 - before.memory_kib as i64);
    let failed = failed.load(Ordering::Relaxed);
    let held = descriptors.abs() <= 5 && growth <= 5 * 1024 && failed == 0 && (rate >= 500.0 || !target.timed);
    let measured =
        format!("{total} at {rate:.0}/s, {failed} failed; descriptors {descriptors:+}; memory {growth:+} KiB");
    Ok(Finding { measured, held })
}
