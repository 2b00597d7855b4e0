//! Messages to all clients or to those in a room: encoded once, buffered for the turn, and written to each client or shared
//! by those whose sockets do not accept them at once.

use std::io;
use std::sync::Arc;

use halloo_proto::Time;
use halloo_proto::deflate::Deflater;
use halloo_proto::frame::{self, Opcode};
use halloo_proto::outbox::{Frames, Pushed};

use super::broadcast_buffer::BroadcastBuffer;
use super::connection::Connection;
use super::outboxes::{CORK, Outboxes};
use super::rooms::{RoomKey, Rooms};

/// Broadcast bytes that are copied behind what is corked for one client, to be written together. More than that is
/// written separately and shared, or a thousand clients with a ping due would get a thousand copies.
pub(super) const MAX_COPIED: usize = 4 * 1024;

/// The broadcasts of this turn, in the forms in which clients receive them.
#[derive(Debug, Default)]
pub(super) struct Broadcast {
    plain: BroadcastBuffer,
    /// Only where messages may be compressed.
    compression: Option<Box<Compression>>,
    /// Whom everything in the buffers is for.
    audience: Audience,
}

/// Whom a broadcast is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Audience {
    #[default]
    All,
    /// The members of a room when the message is sent.
    Room(RoomKey),
    /// The clients in these slots, in ascending order.
    Clients(Vec<u32>),
}

/// The compressed form of all clients that agreed to it: no message depends on another, so it is made once.
#[derive(Default)]
struct Compression {
    deflater: Deflater,
    /// How many clients receive compressed messages.
    clients: usize,
    buffer: BroadcastBuffer,
}

/// The result of delivering the broadcasts of the turn to one client.
#[derive(Debug)]
pub(super) enum Delivered {
    /// They are written or corked.
    Written,
    /// The socket does not accept all of them now.
    Blocked,
    /// They wait in the outbox, because the socket is blocked.
    Pushed(Pushed),
}

/// The frames of this turn's buffers, made when the first client has to share them.
#[derive(Debug, Default)]
pub(super) struct SharedFrames {
    plain: Option<Arc<Frames>>,
    compressed: Option<Arc<Frames>>,
}

/// The buffers of a turn while they are delivered.
#[derive(Debug, Default)]
pub(super) struct Delivery {
    plain: BroadcastBuffer,
    compressed: BroadcastBuffer,
    frames: SharedFrames,
    audience: Audience,
}

impl Broadcast {
    pub(super) fn new(compression: bool) -> Broadcast {
        Broadcast {
            plain: BroadcastBuffer::default(),
            compression: compression.then(Box::default),
            audience: Audience::All,
        }
    }

    /// Returns whether a message to `audience` can be added, because nothing in the buffers is for another one.
    #[inline]
    pub(super) fn may_add_for(&self, audience: &Audience) -> bool {
        self.is_empty() || self.audience == *audience
    }

    /// Sets whom the messages are for that are added from now on. [`Broadcast::may_add_for`] must have allowed it.
    #[inline]
    pub(super) fn set_audience(&mut self, audience: Audience) {
        self.audience = audience;
    }

    /// Returns whether what is in the buffers is for the client in `slot`.
    pub(super) fn is_for(&self, slot: u32, rooms: &Rooms) -> bool {
        match &self.audience {
            Audience::All => true,
            Audience::Room(room) => rooms.contains(*room, slot),
            Audience::Clients(slots) => slots.binary_search(&slot).is_ok(),
        }
    }

    /// Lets a client have everything in the buffers without sending it.
    pub(super) fn skip(&mut self, connection: &mut Connection) {
        connection.offset = self.buffer_of(connection).end();
    }

    /// Adds a message. Returns whether the buffer is so full that it is to be delivered now.
    pub(super) fn add(&mut self, opcode: Opcode, payload: &[u8]) -> bool {
        frame::encode(&mut self.plain.bytes, opcode, payload, None);
        if let Some(compression) = self.compression.as_mut().filter(|compression| compression.clients > 0) {
            compression.deflater.encode(&mut compression.buffer.bytes, opcode, payload);
        }
        self.plain.bytes.len() >= CORK
    }

    /// Does the same with a frame that another thread encoded.
    pub(super) fn add_encoded(&mut self, bytes: &[u8]) -> bool {
        self.plain.bytes.extend_from_slice(bytes);
        if let Some(compression) = self.compression.as_mut().filter(|compression| compression.clients > 0)
            && let Some((opcode, payload)) = frame::encoded_message(bytes)
        {
            compression.deflater.encode(&mut compression.buffer.bytes, opcode, payload);
        }
        self.plain.bytes.len() >= CORK
    }

    /// Does the same with frames of another node.
    #[cfg(feature = "cluster")]
    pub(super) fn add_frames(&mut self, frames: &crate::link::ServerFrames) -> bool {
        let is_compressing = self.compression.as_ref().is_some_and(|compression| compression.clients > 0);
        match is_compressing {
            true => frames.iter().for_each(|frame| {
                self.add_encoded(frame);
            }),
            false => self.plain.bytes.extend_from_slice(frames.bytes()),
        }
        self.plain.bytes.len() >= CORK
    }

