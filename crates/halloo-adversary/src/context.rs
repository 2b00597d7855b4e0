//! What an attack is, what it is given, and what it finds.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use crate::server::{Server, Vitals, Watch};

/// One attack.
pub(crate) struct Row {
    /// By which it is asked for.
    pub(crate) name: &'static str,
    pub(crate) attack: &'static str,
    pub(crate) promised: &'static str,
    pub(crate) run: Run,
}

/// What an attack needs.
pub(crate) enum Run {
    /// A server with its default settings, on which others may play meanwhile.
    Beside(fn(&Ground) -> Result<Finding>),
    /// Servers of its own.
    Alone(fn(&Stage) -> Result<Finding>),
}

/// What was found.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) measured: String,
    pub(crate) held: bool,
}

/// What all attacks are told.
#[derive(Clone, Debug)]
pub(crate) struct Stage {
    pub(crate) halloo: PathBuf,
    /// A tenth of the size or less.
    pub(crate) quick: bool,
    /// Whether what takes too long is a broken promise; a test does not judge by the clock.
    pub(crate) timed: bool,
}

/// A server under attack.
#[derive(Clone, Debug)]
pub(crate) struct Ground {
    pub(crate) port: u16,
    pub(crate) pid: u32,
    pub(crate) quick: bool,
    pub(crate) timed: bool,
}

impl Stage {
    pub(crate) fn server(&self, arguments: &[&str]) -> Result<Server> {
        Server::start(&self.halloo, arguments)
    }

    /// Whether `span` is at most `limit`, if that is judged.
    pub(crate) fn in_time(&self, span: Duration, limit: Duration) -> bool {
        !self.timed || span <= limit
    }

    /// The full size, or that of a quick run.
    pub(crate) fn size(&self, full: usize, quick: usize) -> usize {
        if self.quick { quick } else { full }
    }
}

impl Ground {
    pub(crate) fn new(server: &Server, stage: &Stage) -> Ground {
        Ground { port: server.port, pid: server.pid(), quick: stage.quick, timed: stage.timed }
    }

    pub(crate) fn size(&self, full: usize, quick: usize) -> usize {
        if self.quick { quick } else { full }
    }

    /// Whether `span` is at most `limit`, if that is judged.
    pub(crate) fn in_time(&self, span: Duration, limit: Duration) -> bool {
        !self.timed || span <= limit
    }

    pub(crate) fn vitals(&self) -> Result<Vitals> {
        crate::server::vitals(self.pid)
    }

    pub(crate) fn watch(&self) -> Watch {
        Watch::start(self.pid)
    }

    pub(crate) fn status(&self) -> Result<serde_json::Value> {
        crate::server::status(self.port)
    }
}
