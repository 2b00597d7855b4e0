//! Which cores the server has, and which its attackers.
//!
//! Attackers come over a network. Here they share a machine with the server, and would take its time by computing, which
//! is no attack. So the server has the first core for itself, with everybody else on the others; and where honest
//! clients are measured, attackers come after them.

#[cfg(target_os = "linux")]
use std::sync::OnceLock;

#[cfg(target_os = "linux")]
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The server's core, and all others.
#[cfg(target_os = "linux")]
static DIVIDED: OnceLock<(CpuSet, CpuSet)> = OnceLock::new();

/// Keeps this thread, and whatever it starts from now on, off the first core, which servers get. Nothing happens where
/// there is only one core, or on a system that cannot do it.
pub(crate) fn divide() {
    #[cfg(target_os = "linux")]
    if let Ok(mut others) = sched_getaffinity(None)
        && others.count() > 1
        && let Some(first) = (0..CpuSet::MAX_CPU).find(|&core| others.is_set(core))
    {
        let mut server = CpuSet::new();
        server.set(first);
        others.unset(first);
        // Without it the figures are worse, and no promise is easier to keep.
        let _ = sched_setaffinity(None, &others);
        let _ = DIVIDED.set((server, others));
    }
}

/// Does `start` where the server belongs.
pub(crate) fn on_servers<T>(start: impl FnOnce() -> T) -> T {
    #[cfg(target_os = "linux")]
    if let Some((server, others)) = DIVIDED.get() {
        let _ = sched_setaffinity(None, server);
        let started = start();
        let _ = sched_setaffinity(None, others);
        return started;
    }
    start()
}

/// Lets this thread, and whatever it starts from now on, come after others who want the same core.
pub(crate) fn come_after_others() {
    // Linux gives each thread a priority of its own.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, 10);
}
