//! The bus of a server that may be linked with others.

use std::sync::Arc;

use halloo_proto::close::CloseCode;
use halloo_proto::frame::{self, Opcode};

use super::BusTarget;
use crate::ClientId;
use crate::link::{LinkQueue, LinkTarget, Outgoing};

/// Bytes at which a batch is passed on before the end of the turn. Brokers accept 1 MiB by default, but they and the other
/// nodes handle many small ones with less delay.
const BATCH_BYTES: usize = 60 * 1024;
/// Messages at which it is.
const BATCH_MESSAGES: u16 = u16::MAX;

/// Collects messages for the same target, in the order in which they are sent, and hands them to the link once a turn.
#[derive(Debug, Default)]
pub(in crate::reactor) struct Bus {
    queue: Option<Arc<LinkQueue>>,
    /// The batch that is being collected, and whom it is for.
    target: Option<LinkTarget>,
    frames: Vec<u8>,
    count: u16,
    /// The number of clients that was reported last.
    clients: Option<usize>,
}

impl Bus {
    pub(in crate::reactor) fn new() -> Bus {
        Bus::default()
    }

    /// Returns whether the server is linked with others.
    #[inline]
    pub(in crate::reactor) fn is_linked(&self) -> bool {
        self.queue.is_some()
    }

    /// Links the server.
    pub(in crate::reactor) fn link(&mut self, queue: Arc<LinkQueue>) {
        self.unlink();
        self.queue = Some(queue);
        self.clients = None;
    }

    /// Ends the link.
    pub(in crate::reactor) fn unlink(&mut self) {
        if let Some(queue) = self.queue.take() {
            queue.close();
        }
        self.target = None;
        self.frames = Vec::new();
        self.count = 0;
    }

    /// Returns what other nodes send.
    pub(in crate::reactor) fn queue(&self) -> Option<Arc<LinkQueue>> {
        self.queue.clone()
    }

    /// Passes a message to the other nodes, if the server is linked.
    #[inline]
    pub(in crate::reactor) fn push(&mut self, target: BusTarget<'_>, opcode: Opcode, payload: &[u8]) {
        if self.queue.is_some() {
            self.add(target, payload.len(), |frames| frame::encode(frames, opcode, payload, None));
        }
    }

    /// Does the same with a frame that another thread encoded.
    #[inline]
    pub(in crate::reactor) fn push_encoded(&mut self, target: BusTarget<'_>, frame: &[u8]) {
        if self.queue.is_some() {
            self.add(target, frame.len(), |frames| frames.extend_from_slice(frame));
        }
    }

    /// Disconnects a client of another node.
    pub(in crate::reactor) fn disconnect(&mut self, client: ClientId, code: CloseCode, reason: &str) {
        self.flush();
        if let Some(queue) = &self.queue {
            queue.push_outgoing(Outgoing::Disconnect { client, code, reason: reason.to_owned() });
        }
    }

    #[cold]
    #[inline(never)]
    fn add(&mut self, target: BusTarget<'_>, bytes: usize, append: impl FnOnce(&mut Vec<u8>)) {
        let is_same = self.target.as_ref().is_some_and(|current| is_same(current, target));
        let is_full = self.frames.len() + bytes + frame::MAX_HEADER > BATCH_BYTES || self.count == BATCH_MESSAGES;
        if !is_same || is_full {
            self.flush();
            self.target = Some(owned(target));
        }
        append(&mut self.frames);
        self.count += 1;
    }

    fn flush(&mut self) {
        if let (Some(queue), Some(target)) = (&self.queue, self.target.take()) {
            let frames = std::mem::take(&mut self.frames);
            let count = std::mem::take(&mut self.count);
            queue.push_outgoing(Outgoing::Frames { target, frames, count });
        }
    }

    /// Passes on what the turn has collected, with the number of clients and the members of the rooms that changed.
    pub(in crate::reactor) fn finish_turn(&mut self, clients: usize, rooms: Vec<(Arc<str>, usize)>) {
        if self.clients != Some(clients) || !rooms.is_empty() {
            self.clients = Some(clients);
            if let Some(queue) = &self.queue {
                queue.set_counts(clients, rooms.into_iter());
            }
        }
        self.flush();
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        self.unlink();
    }
}

fn is_same(current: &LinkTarget, target: BusTarget<'_>) -> bool {
    match (current, target) {
        (LinkTarget::All, BusTarget::All) => true,
        (LinkTarget::Room(current), BusTarget::Room(room)) => **current == *room,
        (LinkTarget::Rooms(current), BusTarget::Rooms(rooms)) => current.iter().map(|room| &**room).eq(rooms.iter()),
        (LinkTarget::Client(current), BusTarget::Client(client)) => *current == client,
        _ => false,
    }
}

fn owned(target: BusTarget<'_>) -> LinkTarget {
    match target {
        BusTarget::All => LinkTarget::All,
        BusTarget::Room(room) => LinkTarget::Room(room.into()),
        BusTarget::Rooms(rooms) => LinkTarget::Rooms(rooms.iter().map(|room| room.as_str().into()).collect()),
        BusTarget::Client(client) => LinkTarget::Client(client),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn linked() -> (Bus, Arc<LinkQueue>) {
        let queue = Arc::new(LinkQueue::default());
        queue.set_relaying(true);
        let mut bus = Bus::default();
        bus.link(Arc::clone(&queue));
        (bus, queue)
    }

    fn batches(queue: &LinkQueue) -> Vec<(LinkTarget, usize, u16)> {
        let batch = |outgoing| match outgoing {
            Outgoing::Frames { target, frames, count } => Some((target, frames.len(), count)),
            _ => None,
        };
        std::iter::from_fn(|| queue.try_outgoing()).filter_map(batch).collect()
    }

    #[test]
    fn messages_of_a_turn_to_the_same_target_are_one_batch_in_order() {
        let (mut bus, queue) = linked();
        bus.push(BusTarget::All, Opcode::Text, b"a");
        bus.push_encoded(BusTarget::All, b"\x81\x01b");
        bus.push(BusTarget::Room("red"), Opcode::Text, b"c");
        bus.push(BusTarget::All, Opcode::Text, b"d");
        bus.finish_turn(0, Vec::new());
        let red = || LinkTarget::Room("red".into());
        assert_eq!(batches(&queue), [(LinkTarget::All, 6, 2), (red(), 3, 1), (LinkTarget::All, 3, 1)]);
    }

    #[test]
    fn batches_are_limited() {
        let (mut bus, queue) = linked();
        for _ in 0..100 {
            bus.push(BusTarget::All, Opcode::Binary, &[0; 10_000]);
        }
        bus.push(BusTarget::All, Opcode::Binary, &[0; 1_000_000]);
        bus.finish_turn(0, Vec::new());
        let batches = batches(&queue);
        let (last, others) = batches.split_last().unwrap();
        assert_eq!(last.2, 1, "a large message is alone");
        assert!(others.iter().all(|(_, bytes, _)| *bytes <= BATCH_BYTES), "{others:?}");
        assert_eq!(others.iter().map(|(_, _, count)| count).sum::<u16>(), 100);
    }

    #[test]
    fn queue_is_closed_when_the_server_ends() {
        let (bus, queue) = linked();
        drop(bus);
        assert!(queue.is_closed());
    }
}
