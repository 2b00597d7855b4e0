//! The send queues of all connections: what is corked in this turn, and what their sockets do not accept.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use halloo_proto::Time;
use halloo_proto::close::CloseCode;
use halloo_proto::frame::{self, Opcode};
use halloo_proto::limits::OutboxLimits;
use halloo_proto::limits::SlowClient;
use halloo_proto::outbox::{Frames, Outbox, Pushed};

use super::connection::Connection;

/// Bytes corked for one client, or broadcast to all, before they are written within a turn; also the capacity that a
/// pooled buffer keeps.
pub(super) const CORK: usize = 64 * 1024;
/// Outboxes kept for reuse, so that a turn allocates nothing.
const MAX_POOLED: usize = 64;

/// The result of a flush.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flushed {
    /// Everything is written.
    All,
    /// The socket does not accept the rest.
    Blocked,
}

/// Lends outboxes to connections while they have something to send.
#[derive(Debug)]
pub(super) struct Outboxes {
    limits: OutboxLimits,
    memory: Arc<AtomicUsize>,
    // Boxed, as a connection keeps them: most connections have none.
    #[expect(clippy::vec_box)]
    pool: Vec<Box<Outbox>>,
    /// Connections with corked bytes.
    dirty: Vec<u32>,
    /// Connections whose drops no event has reported yet.
    dropping: Vec<u32>,
}

impl Outboxes {
    /// `memory` counts the bytes that wait in all outboxes.
    pub(super) fn new(limits: OutboxLimits, memory: Arc<AtomicUsize>) -> Outboxes {
        Outboxes { limits, memory, pool: Vec::new(), dirty: Vec::new(), dropping: Vec::new() }
    }

