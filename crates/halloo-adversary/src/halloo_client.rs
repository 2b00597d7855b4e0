//! `halloo connect`, the client of this project, which reconnects on its own.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::peer::TIMEOUT;

/// A running client.
pub(crate) struct HallooClient {
    child: Child,
    input: ChildStdin,
    events: Receiver<String>,
}

impl HallooClient {
    /// Starts a client and waits until it is connected.
    pub(crate) fn start(halloo: &Path, arguments: &[&str]) -> Result<HallooClient> {
        HallooClient::start_with(Command::new(halloo), arguments)
    }

    /// Starts a client through another command, whose last argument is the program.
    pub(crate) fn start_with(mut command: Command, arguments: &[&str]) -> Result<HallooClient> {
        command.args(["connect", "--json", "--stay", "--quiet"]).args(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (input, output) = (child.stdin.take().context("no input")?, child.stdout.take().context("no output")?);
        let client = HallooClient { child, input, events: lines(output) };
        client.wait_for("\"connected\"")?;
        Ok(client)
    }

    /// Waits for an event that contains `text`.
    pub(crate) fn wait_for(&self, text: &str) -> Result<()> {
        loop {
            match self.events.recv_timeout(TIMEOUT) {
                Ok(line) if line.contains(text) => return Ok(()),
                Ok(_) => {}
                Err(_) => bail!("a client reported no event {text} within {TIMEOUT:?}"),
            }
        }
    }

    /// Returns how often the client started to reconnect since the last call.
    pub(crate) fn reconnections(&self) -> usize {
        self.events.try_iter().filter(|line| line.contains("\"reconnecting\"")).count()
    }

    pub(crate) fn send(&mut self, text: &str) -> Result<()> {
        writeln!(self.input, "{}", serde_json::json!({"cmd": "send", "text": text})).context("a client has ended")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for HallooClient {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads the lines of an output on a thread.
pub(crate) fn lines(output: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        BufReader::new(output).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
    });
    lines
}

/// Waits until each of `texts` has arrived as a line, and returns how long that took; `None` after `timeout`.
pub(crate) fn wait_for_lines(lines: &Receiver<String>, texts: &[String], timeout: Duration) -> Option<Duration> {
    let start = Instant::now();
    let mut missing: Vec<&String> = texts.iter().collect();
    while !missing.is_empty() {
        let line = lines.recv_timeout(timeout.checked_sub(start.elapsed())?).ok()?;
        missing.retain(|text| **text != line);
    }
    Some(start.elapsed())
}
