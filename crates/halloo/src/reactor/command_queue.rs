//! The queue of commands from other threads to the reactor.

use std::sync::mpsc::SyncSender;

use halloo_proto::close::CloseCode;
use halloo_proto::defaults::{COMMAND_QUEUE, COMMAND_QUEUE_BYTES};
use halloo_proto::pad_layout::PadLayout;

use super::drain_waiters::DrainWaiter;
use crate::sync::{Mutex, PoisonError};
use crate::{ClientId, ClientStatus, Files, RoomError, Status};

/// Places reserved for commands that are not messages, such as [`Command::Status`], so that a flood of messages does not block them.
const RESERVED_COMMANDS: usize = 1024;

/// A command to the reactor.
#[derive(Debug)]
pub(crate) enum Command {
    /// Sends an encoded frame to one client.
    Send(ClientId, Vec<u8>),
    /// Sends an encoded frame to every client.
    SendToAll(Vec<u8>),
    /// Sends an encoded frame to every client in a room.
    SendToRoom(String, Vec<u8>),
    Room(RoomCommand, SyncSender<Result<(), RoomError>>),
    Disconnect(ClientId, CloseCode, String),
    Discovery(DiscoveryCommand),
    Status(SyncSender<Status>),
    /// Asks for the status of one client; `None` if it is not connected.
    ClientStatus(ClientId, SyncSender<Option<ClientStatus>>),
    Pages(PagesCommand, SyncSender<()>),
    WaitDrained(DrainWaiter),
    #[cfg(feature = "cluster")]
    Link(LinkCommand),
    /// Resumes reading, because the application has taken events.
    Resume,
    Stop,
}

/// A command about the rooms of a client.
#[derive(Debug)]
pub(crate) enum RoomCommand {
    Join(ClientId, String),
    Leave(ClientId, String),
}

/// A command about the link to other servers.
#[cfg(feature = "cluster")]
#[derive(Debug)]
pub(crate) enum LinkCommand {
    /// Passes messages to the other end of this queue from now on.
    Attach(std::sync::Arc<crate::link::LinkQueue>),
    /// Delivers what waits in the queue.
    Receive,
}

/// A command that replaces what browsers get. Boxed, because most commands are smaller.
#[derive(Debug)]
pub(crate) enum PagesCommand {
    Files(Option<Box<Files>>),
    Pad(Option<Box<PadLayout>>),
}

/// A command for discovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DiscoveryCommand {
    Start,
    Stop,
    SendBeacon,
    UpdateMeta,
}

/// Commands that wait for the reactor. Their number and their payload bytes are limited.
#[derive(Debug)]
pub(crate) struct CommandQueue {
    waiting: Mutex<QueuedCommands>,
    waker: mio::Waker,
}

#[derive(Debug, Default)]
struct QueuedCommands {
    commands: Vec<Command>,
    bytes: usize,
    /// The reactor sleeps or is about to, so the next command must wake it. While awake, it checks the queue before it
    /// sleeps.
    asleep: bool,
    /// A stop was requested, so further requests are ignored.
    stopping: bool,
    /// The reactor is gone and takes no more commands.
    closed: bool,
}

impl QueuedCommands {
    fn has_room_for(&self, command: &Command) -> bool {
        let most = match command {
            Command::Send(..) | Command::SendToAll(_) | Command::SendToRoom(..) | Command::Disconnect(..) => {
                COMMAND_QUEUE
            }
            Command::Discovery(_)
            | Command::Status(_)
            | Command::ClientStatus(..)
            | Command::Pages(..)
            | Command::WaitDrained(_)
            | Command::Room(..) => COMMAND_QUEUE + RESERVED_COMMANDS,
            // At most one of each waits, and they must never be refused.
            Command::Resume | Command::Stop => return true,
            #[cfg(feature = "cluster")]
            Command::Link(_) => return true,
        };
        let payload_bytes = payload_bytes(command);
        self.commands.len() < most && (payload_bytes == 0 || self.bytes + payload_bytes <= COMMAND_QUEUE_BYTES)
    }
}

fn payload_bytes(command: &Command) -> usize {
    match command {
        Command::Send(_, frame) | Command::SendToAll(frame) => frame.len(),
        Command::SendToRoom(room, frame) => room.len() + frame.len(),
        // At most 64 bytes each, and few of them.
        Command::Room(..) => 0,
        Command::Disconnect(_, _, text) => text.len(),
        // Its thread waits, so there are few of them.
        Command::Pages(..) => 0,
        Command::Discovery(_) | Command::Status(_) | Command::ClientStatus(..) => 0,
        Command::WaitDrained(_) | Command::Resume | Command::Stop => 0,
        #[cfg(feature = "cluster")]
        Command::Link(_) => 0,
    }
}

