//! What connects a server with those on other machines: messages out, messages in, and what is known about the others.
//!
//! It has no network of its own. Another crate takes what comes out on any executor, and passes in what it received.

mod incoming;
mod outgoing;
mod queue;

use std::collections::HashSet;
use std::future::poll_fn;
use std::sync::Arc;

use halloo_proto::close::CloseCode;

pub(crate) use incoming::Incoming;
pub use incoming::{FrameError, ServerFrames};
pub use outgoing::{LinkTarget, Outgoing};
pub(crate) use queue::LinkQueue;

use crate::reactor::{Command, CommandQueue};
use crate::shared::Shared;
use crate::{ClientId, ClusterStatus, Event};

/// One end of the queue between a server and a program that connects it with other servers; see
/// [`Server::link`](crate::Server::link). Dropping it ends the connection: the server goes on alone.
///
/// All queues are bounded: 16 MiB of messages out and 64 MiB in. What does not fit is dropped and counted, so that the
/// clients of this server never wait for another.
///
/// ```
/// use halloo::{Config, Server};
///
/// let server = Server::start(Config::local())?;
/// let link = server.link()?;
/// link.set_node(7);
/// assert_eq!(link.dropped(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Link {
    queue: Arc<LinkQueue>,
    commands: Arc<CommandQueue>,
    shared: Arc<Shared>,
}

impl Link {
    pub(crate) fn new(queue: Arc<LinkQueue>, commands: Arc<CommandQueue>, shared: Arc<Shared>) -> Link {
        Link { queue, commands, shared }
    }

    /// Awaits what the server passes to the other nodes next, with any executor; `None` when the server has stopped.
    pub async fn next(&self) -> Option<Outgoing> {
        poll_fn(|context| self.queue.poll_outgoing(context)).await
    }

    /// Returns what waits to be passed on; `None` if nothing does.
    pub fn try_next(&self) -> Option<Outgoing> {
        self.queue.try_outgoing()
    }

    /// Delivers messages of another node to the clients of this server, in the order of the calls. Returns whether there
    /// was room for them; what is dropped is up to the caller to count.
    pub fn deliver(&self, target: LinkTarget, frames: ServerFrames) -> bool {
        self.push(Incoming::Frames(target, frames))
    }

    /// Disconnects a client of this server for another node. Returns whether there was room for the command.
    pub fn disconnect(&self, client: ClientId, code: CloseCode, reason: String) -> bool {
        self.push(Incoming::Disconnect(client, code, reason))
    }

    /// Reports an event to the application.
    pub fn emit(&self, event: Event<'static>) -> bool {
        self.push(Incoming::Event(Box::new(event)))
    }

    fn push(&self, incoming: Incoming) -> bool {
        let pushed = self.queue.push_incoming(incoming);
        if pushed.wake {
            self.commands.submit(Command::Link(crate::reactor::LinkCommand::Receive));
        }
        pushed.fits
    }

    /// Sets the number of this node, 1 to 2^20 - 1: the upper bits of the ids of clients that join from now on.
    pub fn set_node(&self, node: u32) {
        self.shared.node_ids.set_own(node & 0x000f_ffff);
    }

    /// Sets the numbers of the other nodes, whose clients can be sent to.
    pub fn set_others(&self, nodes: HashSet<u32>) {
        self.shared.node_ids.set_others(nodes);
    }

    /// Sets whether messages are passed on. While they are not, they are only counted as dropped, also those that wait.
    pub fn set_relaying(&self, relaying: bool) {
        self.queue.set_relaying(relaying);
    }

    /// Returns the number of messages that were not passed on.
    pub fn dropped(&self) -> u64 {
        self.queue.dropped()
    }

    /// Publishes the state of the cluster in the server's [`Status`](crate::Status).
    pub fn set_status(&self, status: ClusterStatus) {
        self.shared.set_cluster(Some(status));
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.queue.close();
        self.commands.submit(Command::Link(crate::reactor::LinkCommand::Receive));
        self.shared.node_ids.set_others(HashSet::new());
        self.shared.set_cluster(None);
    }
}
