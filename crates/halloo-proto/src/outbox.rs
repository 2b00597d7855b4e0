//! The send queue of one client: a cork for the current turn, and a bounded backlog while the socket is blocked.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::Time;
use crate::frame;
use crate::limits::{OutboxLimits, SlowClient};

/// The result of queueing frames. Counts do not include control frames, because no application sent them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// All frames were queued.
    Queued,
    /// This many messages were dropped, old or new ones, depending on the policy.
    Dropped(u64),
    /// The limit was reached, and the policy is to disconnect; this many messages were not queued.
    Overflow(u64),
}

/// Bytes of memory that frames take besides their content: two allocations with reference counts, and the allocator's
/// overhead. Without it, thousands of tiny messages would count as a fortieth of their memory.
const OVERHEAD: usize = 80;

/// Encoded frames that several outboxes may share. A counter includes their memory while any outbox holds them.
#[derive(Debug)]
pub struct Frames {
    bytes: Box<[u8]>,
    memory: Arc<AtomicUsize>,
}

impl Frames {
    /// Copies `bytes` and adds their memory to the counter.
    pub fn new(bytes: &[u8], memory: &Arc<AtomicUsize>) -> Arc<Frames> {
        memory.fetch_add(OVERHEAD + bytes.len(), Ordering::Relaxed);
        Arc::new(Frames { bytes: bytes.into(), memory: Arc::clone(memory) })
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        self.memory.fetch_sub(OVERHEAD + self.bytes.len(), Ordering::Relaxed);
    }
}

/// A frame that waits for one client. The memory of its entry in the queue is counted, too, because each client has its
/// own.
#[derive(Debug)]
struct Waiting {
    frames: Arc<Frames>,
    start: usize,
    end: usize,
}

impl Waiting {
    fn new(frames: &Arc<Frames>, start: usize, end: usize) -> Waiting {
        frames.memory.fetch_add(size_of::<Waiting>(), Ordering::Relaxed);
        Waiting { frames: Arc::clone(frames), start, end }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.frames.memory.fetch_sub(size_of::<Waiting>(), Ordering::Relaxed);
    }
}

/// The send queue of one client.
#[derive(Debug, Default)]
pub struct Outbox {
    /// The frames of this turn, which are written at once; used only while there is no backlog.
    cork: Vec<u8>,
    backlog: VecDeque<Waiting>,
    /// Bytes of the first frame of the backlog that the socket has accepted.
    written: usize,
    bytes: usize,
    blocked_since: Option<Time>,
}

impl Outbox {
    /// Returns whether both the cork and the backlog are empty.
    pub fn is_empty(&self) -> bool {
        self.cork.is_empty() && self.backlog.is_empty()
    }

    /// Returns whether the backlog contains frames that the socket did not accept.
    pub fn is_blocked(&self) -> bool {
        !self.backlog.is_empty()
    }

    /// Records that the socket has accepted nothing since `now`.
    pub fn handle_blocked(&mut self, now: Time) {
        self.blocked_since = Some(now);
    }

    /// Returns the time since when the socket has accepted nothing; `None` if it is not blocked.
    pub fn blocked_since(&self) -> Option<Time> {
        self.blocked_since.filter(|_| self.is_blocked())
    }

    /// Returns the number of bytes that wait.
    pub fn bytes(&self) -> usize {
        self.bytes + self.cork.len()
    }

    /// Returns the maximum memory that the outbox takes, in bytes: as if no frames were shared.
    pub fn memory(&self) -> usize {
        self.bytes() + self.backlog.len() * (OVERHEAD + size_of::<Waiting>())
    }

    /// Returns the number of frames that wait because the socket is blocked.
    pub fn messages(&self) -> usize {
        self.backlog.len()
    }

    /// Returns the number of messages, without control frames, that are lost if the connection breaks: those that wait,
    /// and one that was written in part.
    pub fn unsent(&self) -> u64 {
        let waiting = self.backlog.iter().filter(|waiting| is_message(&waiting.frames.bytes[waiting.start..]));
        waiting.count() as u64 + messages_from(&self.cork, 0)
    }

    /// Returns the cork, to append frames to. Call this only while the outbox is not blocked.
    pub fn cork(&mut self) -> &mut Vec<u8> {
        debug_assert!(self.backlog.is_empty());
        &mut self.cork
    }

