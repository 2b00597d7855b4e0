//! Resource usage of a process, and signals to it.

use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// Clock ticks per second in `/proc/PID/stat`; Linux reports this number to programs on every architecture.
const TICKS: u64 = 100;

/// How often the memory is sampled.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(20);

/// The resources that a process uses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// Resident size in KiB.
    pub(crate) memory_kib: u64,
    pub(crate) descriptors: u64,
    pub(crate) cpu: Duration,
}

/// Reads the resource usage of a process from `/proc`.
pub(crate) fn usage(pid: u32) -> Result<Usage> {
    let read = |name: &str| {
        std::fs::read_to_string(format!("/proc/{pid}/{name}"))
            .with_context(|| format!("cannot read /proc/{pid}/{name}"))
    };
    let status = read("status")?;
    let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let stat = read("stat")?;
    // The name of the program, in parentheses, may contain spaces.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    Ok(Usage {
        memory_kib: memory.trim().trim_end_matches("kB").trim().parse().context("no VmRSS")?,
        descriptors: std::fs::read_dir(format!("/proc/{pid}/fd"))?.count() as u64,
        cpu: Duration::from_millis((ticks(11) + ticks(12)) * 1000 / TICKS),
    })
}

/// Returns a command that runs a program whose memory is compared over time.
pub(crate) fn with_fixed_thresholds(program: &Path) -> Command {
    let mut command = Command::new(program);
    // glibc raises these thresholds with every large block that is freed, keeps the memory below them, and so takes half
    // an hour to its high-water mark. With fixed thresholds, it returns large blocks at once, and what grows is a leak.
    command.env("MALLOC_MMAP_THRESHOLD_", "65536").env("MALLOC_TRIM_THRESHOLD_", "65536");
    command
}

/// Samples the memory of a process on a thread and keeps the maximum.
pub(crate) struct MemoryWatch {
    stop: mpsc::Sender<()>,
    thread: JoinHandle<u64>,
}

impl MemoryWatch {
    pub(crate) fn start(pid: u32) -> MemoryWatch {
        let (stop, stopped) = mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            let mut most = 0;
            loop {
                most = most.max(usage(pid).map_or(0, |usage| usage.memory_kib));
                if stopped.recv_timeout(SAMPLE_INTERVAL) != Err(RecvTimeoutError::Timeout) {
                    return most;
                }
            }
        });
        MemoryWatch { stop, thread }
    }

    /// Stops and returns the maximum in KiB.
    pub(crate) fn stop(self) -> u64 {
        drop(self.stop);
        self.thread.join().unwrap_or(0)
    }
}

/// Sends a signal by its name, such as `INT`.
pub(crate) fn signal(pid: u32, name: &str) -> Result<()> {
    let status = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status();
    let status = status.context("cannot run `kill`")?;
    if status.success() { Ok(()) } else { bail!("cannot send SIG{name} to process {pid}") }
}
