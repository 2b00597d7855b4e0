//! What other threads ask of the reactor.

use std::io;
use std::sync::mpsc::SyncSender;
use std::sync::{Mutex, PoisonError};

use halloo_proto::close::CloseCode;
use halloo_proto::defaults::{COMMAND_QUEUE, COMMAND_QUEUE_BYTES};

use crate::{ClientId, Status};

/// One request to the reactor.
#[derive(Debug)]
pub(crate) enum Command {
    /// An encoded frame for one client.
    Send(ClientId, Vec<u8>),
    /// An encoded frame for everybody.
    SendToAll(Vec<u8>),
    Disconnect(ClientId, CloseCode, String),
    Announce(Announce),
    Status(SyncSender<Status>),
    /// The application took events; go on reading.
    Resume,
    Stop,
}

/// What to do about discovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Announce {
    Start,
    Stop,
    Now,
}

/// Commands on their way to the reactor, bounded in messages and bytes.
#[derive(Debug)]
pub(crate) struct CommandQueue {
    waiting: Mutex<Waiting>,
    waker: mio::Waker,
}

#[derive(Debug, Default)]
struct Waiting {
    commands: Vec<Command>,
    bytes: usize,
    /// The reactor is gone; nobody will take anything any more.
    closed: bool,
}

/// What became of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Submitted {
    Taken,
    Full,
    Closed,
}

impl CommandQueue {
    pub(crate) fn new(waker: mio::Waker) -> CommandQueue {
        CommandQueue { waiting: Mutex::default(), waker }
    }

    /// Hands `command` to the reactor. Only messages can find the queue full; the rest is rare and always taken.
    pub(crate) fn submit(&self, command: Command) -> Submitted {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.closed {
            return Submitted::Closed;
        }
        if let Command::Send(_, frame) | Command::SendToAll(frame) = &command {
            if waiting.commands.len() >= COMMAND_QUEUE || waiting.bytes + frame.len() > COMMAND_QUEUE_BYTES {
                return Submitted::Full;
            }
            waiting.bytes += frame.len();
        }
        // The reactor takes all there is, so only the first command has to wake it.
        let wake = waiting.commands.is_empty();
        waiting.commands.push(command);
        drop(waiting);
        if wake && let Err(error) = self.wake() {
            tracing::error!("cannot wake the reactor: {error}");
        }
        Submitted::Taken
    }

    /// Moves all commands into the empty `batch`.
    pub(crate) fn take(&self, batch: &mut Vec<Command>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.bytes = 0;
        std::mem::swap(&mut waiting.commands, batch);
    }

    /// Refuses every further command and drops those that wait, so that whoever waits for an answer learns it.
    pub(crate) fn close(&self) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.closed = true;
        waiting.commands.clear();
    }

    fn wake(&self) -> io::Result<()> {
        self.waker.wake()
    }
}