    /// Moves the part of the cork that the socket did not accept, from byte `taken` on, into the backlog.
    pub fn block_cork(&mut self, taken: usize, memory: &Arc<AtomicUsize>) {
        let start = whole_frames_before(&self.cork, taken);
        let frames = Frames::new(&self.cork[start..], memory);
        self.cork.clear();
        self.adopt(&frames, 0, taken - start);
    }

    /// Queues all frames of `frames` from byte `start` on, of which the socket has accepted the first `taken` bytes.
    pub fn adopt(&mut self, frames: &Arc<Frames>, start: usize, taken: usize) {
        debug_assert!(self.backlog.is_empty());
        let first = start + whole_frames_before(&frames.bytes[start..], taken);
        self.written = start + taken - first;
        self.bytes = frames.bytes.len() - start - taken;
        for (start, end) in boundaries(&frames.bytes, first) {
            self.backlog.push_back(Waiting::new(frames, start, end));
        }
    }

    /// Appends the frames of `frames` from byte `start` on to the backlog, within `limits`.
    pub fn push(&mut self, frames: &Arc<Frames>, start: usize, limits: &OutboxLimits) -> Pushed {
        let mut dropped = 0;
        for (start, end) in boundaries(&frames.bytes, start) {
            let length = end - start;
            while self.backlog.len() >= limits.max_messages || self.bytes + length > limits.max_bytes {
                match limits.when_full {
                    SlowClient::Disconnect => return Pushed::Overflow(messages_from(&frames.bytes, start)),
                    // Evicting the others for a message that can never fit would only lose more messages.
                    SlowClient::DropOldest
                        if length <= limits.max_bytes && self.backlog.len() > self.partly_written() =>
                    {
                        dropped += self.drop_oldest();
                    }
                    SlowClient::DropOldest | SlowClient::DropNewest => break,
                }
            }
            if self.backlog.len() >= limits.max_messages || self.bytes + length > limits.max_bytes {
                dropped += u64::from(is_message(&frames.bytes[start..]));
                continue;
            }
            self.bytes += length;
            self.backlog.push_back(Waiting::new(frames, start, end));
        }
        if dropped == 0 { Pushed::Queued } else { Pushed::Dropped(dropped) }
    }

    /// Appends one frame to the backlog, regardless of the limits: for close frames, after which nothing is sent.
    pub fn push_last(&mut self, frames: &Arc<Frames>) {
        self.bytes += frames.bytes.len();
        self.backlog.push_back(Waiting::new(frames, 0, frames.bytes.len()));
    }

    /// Drops everything except a frame that was written in part, and returns the number of messages dropped.
    pub fn cut(&mut self) -> u64 {
        let mut dropped = messages_from(&self.cork, 0);
        self.cork.clear();
        while self.backlog.len() > self.partly_written() {
            dropped += self.drop_oldest();
        }
        dropped
    }

    /// Empties the outbox for its next client, and shrinks its buffer to `keep` bytes.
    pub fn reset(&mut self, keep: usize) {
        self.cork.clear();
        self.cork.shrink_to(keep);
        self.backlog = VecDeque::new();
        self.written = 0;
        self.bytes = 0;
        self.blocked_since = None;
    }

    /// Points `slices` at the backlog, oldest frame first, and returns how many were used.
    pub fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut used = 0;
        for (slice, waiting) in slices.iter_mut().zip(&self.backlog) {
            let skip = if used == 0 { self.written } else { 0 };
            *slice = IoSlice::new(&waiting.frames.bytes[waiting.start + skip..waiting.end]);
            used += 1;
        }
        used
    }

    /// Records that the socket accepted `taken` bytes of the backlog.
    pub fn advance(&mut self, taken: usize) {
        self.bytes -= taken;
        self.written += taken;
        while let Some(first) = self.backlog.front() {
            let length = first.end - first.start;
            if self.written < length {
                break;
            }
            self.written -= length;
            self.backlog.pop_front();
        }
    }

    /// Drops the oldest frame that was not written in part. Returns 1 if it was a message, 0 if not.
    fn drop_oldest(&mut self) -> u64 {
        let Some(oldest) = self.backlog.remove(self.partly_written()) else { return 0 };
        self.bytes -= oldest.end - oldest.start;
        u64::from(is_message(&oldest.frames.bytes[oldest.start..]))
    }

    /// Returns the number of frames that were written in part: 1 if the first one was, otherwise 0.
    fn partly_written(&self) -> usize {
        usize::from(self.written > 0)
    }
}

/// Returns whether a frame is a message. The opcodes of control frames have bit 3 set (RFC 6455 section 5.5).
fn is_message(frame: &[u8]) -> bool {
    frame.first().is_some_and(|first| first & 0x08 == 0)
}

