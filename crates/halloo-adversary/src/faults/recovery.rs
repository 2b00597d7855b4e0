//! A server, its clients, and how long they take to recover from a fault.

use std::path::Path;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::context::Context;
use crate::halloo_client::{self, HallooClient};
use crate::namespaces::run_in_namespace;
use crate::scenario::{Finding, Run, Scenario};
use crate::server::Server;

/// The promised time until everything works again: three heartbeats, and a second to reconnect.
pub(super) const MAX_RECOVERY: Duration = Duration::from_secs(16);

/// A server whose received messages are read, and `halloo connect` clients.
pub(super) struct Setup {
    pub(super) server: Server,
    pub(super) lines: Receiver<String>,
    pub(super) clients: Vec<HallooClient>,
    round: usize,
}

impl Setup {
    pub(super) fn new(context: &Context) -> Result<Setup> {
        Setup::with_arguments(&context.halloo, &[])
    }

    pub(super) fn with_arguments(halloo: &Path, arguments: &[&str]) -> Result<Setup> {
        let mut server = Server::start(halloo, arguments)?;
        let lines = halloo_client::lines(server.take_output()?);
        Ok(Setup { server, lines, clients: Vec::new(), round: 0 })
    }

    /// Connects `count` clients to a port of this machine, and checks that they work.
    pub(super) fn connect(&mut self, halloo: &Path, port: u16, count: usize) -> Result<()> {
        for _ in 0..count {
            self.clients.push(HallooClient::start(halloo, &[&format!("ws://127.0.0.1:{port}")])?);
        }
        self.exchange(MAX_RECOVERY).context("before the fault")?;
        Ok(())
    }

    /// Sends a message from every client and returns how long it took until the server has received all of them.
    pub(super) fn exchange(&mut self, timeout: Duration) -> Result<Duration> {
        self.round += 1;
        let texts: Vec<String> = (0..self.clients.len()).map(|number| format!("{number} in {}", self.round)).collect();
        for (client, text) in self.clients.iter_mut().zip(&texts) {
            client.send(text)?;
        }
        halloo_client::wait_for_lines(&self.lines, &texts, timeout)
            .with_context(|| format!("the message of a client did not arrive within {timeout:?}"))
    }

    /// Returns how many clients had to reconnect since the last call.
    pub(super) fn reconnected(&self) -> usize {
        self.clients.iter().filter(|client| client.reconnections() > 0).count()
    }
}

/// Returns the finding when all `count` clients have recovered.
pub(super) fn recovered(count: usize, recovery: Duration, details: &str) -> Finding {
    let measured = format!("{count} of {count}; recovered after {:.2} s{details}", recovery.as_secs_f64());
    Finding { measured, held: recovery <= MAX_RECOVERY }
}

/// Runs a fault in a network namespace; `name` selects it in `main`.
pub(super) fn in_namespace(context: &Context, name: &str) -> Result<Finding> {
    let size = if context.quick { "quick" } else { "full" };
    Finding::from_line(&run_in_namespace(&context.halloo, &[name, size])?)
}

/// Declares a fault.
pub(super) const fn fault(
    name: &'static str,
    attack: &'static str,
    promised: &'static str,
    run: fn(&Context) -> Result<Finding>,
) -> Scenario {
    Scenario { name, attack, promised, run: Run::Own(run) }
}
