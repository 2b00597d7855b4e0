//! Models of the command queue: threads submit commands, the reactor takes them and sleeps in between. None is lost, and
//! none waits while the reactor sleeps.

use std::time::Duration;

use command_queue::{Command, CommandQueue, Submitted};
use halloo_loom::model;
use loom::sync::Arc;
use loom::thread;

/// The module of the product, which is private there.
#[path = "../../crates/halloo/src/reactor/command_queue.rs"]
#[allow(dead_code, reason = "the models need a part of it")]
mod command_queue;

/// The locks of loom, in place of those of the standard library.
mod sync {
    pub(crate) use loom::sync::Mutex;
    pub(crate) use std::sync::PoisonError;
}

mod drain_waiters {
    #[derive(Debug)]
    pub(crate) struct DrainWaiter;
}

#[derive(Debug)]
struct ClientId;
#[derive(Debug)]
struct ClientStatus;
#[derive(Debug)]
struct Files;
#[derive(Debug)]
struct RoomError;
#[derive(Debug)]
struct Status;

fn main() {
    model("no command waits while the reactor sleeps", commands_reach_a_sleeping_reactor);
    model("a command is either refused or dropped once the queue is closed", closed_queue_keeps_nothing);
    model("a stop is queued once", stop_is_queued_once);
}

/// The queue and the poller that it wakes.
struct Reactor {
    queue: Arc<CommandQueue>,
    poll: mio::Poll,
    taken: usize,
}

impl Reactor {
    fn new() -> Reactor {
        let poll = mio::Poll::new().unwrap();
        let waker = mio::Waker::new(poll.registry(), mio::Token(0)).unwrap();
        Reactor { queue: Arc::new(CommandQueue::new(waker)), poll, taken: 0 }
    }

    fn take(&mut self) {
        let mut batch = Vec::new();
        self.queue.take(&mut batch);
        self.taken += batch.len();
    }

    fn is_woken(&mut self) -> bool {
        let mut events = mio::Events::with_capacity(4);
        self.poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
        !events.is_empty()
    }

    /// Submits `commands` on a thread.
    fn submit(&self, commands: impl IntoIterator<Item = Command> + Send + 'static) -> thread::JoinHandle<usize> {
        let queue = Arc::clone(&self.queue);
        thread::spawn(move || {
            let outcomes = commands.into_iter().map(|command| queue.submit(command));
            outcomes.filter(|outcome| *outcome == Submitted::Queued).count()
        })
    }
}

fn commands_reach_a_sleeping_reactor() {
    let mut reactor = Reactor::new();
    let threads = [reactor.submit([Command::Resume, Command::Resume]), reactor.submit([Command::Resume])];
    // Two turns. It stops where it would sleep.
    let mut asleep = reactor.queue.may_sleep();
    for _ in 0..2 {
        if !asleep {
            reactor.take();
            asleep = reactor.queue.may_sleep();
        }
    }
    let queued: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    if asleep && reactor.taken < queued {
        assert!(reactor.is_woken(), "{} of {queued} were taken", reactor.taken);
    }
    reactor.take();
    assert_eq!(reactor.taken, queued);
}

fn closed_queue_keeps_nothing() {
    let mut reactor = Reactor::new();
    let thread = reactor.submit([Command::Resume, Command::Resume]);
    reactor.take();
    reactor.queue.close();
    thread.join().unwrap();
    let taken = reactor.taken;
    reactor.take();
    assert_eq!(reactor.taken, taken);
    assert_eq!(reactor.queue.submit(Command::Stop), Submitted::Closed);
}

fn stop_is_queued_once() {
    let mut reactor = Reactor::new();
    let threads = [reactor.submit([Command::Stop]), reactor.submit([Command::Stop])];
    threads.into_iter().for_each(|thread| assert_eq!(thread.join().unwrap(), 1));
    reactor.take();
    assert_eq!(reactor.taken, 1);
}
