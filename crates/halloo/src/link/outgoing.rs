//! What a server passes to the other nodes.

use std::sync::Arc;

use halloo_proto::close::CloseCode;

use crate::ClientId;

/// Whom messages are for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkTarget {
    /// All clients.
    All,
    /// The clients in a room.
    Room(Arc<str>),
    /// The clients in any of these rooms, once each.
    Rooms(Vec<Arc<str>>),
    /// One client.
    Client(ClientId),
}

/// What a server passes to the other nodes, or tells about itself.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outgoing {
    /// Messages, as the frames that a server sends to its clients (RFC 6455 section 5): whole, unmasked, uncompressed.
    Frames {
        /// Whom they are for.
        target: LinkTarget,
        /// The frames, one after the other.
        frames: Vec<u8>,
        /// Their number.
        count: u16,
    },
    /// A client of another node is to be disconnected.
    Disconnect {
        /// The client.
        client: ClientId,
        /// The close code.
        code: CloseCode,
        /// The reason.
        reason: String,
    },
    /// The numbers of clients changed.
    Counts {
        /// The number of clients of this server.
        clients: usize,
        /// The rooms whose number of members changed, with their number.
        rooms: Vec<(Arc<str>, usize)>,
    },
}

impl Outgoing {
    /// Returns the number of messages that are lost if this is.
    pub(super) fn messages(&self) -> u64 {
        match self {
            Outgoing::Frames { count, .. } => u64::from(*count),
            Outgoing::Disconnect { .. } => 1,
            Outgoing::Counts { .. } => 0,
        }
    }

    /// Returns the bytes of memory that count against the limit.
    pub(super) fn bytes(&self) -> usize {
        /// What an entry takes besides its content.
        const ENTRY: usize = 128;
        match self {
            Outgoing::Frames { frames, .. } => ENTRY + frames.capacity(),
            Outgoing::Disconnect { reason, .. } => ENTRY + reason.len(),
            Outgoing::Counts { .. } => 0,
        }
    }
}
