//! `halloo connect`: our own client, which comes back.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::peer::PATIENCE;

/// A running client.
pub(crate) struct Native {
    child: Child,
    input: ChildStdin,
    told: Receiver<String>,
}

impl Native {
    /// Connects, and answers once it has.
    pub(crate) fn start(halloo: &Path, arguments: &[&str]) -> Result<Native> {
        Native::start_by(Command::new(halloo), arguments)
    }

    pub(crate) fn start_by(mut command: Command, arguments: &[&str]) -> Result<Native> {
        command.args(["connect", "--json", "--stay", "--quiet"]).args(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (input, output) = (child.stdin.take().context("no input")?, child.stdout.take().context("no output")?);
        let (sender, told) = mpsc::channel();
        std::thread::spawn(move || {
            BufReader::new(output).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        let native = Native { child, input, told };
        native.wait_for("\"connected\"")?;
        Ok(native)
    }

    pub(crate) fn wait_for(&self, what: &str) -> Result<()> {
        loop {
            match self.told.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(what) => return Ok(()),
                Ok(_) => {}
                Err(_) => bail!("a client does not tell of {what}"),
            }
        }
    }

    /// How often it told that it comes back, since it was asked last.
    pub(crate) fn reconnections(&self) -> usize {
        self.told.try_iter().filter(|line| line.contains("\"reconnecting\"")).count()
    }

    pub(crate) fn send(&mut self, text: &str) -> Result<()> {
        writeln!(self.input, "{}", serde_json::json!({"cmd": "send", "text": text})).context("a client is gone")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Native {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Lines of a program's output as they come.
pub(crate) fn lines(output: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        BufReader::new(output).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
    });
    lines
}

/// How long until each of `texts` came as a line.
pub(crate) fn all_arrive(lines: &Receiver<String>, texts: &[String], patience: Duration) -> Option<Duration> {
    let begin = std::time::Instant::now();
    let mut missing: Vec<&String> = texts.iter().collect();
    while !missing.is_empty() {
        let line = lines.recv_timeout(patience.checked_sub(begin.elapsed())?).ok()?;
        missing.retain(|text| **text != line);
    }
    Some(begin.elapsed())
}
