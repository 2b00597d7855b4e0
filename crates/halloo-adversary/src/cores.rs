//! Divides the cores of the machine between the server and its attackers.
//!
//! Real attackers come over a network. Here they share a machine with the server, and the CPU time that they use would
//! slow it down, which is not part of an attack. The server therefore has the first core to itself, and everything else
//! runs on the others. Where the baseline load is measured, attackers have a lower priority than its clients.

#[cfg(target_os = "linux")]
use std::sync::OnceLock;

#[cfg(target_os = "linux")]
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The server's core, and all others.
#[cfg(target_os = "linux")]
static DIVIDED: OnceLock<(CpuSet, CpuSet)> = OnceLock::new();

/// Keeps this thread, and everything that it starts from now on, off the first core, which is for servers. Does nothing
/// on a machine with one core, or on a system other than Linux.
pub(crate) fn divide() {
    #[cfg(target_os = "linux")]
    if let Ok(mut others) = sched_getaffinity(None)
        && others.count() > 1
        && let Some(first) = (0..CpuSet::MAX_CPU).find(|&core| others.is_set(core))
    {
        let mut server = CpuSet::new();
        server.set(first);
        others.unset(first);
        // If this fails, the figures get worse; no promise becomes easier to keep.
        let _ = sched_setaffinity(None, &others);
        let _ = DIVIDED.set((server, others));
    }
}

/// Returns the number of the core for servers, if they have one.
pub(crate) fn server_core() -> Option<usize> {
    #[cfg(target_os = "linux")]
    if let Some((server, _)) = DIVIDED.get() {
        return (0..CpuSet::MAX_CPU).find(|&core| server.is_set(core));
    }
    None
}

/// Adopts the division of a process that started this one, whose core for servers is `core`.
pub(crate) fn adopt(core: usize) {
    #[cfg(target_os = "linux")]
    if let Ok(others) = sched_getaffinity(None) {
        let mut server = CpuSet::new();
        server.set(core);
        let _ = DIVIDED.set((server, others));
    }
    #[cfg(not(target_os = "linux"))]
    let _ = core;
}

/// Runs `start` on the core for servers, so that a process which it starts stays there.
pub(crate) fn on_server_core<T>(start: impl FnOnce() -> T) -> T {
    #[cfg(target_os = "linux")]
    if let Some((server, others)) = DIVIDED.get() {
        let _ = sched_setaffinity(None, server);
        let started = start();
        let _ = sched_setaffinity(None, others);
        return started;
    }
    start()
}

/// Lowers the priority of this thread, and of everything that it starts from now on.
pub(crate) fn lower_priority() {
    // On Linux, each thread has a priority of its own.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, 10);
}
