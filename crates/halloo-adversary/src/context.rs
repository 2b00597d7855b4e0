//! What every scenario receives: the program under attack and the size of the run.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use crate::process::{self, MemoryWatch, Usage};
use crate::server::{self, Server};

/// The program under attack, and how large and how strict the run is.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) halloo: PathBuf,
    /// Whether the run has at most a tenth of the full size.
    pub(crate) quick: bool,
    /// Whether exceeding a time limit breaks a promise. Tests do not judge times.
    pub(crate) timed: bool,
    /// Seconds of the scenarios whose time can be chosen.
    pub(crate) seconds: Option<u64>,
}

/// A server under attack that may have other clients.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) port: u16,
    pub(crate) pid: u32,
    pub(crate) quick: bool,
    pub(crate) timed: bool,
    /// Whether it has no other clients than those of the scenario.
    pub(crate) alone: bool,
}

impl Context {
    /// Starts a server of the scenario's own.
    pub(crate) fn server(&self, arguments: &[&str]) -> Result<Server> {
        Server::start(&self.halloo, arguments)
    }

    /// Returns whether `time` is at most `limit`, or times are not judged.
    pub(crate) fn in_time(&self, time: Duration, limit: Duration) -> bool {
        !self.timed || time <= limit
    }

    /// Returns the size for this run.
    pub(crate) fn size(&self, full: usize, quick: usize) -> usize {
        if self.quick { quick } else { full }
    }

    /// Returns how many seconds a scenario takes whose time can be chosen.
    pub(crate) fn seconds(&self, full: u64, quick: u64) -> u64 {
        self.seconds.unwrap_or(if self.quick { quick } else { full })
    }
}

impl Target {
    pub(crate) fn new(server: &Server, context: &Context) -> Target {
        Target { port: server.port, pid: server.pid(), quick: context.quick, timed: context.timed, alone: true }
    }

    /// Tells a scenario that the server has other clients too.
    pub(crate) fn beside_others(self) -> Target {
        Target { alone: false, ..self }
    }

    /// Returns whether `time` is at most `limit`, or times are not judged.
    pub(crate) fn in_time(&self, time: Duration, limit: Duration) -> bool {
        !self.timed || time <= limit
    }

    /// Returns the size for this run.
    pub(crate) fn size(&self, full: usize, quick: usize) -> usize {
        if self.quick { quick } else { full }
    }

    pub(crate) fn usage(&self) -> Result<Usage> {
        process::usage(self.pid)
    }

    pub(crate) fn watch_memory(&self) -> MemoryWatch {
        MemoryWatch::start(self.pid)
    }

    pub(crate) fn status(&self) -> Result<serde_json::Value> {
        server::status(self.port)
    }
}
