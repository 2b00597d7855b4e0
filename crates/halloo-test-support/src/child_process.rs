//! A program that a test runs and talks to by lines.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};

use crate::TEST_TIMEOUT;

/// A running program. It is killed when this is dropped.
///
/// A thread reads its standard output continuously.
#[derive(Debug)]
pub struct ChildProcess {
    child: Child,
    /// `None` once it is closed.
    stdin: Option<ChildStdin>,
    stdout: Receiver<String>,
}

impl ChildProcess {
    /// Starts `command` with pipes for its standard input and output.
    pub fn start(command: &mut Command) -> ChildProcess {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (sender, stdout) = channel();
        std::thread::spawn(move || {
            lines.map_while(Result::ok).take_while(|line| sender.send(line.clone()).is_ok()).for_each(drop);
        });
        ChildProcess { stdin: child.stdin.take(), child, stdout }
    }

    /// Returns the process ID.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns the next line of its standard output.
    ///
    /// # Panics
    /// If there is none within [`TEST_TIMEOUT`].
    #[track_caller]
    pub fn next_line(&mut self) -> String {
        self.stdout.recv_timeout(TEST_TIMEOUT).expect("a line of the program's output")
    }

    /// Returns what follows `marker` in the next line that contains it, and discards the lines before it. For a test
    /// program, which prints lines of its own around ours.
    #[track_caller]
    pub fn next_line_after(&mut self, marker: &str) -> String {
        loop {
            if let Some((_, rest)) = self.next_line().split_once(marker) {
                return rest.to_owned();
            }
        }
    }

    /// Writes a line to its standard input.
    pub fn write_line(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().expect("an open standard input"), "{line}").unwrap();
    }

    /// Closes its standard input and waits until it exits, without a timeout.
    pub fn close(&mut self) -> ExitStatus {
        self.stdin = None;
        self.child.wait().unwrap()
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
