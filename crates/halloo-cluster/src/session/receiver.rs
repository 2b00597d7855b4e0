//! What other nodes send: checked, ordered and handed to the server.

use async_nats::Message;
use bytes::Bytes;
use futures_util::FutureExt;
use halloo::{CloseCode, LinkTarget, ServerFrames};

use super::Session;
use crate::header::{Header, HeaderFault, Kind};
use crate::members::Verdict;
use crate::payload::{Address, decode_rooms};

impl Session<'_> {
    /// Handles everything that has come, in the order of each sender.
    pub(super) fn handle_messages(&mut self, messages: &mut Vec<Message>) {
        let mut batch: Vec<(Header, Message)> = Vec::with_capacity(messages.len());
        for message in messages.drain(..) {
            match Header::decode(&message.payload) {
                Ok(Header { kind: Kind::Ask, instance, .. }) => self.handle_question(instance, message),
                Ok(header) => batch.push((header, message)),
                Err(HeaderFault::Version(version)) => self.node.handle_version(version),
                Err(HeaderFault::Invalid) => self.node.counters.dropped_in += 1,
            }
        }
        // The numbers wrap around, so those of a batch are compared by their distance.
        batch.sort_by(|(a, _), (b, _)| {
            a.instance.cmp(&b.instance).then_with(|| (a.order.wrapping_sub(b.order) as i32).cmp(&0))
        });
        for (header, message) in batch {
            self.handle_data(&header, &message);
        }
    }

    fn handle_data(&mut self, header: &Header, message: &Message) {
        let count = u64::from(header.count);
        match self.node.members.handle_data(header, &message.subject) {
            Verdict::Deliver => {
                let is_delivered = self.deliver(header, message);
                let counters = &mut self.node.counters;
                *(if is_delivered { &mut counters.received } else { &mut counters.dropped_in }) += count;
            }
            Verdict::Stranger => self.node.counters.dropped_in += count,
            Verdict::Duplicate | Verdict::Own => {}
        }
    }

    /// Hands what a message contains to the server. Returns whether it is valid and there is room for it.
    fn deliver(&self, header: &Header, message: &Message) -> bool {
        let content = message.payload.slice(Header::LENGTH..);
        let frames = |start: usize| ServerFrames::new(content.slice(start..), header.count.into()).ok();
        let link = &self.node.link;
        match header.kind {
            Kind::All => frames(0).is_some_and(|frames| link.deliver(LinkTarget::All, frames)),
            Kind::Room => {
                let room = self.rooms.get(message.subject.as_str());
                room.zip(frames(0)).is_some_and(|(room, frames)| link.deliver(LinkTarget::Room(room.clone()), frames))
            }
            Kind::Rooms => decode_rooms(&content).is_some_and(|(rooms, length)| {
                frames(length).is_some_and(|frames| link.deliver(LinkTarget::Rooms(rooms), frames))
            }),
            Kind::Client => self.own_client(&content).is_some_and(|client| {
                frames(Address::LENGTH).is_some_and(|frames| link.deliver(LinkTarget::Client(client), frames))
            }),
            Kind::Disconnect => self.disconnect(&content).is_some(),
            Kind::Beat | Kind::Ask | Kind::Bye => false,
        }
    }

    /// Returns the client that a message is for, unless it is one of another node with the same number.
    fn own_client(&self, content: &Bytes) -> Option<halloo::ClientId> {
        Address::decode(content).filter(|address| address.instance == self.node.instance).map(|address| address.client)
    }

    fn disconnect(&self, content: &Bytes) -> Option<()> {
        let client = self.own_client(content)?;
        let (code, reason) = content.get(Address::LENGTH..)?.split_first_chunk()?;
        let code = CloseCode::from(u16::from_be_bytes(*code));
        let reason = std::str::from_utf8(reason).ok().filter(|_| code.is_sendable())?;
        // A longer one is cut in any case.
        let reason: String = reason.chars().take(123).collect();
        self.node.link.disconnect(client, code, reason).then_some(())
    }

    /// Answers a node that asks whether its number is free.
    fn handle_question(&self, instance: u64, message: Message) {
        if let Some(reply) = message.reply.filter(|_| instance != self.node.instance) {
            let (client, answer) = (self.control.clone(), self.node.announcement(Kind::Beat));
            // Not waited for, so that a flood of questions takes no memory.
            let _ = client.publish(reply, answer.into()).now_or_never();
        }
    }
}