/// The result of submitting a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Submitted {
    Queued,
    Full,
    Closed,
}

impl CommandQueue {
    pub(crate) fn new(waker: mio::Waker) -> CommandQueue {
        CommandQueue { waiting: Mutex::default(), waker }
    }

    /// Queues `command`, and wakes the reactor if it sleeps.
    pub(crate) fn submit(&self, command: Command) -> Submitted {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.closed {
            return Submitted::Closed;
        }
        if !waiting.has_room_for(&command) {
            return Submitted::Full;
        }
        if matches!(command, Command::Stop) && std::mem::replace(&mut waiting.stopping, true) {
            return Submitted::Queued;
        }
        waiting.bytes += payload_bytes(&command);
        let wake = std::mem::take(&mut waiting.asleep);
        waiting.commands.push(command);
        drop(waiting);
        if wake {
            self.wake();
        }
        Submitted::Queued
    }

    /// Wakes the reactor, for something that is no command.
    pub(super) fn wake(&self) {
        if let Err(error) = self.waker.wake() {
            tracing::error!("cannot wake the reactor: {error}");
        }
    }

    /// Moves all commands into the empty `batch`.
    pub(crate) fn take(&self, batch: &mut Vec<Command>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.asleep = false;
        waiting.bytes = 0;
        std::mem::swap(&mut waiting.commands, batch);
    }

    /// Returns whether no command waits, so that the reactor may sleep. From then on, the next command wakes it.
    pub(crate) fn may_sleep(&self) -> bool {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.asleep = waiting.commands.is_empty();
        waiting.asleep
    }

    /// Refuses every further command and drops those that wait, so that no caller waits for a result in vain.
    pub(crate) fn close(&self) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.closed = true;
        waiting.commands.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_sleeping_reactor_is_woken() {
        let mut poll = mio::Poll::new().unwrap();
        let queue = CommandQueue::new(mio::Waker::new(poll.registry(), mio::Token(0)).unwrap());
        let mut woken = || {
            let mut events = mio::Events::with_capacity(4);
            poll.poll(&mut events, Some(std::time::Duration::ZERO)).unwrap();
            !events.is_empty()
        };
        let mut commands = Vec::new();
        queue.submit(Command::Resume);
        assert!(!woken() && !queue.may_sleep(), "it finds the command before it sleeps");
        queue.take(&mut commands);
        assert!(queue.may_sleep());
        queue.submit(Command::Resume);
        assert!(woken());
        queue.submit(Command::Resume);
        assert!(!woken(), "it was woken for the first");
        queue.take(&mut commands);
        queue.submit(Command::Resume);
        assert!(!woken(), "it is awake");
    }

    #[test]
    #[cfg_attr(miri, ignore = "it fills the queue, which takes Miri hours")]
    fn every_kind_of_command_is_limited() {
        let poll = mio::Poll::new().unwrap();
        let queue = CommandQueue::new(mio::Waker::new(poll.registry(), mio::Token(0)).unwrap());
        let fill = |command: fn() -> Command| {
            (0..1_000_000).find(|_| queue.submit(command()) == Submitted::Full).expect("a full queue")
        };
        assert_eq!(fill(|| Command::Send(ClientId(1), Vec::new())), COMMAND_QUEUE);
        assert_eq!(fill(|| Command::SendToAll(Vec::new())), 0);
        assert_eq!(fill(|| Command::Disconnect(ClientId(1), CloseCode::Normal, String::new())), 0);
        assert_eq!(fill(|| Command::Discovery(DiscoveryCommand::SendBeacon)), RESERVED_COMMANDS);
        assert_eq!(fill(|| Command::Status(std::sync::mpsc::sync_channel(1).0)), 0);
        for _ in 0..1000 {
            assert_eq!(queue.submit(Command::Stop), Submitted::Queued);
        }
        let mut commands = Vec::new();
        queue.take(&mut commands);
        assert_eq!(commands.len(), COMMAND_QUEUE + RESERVED_COMMANDS + 1);
        let large = || Command::Disconnect(ClientId(1), CloseCode::Normal, "x".repeat(COMMAND_QUEUE_BYTES / 4));
        assert_eq!(fill(large), 4);
    }
}
