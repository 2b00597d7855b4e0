//! A program that a test runs and talks to by lines.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Instant;

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
    ///
    /// # Panics
    /// If it prints nothing for [`TEST_TIMEOUT`], or nothing but other lines for six times as long.
    #[track_caller]
    pub fn next_line_after(&mut self, marker: &str) -> String {
        let (deadline, mut others) = (Instant::now() + 6 * TEST_TIMEOUT, Vec::new());
        while Instant::now() < deadline {
            let Ok(line) = self.stdout.recv_timeout(TEST_TIMEOUT) else { break };
            match line.split_once(marker) {
                Some((_, rest)) => return rest.to_owned(),
                None => others.push(line),
            }
        }
        panic!("no line with {marker:?} in time, but {others:#?}");
    }

    /// Returns the remaining lines of its standard output, until it closes it.
    ///
    /// # Panics
    /// If it writes nothing for [`TEST_TIMEOUT`] and does not close it.
    #[track_caller]
    pub fn remaining_lines(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            match self.stdout.recv_timeout(TEST_TIMEOUT) {
                Ok(line) => lines.push(line),
                Err(RecvTimeoutError::Disconnected) => return lines,
                Err(RecvTimeoutError::Timeout) => panic!("standard output stays open after {lines:?}"),
            }
        }
    }

    /// Returns its whole standard error, which must be a pipe. Waits until it is closed, without a timeout.
    pub fn read_stderr(&mut self) -> String {
        let mut text = String::new();
        self.child.stderr.take().expect("a pipe").read_to_string(&mut text).unwrap();
        text
    }

    /// Returns its standard error, which must be a pipe, to be read by the caller.
    pub fn take_stderr(&mut self) -> std::process::ChildStderr {
        self.child.stderr.take().expect("a pipe")
    }

    /// Closes our end of its standard error, which must be a pipe.
    pub fn close_stderr(&mut self) {
        drop(self.child.stderr.take().expect("a pipe"));
    }

    /// Writes a line to its standard input.
    pub fn write_line(&mut self, line: &str) {
        self.write_bytes(format!("{line}\n").as_bytes());
    }

    /// Writes bytes to its standard input.
    pub fn write_bytes(&mut self, bytes: &[u8]) {
        self.stdin.as_mut().expect("an open standard input").write_all(bytes).unwrap();
    }

    /// Closes its standard input.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Waits until it exits, without a timeout.
    pub fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// Closes its standard input and waits until it exits, without a timeout.
    pub fn close(&mut self) -> ExitStatus {
        self.close_stdin();
        self.wait()
    }

    /// Kills it and waits until it has exited.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.wait();
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