    /// Appends a message to one client that receives compressed messages to `out`.
    pub(super) fn encode_compressed(&mut self, out: &mut Vec<u8>, opcode: Opcode, payload: &[u8]) {
        match &mut self.compression {
            Some(compression) => compression.deflater.encode(out, opcode, payload),
            None => frame::encode(out, opcode, payload, None),
        }
    }

    /// Counts a new client. It does not receive what was broadcast earlier in this turn.
    pub(super) fn join(&mut self, connection: &mut Connection) {
        self.skip(connection);
        if let Some(compression) = self.compression.as_mut().filter(|_| connection.compressed) {
            compression.clients += 1;
        }
    }

    /// No longer counts a client.
    pub(super) fn leave(&mut self, connection: &Connection) {
        if let Some(compression) = self.compression.as_mut().filter(|_| connection.compressed) {
            compression.clients -= 1;
        }
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.plain.bytes.is_empty()
    }

    fn buffer_of(&mut self, connection: &Connection) -> &mut BroadcastBuffer {
        match &mut self.compression {
            Some(compression) if connection.compressed => &mut compression.buffer,
            _ => &mut self.plain,
        }
    }

    /// Before a message to this client alone: returns the broadcasts that must come first, which the client has from now
    /// on. `None` when they are too long to be copied and must be delivered to all clients first.
    pub(super) fn take_missing(&mut self, connection: &mut Connection) -> Option<&[u8]> {
        let buffer = self.buffer_of(connection);
        let start = buffer.missing_from(connection.offset).min(buffer.bytes.len());
        if buffer.bytes.len() - start > MAX_COPIED {
            return None;
        }
        connection.offset = buffer.end();
        Some(&buffer.bytes[start..])
    }

    /// Takes the buffers of the turn, to be handed to each client with [`Delivery::deliver`] and then to
    /// [`Broadcast::finish`].
    pub(super) fn begin(&mut self) -> Delivery {
        let compressed = self.compression.as_mut().map(|compression| std::mem::take(&mut compression.buffer));
        Delivery {
            plain: std::mem::take(&mut self.plain),
            compressed: compressed.unwrap_or_default(),
            frames: SharedFrames::default(),
            audience: std::mem::take(&mut self.audience),
        }
    }

    /// Returns the buffers, which every client has now.
    pub(super) fn finish(&mut self, mut delivery: Delivery) {
        delivery.plain.clear();
        self.plain = delivery.plain;
        if let Some(compression) = &mut self.compression {
            delivery.compressed.clear();
            compression.buffer = delivery.compressed;
        }
    }
}

impl Delivery {
    /// Returns the slots of the clients that the broadcasts are for; `None` for all clients.
    pub(super) fn recipients(&mut self, rooms: &Rooms) -> Option<Vec<u32>> {
        match std::mem::take(&mut self.audience) {
            Audience::All => None,
            // Copied, because clients that are cut off leave the room meanwhile.
            Audience::Room(room) => Some(rooms.members(room).to_vec()),
            Audience::Clients(slots) => Some(slots),
        }
    }

    /// Returns whether an open `connection` lacks some of the broadcasts.
    #[inline]
    pub(super) fn lacks(&self, connection: &Connection) -> bool {
        let buffer = if connection.compressed { &self.compressed } else { &self.plain };
        buffer.missing_from(connection.offset) < buffer.bytes.len()
    }

    /// Returns whether the broadcasts are to be written behind what is corked for `connection`, which must be flushed
    /// first otherwise.
    pub(super) fn fits_behind_cork(&self, connection: &Connection) -> bool {
        let buffer = if connection.compressed { &self.compressed } else { &self.plain };
        buffer.bytes.len() - buffer.missing_from(connection.offset) <= MAX_COPIED
    }

    /// Delivers the broadcasts to `connection`, which lacks some. Short ones are only `corked` if that is wanted.
    pub(super) fn deliver(
        &mut self,
        connection: &mut Connection,
        outboxes: &mut Outboxes,
        corked: bool,
        now: Time,
    ) -> io::Result<Delivered> {
        let (buffer, frames) = match connection.compressed {
            true => (&self.compressed, &mut self.frames.compressed),
            false => (&self.plain, &mut self.frames.plain),
        };
        let start = buffer.missing_from(connection.offset);
        let missing = &buffer.bytes[start..];
        if connection.is_blocked() {
            let frames = Arc::clone(frames.get_or_insert_with(|| outboxes.share(&buffer.bytes)));
            return Ok(Delivered::Pushed(outboxes.push_frames(connection, &frames, start)));
        }
        if !connection.is_flushed() || (corked && missing.len() <= MAX_COPIED) {
            outboxes.cork(connection).extend_from_slice(missing);
            return Ok(Delivered::Written);
        }
        let written = connection.stream.write_some(missing)?;
        connection.handle_written(written, now);
        if written == missing.len() {
            return Ok(Delivered::Written);
        }
        let frames = Arc::clone(frames.get_or_insert_with(|| outboxes.share(&buffer.bytes)));
        outboxes.adopt(connection, &frames, start, written);
        Ok(Delivered::Blocked)
    }
}

impl std::fmt::Debug for Compression {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Compression").field("clients", &self.clients).finish_non_exhaustive()
    }
}