fn messages_from(bytes: &[u8], start: usize) -> u64 {
    boundaries(bytes, start).filter(|&(start, _)| is_message(&bytes[start..])).count() as u64
}

/// Returns the start and the end of each whole frame in `bytes` from `start` on.
fn boundaries(bytes: &[u8], start: usize) -> impl Iterator<Item = (usize, usize)> + '_ {
    let mut at = start;
    std::iter::from_fn(move || {
        let start = at;
        at += frame::encoded_length(&bytes[start..])?;
        Some((start, at))
    })
}

/// Returns the start of the frame that contains the byte at `taken`.
fn whole_frames_before(bytes: &[u8], taken: usize) -> usize {
    boundaries(bytes, 0).take_while(|&(_, end)| end <= taken).last().map_or(0, |(_, end)| end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Opcode;

    fn frames(texts: &[&str]) -> (Arc<Frames>, Arc<AtomicUsize>) {
        let memory = Arc::default();
        let mut bytes = Vec::new();
        for text in texts {
            frame::encode(&mut bytes, Opcode::Text, text.as_bytes(), None);
        }
        (Frames::new(&bytes, &memory), memory)
    }

    fn drain(outbox: &mut Outbox, step: usize) -> Vec<u8> {
        let mut out = Vec::new();
        loop {
            let mut slices = [IoSlice::new(&[]); 4];
            let used = outbox.slices(&mut slices);
            let piece: Vec<u8> = slices[..used].iter().flat_map(|s| s.iter().copied()).take(step).collect();
            if piece.is_empty() {
                return out;
            }
            outbox.advance(piece.len());
            out.extend(piece);
        }
    }

    const LIMITS: OutboxLimits = OutboxLimits { max_messages: 3, max_bytes: 1000, when_full: SlowClient::DropOldest };

    #[test]
    fn unsent_counts_corked_and_waiting_messages() {
        let mut outbox = Outbox::default();
        frame::encode(outbox.cork(), Opcode::Text, b"one", None);
        frame::encode(outbox.cork(), Opcode::Ping, b"", None);
        frame::encode(outbox.cork(), Opcode::Text, b"two", None);
        assert_eq!(outbox.unsent(), 2);
        outbox.block_cork(6, &Arc::default());
        assert_eq!(outbox.unsent(), 1, "the first one was written");
    }

    #[test]
    fn partly_written_cork_continues_where_it_stopped() {
        for taken in 0..8 {
            for step in 1..9 {
                let mut outbox = Outbox::default();
                let memory = Arc::default();
                frame::encode(outbox.cork(), Opcode::Text, b"one", None);
                frame::encode(outbox.cork(), Opcode::Text, b"two", None);
                let all = outbox.cork().clone();
                outbox.block_cork(taken, &memory);
                assert_eq!(outbox.bytes(), all.len() - taken);
                assert_eq!(drain(&mut outbox, step), all[taken..]);
                assert!(outbox.is_empty());
                assert_eq!(memory.load(Ordering::Relaxed), 0, "the memory of written frames is released");
            }
        }
    }

    #[test]
    fn shared_frames_continue_where_the_socket_stopped() {
        let (shared, _) = frames(&["one", "two", "three"]);
        let whole = shared.bytes.to_vec();
        for start in [0, 5] {
            for taken in 0..whole.len() - start {
                let mut outbox = Outbox::default();
                outbox.adopt(&shared, start, taken);
                assert_eq!(outbox.bytes(), whole.len() - start - taken);
                assert_eq!(drain(&mut outbox, 2), whole[start + taken..], "{taken} bytes taken from {start} on");
            }
        }
    }

    #[test]
    fn drop_oldest_keeps_the_partly_written_frame() {
        let (shared, _) = frames(&["a", "b", "c", "d", "e"]);
        let mut outbox = Outbox::default();
        assert_eq!(outbox.push(&frames(&["first"]).0, 0, &LIMITS), Pushed::Queued);
        outbox.advance(2);
        assert_eq!(outbox.push(&shared, 0, &LIMITS), Pushed::Dropped(3));
        assert_eq!(drain(&mut outbox, 100), b"first\x81\x01d\x81\x01e");
    }

    #[test]
    fn drop_newest_drops_and_disconnect_refuses() {
        let (shared, memory) = frames(&["a", "b", "c", "d", "e"]);
        let mut outbox = Outbox::default();
        let newest = OutboxLimits { when_full: SlowClient::DropNewest, ..LIMITS };
        assert_eq!(outbox.push(&shared, 0, &newest), Pushed::Dropped(2));
        assert_eq!(
            outbox.push(&shared, 0, &OutboxLimits { when_full: SlowClient::Disconnect, ..LIMITS }),
            Pushed::Overflow(5)
        );
        assert_eq!(outbox.messages(), 3);
        outbox.advance(1);
        assert_eq!(outbox.cut(), 2);
        assert_eq!(drain(&mut outbox, 100), b"\x01a");
        drop(shared);
        assert_eq!(memory.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn dropped_control_frames_are_not_counted() {
        let mut bytes = Vec::new();
        for opcode in [Opcode::Ping, Opcode::Text, Opcode::Pong, Opcode::Binary] {
            frame::encode(&mut bytes, opcode, b"", None);
        }
        let frames = Frames::new(&bytes, &Arc::default());
        let mut outbox = Outbox::default();
        assert_eq!(outbox.push(&frames, 0, &LIMITS), Pushed::Queued, "the ping was dropped");
        assert_eq!(outbox.push(&frames, 0, &LIMITS), Pushed::Dropped(2));
        assert_eq!(outbox.cut(), 2);
        let newest = OutboxLimits { when_full: SlowClient::DropNewest, ..LIMITS };
        assert_eq!(outbox.push(&frames, 0, &newest), Pushed::Dropped(1));
        assert_eq!(
            outbox.push(&frames, 0, &OutboxLimits { when_full: SlowClient::Disconnect, ..LIMITS }),
            Pushed::Overflow(2)
        );
        let mut corked = Outbox::default();
        corked.cork().extend_from_slice(&bytes);
        assert_eq!(corked.cut(), 2);
    }

    #[test]
    fn message_larger_than_the_limit_is_dropped_alone() {
        let big = "x".repeat(2000);
        let (shared, _) = frames(&["a", &big, "b"]);
        let mut outbox = Outbox::default();
        assert_eq!(
            outbox.push(&shared, 0, &OutboxLimits { when_full: SlowClient::DropNewest, ..LIMITS }),
            Pushed::Dropped(1)
        );
        assert_eq!(drain(&mut outbox, 100), b"\x81\x01a\x81\x01b");
    }

    #[test]
    fn unsent_leaves_out_what_the_socket_accepted() {
        let mut outbox = Outbox::default();
        let memory = Arc::default();
        frame::encode(outbox.cork(), Opcode::Text, b"taken", None);
        frame::encode(outbox.cork(), Opcode::Ping, b"", None);
        frame::encode(outbox.cork(), Opcode::Binary, b"half", None);
        frame::encode(outbox.cork(), Opcode::Text, b"waits", None);
        outbox.block_cork(11, &memory);
        assert_eq!((outbox.messages(), outbox.unsent()), (2, 2));
        outbox.reset(0);
        frame::encode(outbox.cork(), Opcode::Ping, b"", None);
        outbox.block_cork(0, &memory);
        assert_eq!((outbox.messages(), outbox.unsent()), (1, 0));
    }

    #[test]
    fn shared_broadcast_counts_once() {
        let (shared, memory) = frames(&["abc"]);
        let mut outboxes: Vec<Outbox> = (0..10).map(|_| Outbox::default()).collect();
        let before = memory.load(Ordering::Relaxed);
        for outbox in &mut outboxes {
            outbox.push(&shared, 0, &LIMITS);
        }
        let entries = 10 * std::mem::size_of::<Waiting>();
        assert_eq!(memory.load(Ordering::Relaxed), before + entries, "only the entries of the queues are added");
    }

    #[test]
    fn tiny_messages_count_with_their_overhead() {
        let (memory, mut outbox) = (Arc::default(), Outbox::default());
        let limits = OutboxLimits { max_messages: 1000, max_bytes: 1000, when_full: SlowClient::DropNewest };
        for _ in 0..200 {
            outbox.push(&Frames::new(b"\x81\x01x", &memory), 0, &limits);
        }
        // A message of three bytes takes two allocations and an entry in the queue.
        assert!(memory.load(Ordering::Relaxed) >= 200 * 12 * size_of::<usize>());
        assert_eq!((outbox.bytes(), outbox.memory()), (600, memory.load(Ordering::Relaxed)));
        outbox.reset(0);
        assert_eq!(memory.load(Ordering::Relaxed), 0);
    }
}
