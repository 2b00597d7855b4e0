//! The machine: who runs on which core, what a process costs, whether anybody else works.
//!
//! Where the system has no `/proc`, what it would tell is left out.

use std::fs;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use core_affinity::CoreId;

/// A part of the machine that others may use without spoiling a measurement.
const QUIET: f64 = 0.05;
const SAMPLE: Duration = Duration::from_millis(250);

/// The cores that this process was started on; asked for once, since pinning narrows the answer.
static CORES: OnceLock<Vec<CoreId>> = OnceLock::new();

/// Binds this thread, and every process it starts from now on, to one core. `false` where that is not possible.
pub(crate) fn pin(core: usize) -> bool {
    core_ids().get(core).is_some_and(|&core| core_affinity::set_for_current(core))
}

/// How many cores this process may use.
pub(crate) fn cores() -> usize {
    core_ids().len()
}

fn core_ids() -> &'static [CoreId] {
    CORES.get_or_init(|| core_affinity::get_core_ids().unwrap_or_default())
}

/// As many open files as the system lets this process and its children have.
pub(crate) fn raise_descriptors() {
    #[cfg(unix)]
    if let Ok((_, hard)) = rlimit::Resource::NOFILE.get() {
        // When it fails, a scenario with many clients fails and says so.
        let _ = rlimit::Resource::NOFILE.set(hard, hard);
    }
}

/// How many files this process may have open; `None` where there is no such limit.
pub(crate) fn descriptors() -> Option<u64> {
    #[cfg(unix)]
    return rlimit::Resource::NOFILE.get_soft().ok();
    #[cfg(not(unix))]
    None
}

/// Processor time of all threads of a process, finer than a clock tick.
pub(crate) fn processor_time(pid: u32) -> Option<Duration> {
    let mut nanos = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task")).ok()? {
        let text = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        nanos += text.split(' ').next()?.parse::<u64>().ok()?;
    }
    Some(Duration::from_nanos(nanos))
}

/// Resident bytes of a process.
pub(crate) fn resident(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(1024 * line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?)
}

/// Waits, at most `patience`, until the machine has nothing else to do. Answers the part of it that others use in the
/// end, when that is too much.
pub(crate) fn wait_until_quiet(patience: Duration) -> Option<f64> {
    let end = Instant::now() + patience;
    loop {
        let before = times()?;
        std::thread::sleep(SAMPLE);
        let after = times()?;
        let busy = 1.0 - (after.idle - before.idle) as f64 / (after.all - before.all).max(1) as f64;
        if busy <= QUIET {
            return None;
        }
        if Instant::now() >= end {
            return Some(busy);
        }
    }
}

/// The name of the processor and of the system, for the report.
pub(crate) fn description() -> String {
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown processor", |(_, name)| name).trim().to_owned();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    // The release without the builder's own suffix.
    let release: Vec<&str> = kernel.trim().split(['.', '-']).take(2).collect();
    format!("{model}, {} cores, {} {}", cores(), std::env::consts::OS, release.join("."))
}

struct Times {
    idle: u64,
    all: u64,
}

/// Clock ticks of all cores since the start of the machine.
fn times() -> Option<Times> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    let ticks = text.lines().next()?.split_whitespace().skip(1).map(|field| field.parse().unwrap_or(0));
    // The last two fields, time of guests, are contained in the first two.
    let ticks: Vec<u64> = ticks.take(8).collect();
    Some(Times { idle: ticks.get(3)? + ticks.get(4)?, all: ticks.iter().sum() })
}
