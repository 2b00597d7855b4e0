//! Measures time and CPU usage.

use std::time::{Duration, Instant};

use crate::machine;

/// A running measurement.
pub(super) struct Meter {
    start: Instant,
    pid: Option<u32>,
    server: Option<Duration>,
    own: Option<Duration>,
}

/// The messages in the measured time, and the CPU time that was used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    pub(crate) messages: u64,
    /// All messages, including those outside of the measured time.
    pub(crate) total: u64,
    pub(crate) elapsed: Duration,
    /// CPU time of the server; `None` if the system does not report it.
    pub(crate) server: Option<Duration>,
    /// CPU time of the generator.
    pub(crate) own: Option<Duration>,
}

impl Meter {
    pub(super) fn start(pid: Option<u32>) -> Meter {
        let server = pid.and_then(machine::cpu_time);
        Meter { start: Instant::now(), pid, server, own: machine::cpu_time(std::process::id()) }
    }

    pub(super) fn stop(self, messages: u64) -> Usage {
        let elapsed = self.start.elapsed();
        let since = |before: Option<Duration>, pid| Some(machine::cpu_time(pid)?.saturating_sub(before?));
        Usage {
            messages,
            total: messages,
            elapsed,
            server: self.pid.and_then(|pid| since(self.server, pid)),
            own: since(self.own, std::process::id()),
        }
    }
}

impl Usage {
    /// Returns the messages per second.
    pub(crate) fn rate(&self) -> f64 {
        self.messages as f64 / self.elapsed.as_secs_f64()
    }

    /// Returns the CPU time of the server per message, in nanoseconds.
    pub(crate) fn server_nanos(&self) -> Option<f64> {
        Some(self.server?.as_nanos() as f64 / self.messages as f64)
    }
}