    /// Returns the buffer of what is written to `connection` at the end of the turn: only while it is not blocked.
    #[inline]
    pub(super) fn cork<'c>(&mut self, connection: &'c mut Connection) -> &'c mut Vec<u8> {
        let outbox = connection.outbox.get_or_insert_with(|| self.pool.pop().unwrap_or_default());
        if outbox.is_empty() {
            self.dirty.push(connection.slot);
        }
        outbox.cork()
    }

    /// Queues encoded frames for a blocked connection, within the limits.
    pub(super) fn push(&mut self, connection: &mut Connection, bytes: &[u8]) -> Pushed {
        let frames = Frames::new(bytes, &self.memory);
        self.push_frames(connection, &frames, 0)
    }

    /// Does the same with frames that several connections share, from `start` on.
    pub(super) fn push_frames(&mut self, connection: &mut Connection, frames: &Arc<Frames>, start: usize) -> Pushed {
        let outbox = connection.outbox.get_or_insert_default();
        outbox.push(frames, start, &self.limits)
    }

    /// Queues the rest of `frames` for `connection`, whose socket accepted the first `written` bytes from `start` on.
    pub(super) fn adopt(&mut self, connection: &mut Connection, frames: &Arc<Frames>, start: usize, written: usize) {
        let outbox = connection.outbox.get_or_insert_with(|| self.pool.pop().unwrap_or_default());
        outbox.adopt(frames, start, written);
    }

    /// Returns frames to share, made of a copy of `bytes`.
    pub(super) fn share(&self, bytes: &[u8]) -> Arc<Frames> {
        Frames::new(bytes, &self.memory)
    }

    /// Sends a control frame, which does not count as a message.
    pub(super) fn send_control(&mut self, connection: &mut Connection, opcode: Opcode, payload: &[u8]) {
        let mut bytes = Vec::new();
        frame::encode(&mut bytes, opcode, payload, None);
        if !connection.is_blocked() {
            self.cork(connection).extend_from_slice(&bytes);
        } else if let Some(outbox) = &mut connection.outbox {
            // A peer that does not read misses a pong when its outbox is full; its next ping asks again.
            let limits = OutboxLimits { when_full: SlowClient::DropNewest, ..self.limits };
            outbox.push(&Frames::new(&bytes, &self.memory), 0, &limits);
        }
    }

    /// Writes an HTTP response to a connection whose outbox is empty.
    pub(super) fn write_response(
        &mut self,
        connection: &mut Connection,
        response: &[u8],
        now: Time,
    ) -> io::Result<Flushed> {
        let written = connection.stream.write_some(response)?;
        if written == response.len() {
            return Ok(Flushed::All);
        }
        let outbox = connection.outbox.get_or_insert_default();
        outbox.push_last(&Frames::new(&response[written..], &self.memory));
        outbox.handle_blocked(now);
        Ok(Flushed::Blocked)
    }

    /// Sends a close frame behind everything that waits, whatever the limits.
    pub(super) fn send_close_frame(&mut self, connection: &mut Connection, code: CloseCode, text: &str) {
        let mut bytes = Vec::new();
        frame::encode_close(&mut bytes, code, text, None);
        if connection.is_blocked() {
            let frames = Frames::new(&bytes, &self.memory);
            connection.outbox.get_or_insert_default().push_last(&frames);
        } else {
            self.cork(connection).extend_from_slice(&bytes);
        }
    }

    /// Writes what is corked for `connection`, unless it is blocked.
    #[inline]
    pub(super) fn flush(&mut self, connection: &mut Connection, now: Time) -> io::Result<Flushed> {
        let Some(outbox) = &mut connection.outbox else { return Ok(Flushed::All) };
        if outbox.is_blocked() {
            return Ok(Flushed::Blocked);
        }
        let length = outbox.cork().len();
        let written = connection.stream.write_some(outbox.cork())?;
        if written == length {
            connection.handle_written(written, now);
            self.release(connection);
            return Ok(Flushed::All);
        }
        outbox.block_cork(written, &self.memory);
        outbox.handle_blocked(now);
        connection.handle_written(written, now);
        Ok(Flushed::Blocked)
    }

    /// Writes the backlog of `connection`, whose socket accepts bytes again.
    pub(super) fn write_backlog(&mut self, connection: &mut Connection, now: Time) -> io::Result<Flushed> {
        connection.write_backlog(now)?;
        if connection.is_blocked() {
            return Ok(Flushed::Blocked);
        }
        self.release(connection);
        Ok(Flushed::All)
    }

    fn release(&mut self, connection: &mut Connection) {
        if let Some(mut outbox) = connection.outbox.take()
            && self.pool.len() < MAX_POOLED
        {
            outbox.reset(CORK);
            self.pool.push(outbox);
        }
    }

    /// Discards everything that waits for `connection`, and returns the number of messages.
    pub(super) fn cut(&mut self, connection: &mut Connection) -> u64 {
        connection.outbox.as_mut().map_or(0, |outbox| outbox.cut())
    }

    /// Counts messages that were dropped for `connection`.
    pub(super) fn count_dropped(&mut self, connection: &mut Connection, messages: u64) {
        if messages == 0 {
            return;
        }
        let drops = connection.drops.get_or_insert_default();
        if drops.unreported == 0 {
            self.dropping.push(connection.slot);
        }
        drops.messages += messages;
        drops.unreported += messages;
    }

    /// Removes and returns a connection with corked bytes.
    #[inline]
    pub(super) fn pop_dirty(&mut self) -> Option<u32> {
        self.dirty.pop()
    }

    /// Removes and returns a connection with unreported drops.
    pub(super) fn pop_dropping(&mut self) -> Option<u32> {
        self.dropping.pop()
    }

    /// Returns whether there are unreported drops.
    pub(super) fn is_dropping(&self) -> bool {
        !self.dropping.is_empty()
    }

    #[cfg(test)]
    pub(super) fn pooled(&mut self) -> impl Iterator<Item = &mut Outbox> {
        self.pool.iter_mut().map(Box::as_mut)
    }
}
