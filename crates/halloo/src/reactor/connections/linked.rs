//! What other nodes of a cluster send to the clients of this one.

use super::{Audience, Connections};
use crate::LeaveReason;
use crate::link::{Incoming, LinkQueue, LinkTarget, ServerFrames};
use crate::reactor::LinkCommand;

/// Bytes that are delivered in one turn, so that a flood from other nodes does not delay what the clients of this one send.
const TURN_BYTES: usize = 256 * 1024;

impl Connections {
    /// Handles a command about the link. Returns whether there is more to deliver in another turn.
    pub(in crate::reactor) fn handle_link(&mut self, command: LinkCommand) -> bool {
        if let LinkCommand::Attach(queue) = command {
            self.bus.link(queue);
            self.egress.rooms.watch();
        }
        let Some(queue) = self.bus.queue() else { return false };
        if queue.is_closed() {
            self.bus.unlink();
            self.egress.rooms.unwatch();
            return false;
        }
        self.receive(&queue)
    }

    fn receive(&mut self, queue: &LinkQueue) -> bool {
        let mut bytes = 0;
        while bytes < TURN_BYTES {
            match queue.pop_incoming() {
                None => return false,
                Some(Incoming::Event(event)) => self.egress.membership.push_event(*event),
                Some(Incoming::Disconnect(client, code, text)) => {
                    if let Some(slot) = self.egress.membership.slot_of(client) {
                        self.close(slot, code, &text, LeaveReason::Disconnected(text.clone()));
                    }
                }
                Some(Incoming::Frames(target, frames)) => {
                    bytes += frames.bytes().len().max(64);
                    self.deliver(&target, &frames);
                }
            }
        }
        true
    }

    fn deliver(&mut self, target: &LinkTarget, frames: &ServerFrames) {
        let (audience, recipients) = match target {
            LinkTarget::All => (Audience::All, self.shared().clients()),
            LinkTarget::Room(room) => {
                let Some(room) = self.egress.rooms.find(room) else { return };
                (Audience::Room(room), self.egress.rooms.members(room).len())
            }
            LinkTarget::Rooms(rooms) => {
                let keys = rooms.iter().filter_map(|room| self.egress.rooms.find(room));
                let mut slots: Vec<u32> = keys.flat_map(|key| self.egress.rooms.members(key)).copied().collect();
                slots.sort_unstable();
                slots.dedup();
                let recipients = slots.len();
                (Audience::Clients(slots), recipients)
            }
            LinkTarget::Client(client) => {
                // Only to a client of this node, or it would go back.
                if self.egress.membership.slot_of(*client).is_some() {
                    for frame in frames.iter() {
                        self.send_encoded(*client, frame);
                    }
                }
                return;
            }
        };
        if recipients > 0 {
            self.begin_broadcast(audience);
            let is_full = self.egress.broadcast.add_frames(frames);
            self.handle_broadcast(recipients * frames.count(), is_full);
        }
    }

    /// Passes on what the turn has collected for other nodes, and the numbers that changed.
    #[inline]
    pub(in crate::reactor) fn finish_linked_turn(&mut self) {
        if self.bus.is_linked() {
            let rooms = self.egress.rooms.take_changed();
            let clients = self.shared().clients();
            self.bus.finish_turn(clients, rooms);
        }
    }
}
