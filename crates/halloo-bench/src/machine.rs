//! The machine: CPU pinning, the resources that a process uses, and whether other processes are busy.
//!
//! On systems without `/proc`, the figures from there are missing.

use std::fs;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use core_affinity::CoreId;

/// The share of the machine that other processes may use without disturbing a measurement.
const MAX_BUSY: f64 = 0.05;
const SAMPLE: Duration = Duration::from_millis(250);

/// The cores that this process was started on. They are read once, since pinning changes them.
static CORES: OnceLock<Vec<CoreId>> = OnceLock::new();

/// Pins this thread, and every process that it starts from now on, to a core. Returns `false` if that is not possible.
pub(crate) fn pin(core: usize) -> bool {
    core_ids().get(core).is_some_and(|&core| core_affinity::set_for_current(core))
}

/// Lowers the priority of this thread.
pub(crate) fn lower_priority() {
    // On Linux, each thread has a priority of its own.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::nice(10);
}

/// Returns how many cores this process may use.
pub(crate) fn cores() -> usize {
    core_ids().len()
}

fn core_ids() -> &'static [CoreId] {
    CORES.get_or_init(|| core_affinity::get_core_ids().unwrap_or_default())
}

/// Raises the limit on open files of this process and its children as far as the system allows.
pub(crate) fn raise_open_file_limit() {
    #[cfg(unix)]
    if let Ok((_, hard)) = rlimit::Resource::NOFILE.get() {
        // If this fails, a scenario with many clients reports it.
        let _ = rlimit::Resource::NOFILE.set(hard, hard);
    }
}

/// Returns the limit on open files; `None` on systems without one.
pub(crate) fn open_file_limit() -> Option<u64> {
    #[cfg(unix)]
    return rlimit::Resource::NOFILE.get_soft().ok();
    #[cfg(not(unix))]
    None
}

/// Returns the CPU time of all threads of a process, with a finer resolution than a clock tick.
pub(crate) fn cpu_time(pid: u32) -> Option<Duration> {
    let mut nanos = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task")).ok()? {
        let text = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        nanos += text.split(' ').next()?.parse::<u64>().ok()?;
    }
    Some(Duration::from_nanos(nanos))
}

/// Returns the resident size of a process in bytes.
pub(crate) fn resident(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(1024 * line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?)
}

/// Waits until the rest of the machine is idle, at most for `timeout`. If it is still busy then, returns the share of it
/// that other processes use.
pub(crate) fn wait_until_idle(timeout: Duration) -> Option<f64> {
    let end = Instant::now() + timeout;
    loop {
        let before = times()?;
        std::thread::sleep(SAMPLE);
        let after = times()?;
        let busy = 1.0 - (after.idle - before.idle) as f64 / (after.all - before.all).max(1) as f64;
        if busy <= MAX_BUSY {
            return None;
        }
        if Instant::now() >= end {
            return Some(busy);
        }
    }
}

/// Returns the name of the CPU and of the system for the report.
pub(crate) fn description() -> String {
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown processor", |(_, name)| name).trim().to_owned();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    // The release without the suffix of the distribution.
    let release: Vec<&str> = kernel.trim().split(['.', '-']).take(2).collect();
    format!("{model}, {} cores, {} {}", cores(), std::env::consts::OS, release.join("."))
}

struct Times {
    idle: u64,
    all: u64,
}

/// Reads the clock ticks of all cores since the machine was started.
fn times() -> Option<Times> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    let ticks = text.lines().next()?.split_whitespace().skip(1).map(|field| field.parse().unwrap_or(0));
    // The last two fields, guest time, are included in the first two.
    let ticks: Vec<u64> = ticks.take(8).collect();
    Some(Times { idle: ticks.get(3)? + ticks.get(4)?, all: ticks.iter().sum() })
}
