//! Coming and going, a hundred thousand times.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use crate::context::{Finding, Ground, Row, Run};
use crate::peer::Peer;

pub(super) const CONNECTS: Row = Row {
    name: "connects",
    attack: "100,000 connects at 500/s and up, half of them to the end of the handshake, closed by reset",
    promised: "descriptors +-5, memory +5 MiB at most",
    run: Run::Beside(run),
};

const AT_ONCE: usize = 4;

fn run(ground: &Ground) -> Result<Finding> {
    let (total, port) = (ground.size(100_000, 4000), ground.port);
    let (before, begin) = (ground.vitals()?, Instant::now());
    let failed = Arc::new(AtomicUsize::new(0));
    let attackers = (0..AT_ONCE).map(|_| {
        let failed = Arc::clone(&failed);
        std::thread::spawn(move || {
            for number in 0..total / AT_ONCE {
                let outcome = if number % 2 == 0 { Peer::join(port) } else { Peer::open(port).map_err(Into::into) };
                failed.fetch_add(usize::from(outcome.is_err()), Ordering::Relaxed);
            }
        })
    });
    for attacker in attackers.collect::<Vec<_>>() {
        attacker.join().map_err(|_| anyhow!("an attacker panicked"))?;
    }
    let rate = total as f64 / begin.elapsed().as_secs_f64();
    // The last resets are on their way.
    std::thread::sleep(Duration::from_millis(500));
    let after = ground.vitals()?;
    let (descriptors, growth) =
        (after.descriptors as i64 - before.descriptors as i64, after.memory_kib as i64 - before.memory_kib as i64);
    let failed = failed.load(Ordering::Relaxed);
    let held = descriptors.abs() <= 5 && growth <= 5 * 1024 && failed == 0 && (rate >= 500.0 || !ground.timed);
    let measured =
        format!("{total} at {rate:.0}/s, {failed} failed; descriptors {descriptors:+}; memory {growth:+} KiB");
    Ok(Finding { measured, held })
}
