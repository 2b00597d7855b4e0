//! What the server passes to the other nodes, as messages of NATS.

use std::sync::Arc;

use halloo::{LinkTarget, Outgoing};

use super::{Publishing, Session, nats};
use crate::header::{Header, Kind};
use crate::payload::{Address, encode_rooms};

/// The subject of a message, its kind, what stands before its content, and the content.
type Addressed = (Arc<str>, Kind, Vec<u8>, Vec<u8>);

/// What the broker counts besides the payload.
const OVERHEAD: usize = 64;

impl Session<'_> {
    /// Encodes a message and begins to publish it; `None` if it cannot be sent, which is counted.
    pub(super) fn publish(&mut self, outgoing: Outgoing) -> Option<Publishing> {
        let count = match &outgoing {
            Outgoing::Frames { count, .. } => *count,
            _ => 1,
        };
        let Some((subject, kind, address, content)) = self.address(outgoing) else {
            self.node.counters.dropped_out += u64::from(count);
            return None;
        };
        let length = Header::LENGTH + address.len() + content.len();
        if length + OVERHEAD > self.max_payload {
            self.node.counters.too_large += u64::from(count);
            return None;
        }
        let header = self.node.sequences.next(&subject, kind, count, self.node.number, self.node.instance);
        let mut bytes = Vec::with_capacity(length);
        header.encode(&mut bytes);
        bytes.extend_from_slice(&address);
        bytes.extend_from_slice(&content);
        self.node.counters.sent += u64::from(count);
        let (client, subject) = (self.data.clone(), nats(&subject));
        Some(Box::pin(async move { client.publish(subject, bytes.into()).await }))
    }

    /// Returns where a message goes. `None` if the client of another node
    /// is to get it that is not there.
    fn address(&self, outgoing: Outgoing) -> Option<Addressed> {
        let subjects = &self.node.subjects;
        let to_client = |client: halloo::ClientId| {
            let node = u32::try_from(client.0 >> 33).ok()?;
            let instance = self.node.members.instance_of(node)?;
            let mut address = Vec::with_capacity(Address::LENGTH);
            Address { instance, client }.encode(&mut address);
            Some((subjects.node(node), address))
        };
        match outgoing {
            Outgoing::Frames { target: LinkTarget::All, frames, .. } => {
                Some((subjects.all(), Kind::All, Vec::new(), frames))
            }
            Outgoing::Frames { target: LinkTarget::Room(room), frames, .. } => {
                Some((subjects.room(&room), Kind::Room, Vec::new(), frames))
            }
            Outgoing::Frames { target: LinkTarget::Rooms(rooms), frames, .. } => {
                let mut address = Vec::new();
                encode_rooms(&rooms, &mut address);
                Some((subjects.all(), Kind::Rooms, address, frames))
            }
            Outgoing::Frames { target: LinkTarget::Client(client), frames, .. } => {
                let (subject, address) = to_client(client)?;
                Some((subject, Kind::Client, address, frames))
            }
            Outgoing::Disconnect { client, code, reason } => {
                let (subject, address) = to_client(client)?;
                let mut content = code.number().to_be_bytes().to_vec();
                content.extend_from_slice(reason.as_bytes());
                Some((subject, Kind::Disconnect, address, content))
            }
            _ => None,
        }
    }
}
