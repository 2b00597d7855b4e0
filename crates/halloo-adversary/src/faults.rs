//! Faults that nobody means: what happens to ten clients of whom each is struck, and how soon all is well again.

mod addresses;
mod processes;
mod roads;
mod sockets;
mod storage;

use std::path::Path;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use anyhow::{Context, Result};

pub(crate) use addresses::{address_change, dead_link};
pub(crate) use storage::full_disk;

use crate::context::{Finding, Row, Run, Stage};
use crate::lab;
use crate::native::{self, Native};
use crate::server::Server;

/// All is well again by then, whatever it was: three heartbeats, and a second to come back.
const RECOVERY: Duration = Duration::from_secs(16);

pub(crate) const ALL: [Row; 14] = [
    roads::LATE,
    roads::SLOW,
    roads::CRUMBS,
    roads::NOWHERE,
    sockets::HALF_CLOSE,
    sockets::RESET,
    sockets::FULL_QUEUE,
    processes::SERVER_STOPPED,
    processes::CLIENT_STOPPED,
    processes::CLIENT_STOPPED_LONG,
    processes::SERVER_KILLED,
    addresses::DEAD_LINK,
    addresses::ADDRESS,
    storage::FULL,
];

/// A server whose clients' messages are read, and some of our own clients.
struct Scene {
    server: Server,
    lines: Receiver<String>,
    clients: Vec<Native>,
    round: usize,
}

impl Scene {
    fn new(stage: &Stage) -> Result<Scene> {
        Scene::with(&stage.halloo, &[])
    }

    fn with(halloo: &Path, arguments: &[&str]) -> Result<Scene> {
        let mut server = Server::start(halloo, arguments)?;
        let lines = native::lines(server.take_output()?);
        Ok(Scene { server, lines, clients: Vec::new(), round: 0 })
    }

    /// Connects `count` clients through `port`.
    fn connect(&mut self, halloo: &Path, port: u16, count: usize) -> Result<()> {
        for _ in 0..count {
            self.clients.push(Native::start(halloo, &[&format!("ws://127.0.0.1:{port}")])?);
        }
        self.exchange(RECOVERY).context("before the fault")?;
        Ok(())
    }

    /// Every client says something; how long until the server has heard all of it.
    fn exchange(&mut self, patience: Duration) -> Result<Duration> {
        self.round += 1;
        let texts: Vec<String> = (0..self.clients.len()).map(|number| format!("{number} in {}", self.round)).collect();
        for (client, text) in self.clients.iter_mut().zip(&texts) {
            client.send(text)?;
        }
        native::all_arrive(&self.lines, &texts, patience).context("a client is not heard any more")
    }

    /// How many of the clients had to come back.
    fn came_back(&self) -> usize {
        self.clients.iter().filter(|client| client.reconnections() > 0).count()
    }
}

/// The finding of one in which everybody survived.
fn survived(count: usize, recovery: Duration, more: &str) -> Finding {
    let measured = format!("{count} of {count}; well again after {:.2} s{more}", recovery.as_secs_f64());
    Finding { measured, held: recovery <= RECOVERY }
}

/// Runs a fault in a namespace of its own.
fn inside(stage: &Stage, what: &str) -> Result<Finding> {
    let told = lab::inside(&stage.halloo, &["inside", what, if stage.quick { "quick" } else { "full" }])?;
    let (held, measured) = told.trim().split_once(' ').context("no finding")?;
    Ok(Finding { measured: measured.to_owned(), held: held == "held" })
}

const fn fault(
    name: &'static str,
    attack: &'static str,
    promised: &'static str,
    run: fn(&Stage) -> Result<Finding>,
) -> Row {
    Row { name, attack, promised, run: Run::Alone(run) }
}
