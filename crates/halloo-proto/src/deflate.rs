//! The compression of RFC 7692: each message by itself, nothing kept from one to the next.

use std::borrow::Cow;
use std::fmt;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use crate::close::{CloseCode, Violation};
use crate::defaults::COMPRESS_FROM;
use crate::frame::{self, Opcode};
use crate::message::Incoming;

/// The window of what this end compresses, in bits: 4 KiB, the least that a common client (`websockets` for Python) asks
/// for, so that one compressed form of a broadcast suits all.
pub const WINDOW_BITS: u8 = 12;

/// What stands at the end of every flushed message and is not sent (RFC 7692 section 7.2.1).
const FLUSHED: [u8; 4] = [0, 0, 0xff, 0xff];
/// The same, and a last block that is empty: whoever reaches its end was at the end of a block before.
const END: [u8; 6] = [0, 0, 0xff, 0xff, 3, 0];
/// Bytes that a buffer keeps when a larger message is done.
const KEEP: usize = 64 * 1024;
/// Streams that may end within one message. A sender that cannot flush ends one with each (RFC 7692 section 7.2.3.4).
const STREAMS: usize = 64;

/// Compresses messages for any number of connections.
pub struct Deflater {
    raw: Compress,
    out: Vec<u8>,
}

impl Default for Deflater {
    fn default() -> Deflater {
        Deflater { raw: compressor(), out: Vec::new() }
    }
}

impl Deflater {
    /// Appends `payload` to `out` as one frame of a server, compressed when that makes it smaller.
    pub fn encode(&mut self, out: &mut Vec<u8>, opcode: Opcode, payload: &[u8]) {
        match self.compress(payload) {
            Some(compressed) => frame::encode_compressed(out, opcode, compressed),
            None => frame::encode(out, opcode, payload, None),
        }
    }

    fn compress(&mut self, payload: &[u8]) -> Option<&[u8]> {
        if payload.len() < COMPRESS_FROM {
            return None;
        }
        self.raw.reset();
        self.out.clear();
        self.out.shrink_to(KEEP);
        // Room for the worst: nine bits for a byte (RFC 1951 section 3.2.6), and the ends of blocks.
        self.out.reserve_exact(payload.len() + payload.len() / 8 + 1024);
        let outcome = self.raw.compress_vec(payload, &mut self.out, FlushCompress::Sync);
        // Room that is left says that all was flushed.
        let whole = self.raw.total_in() == payload.len() as u64 && self.out.len() < self.out.capacity();
        if outcome.is_err() || !whole {
            // One that stopped halfway is of no further use: zlib-rs 0.6.8 keeps its place in a buffer past a reset, and
            // panics when that is full.
            self.raw = compressor();
            return None;
        }
        let compressed = self.out.strip_suffix(&FLUSHED)?;
        (compressed.len() < payload.len()).then_some(compressed)
    }
}

/// Inflates messages of any number of connections.
pub struct Inflater {
    raw: Decompress,
    out: Vec<u8>,
}

impl Default for Inflater {
    fn default() -> Inflater {
        // The largest window reads what was written with any.
        Inflater { raw: Decompress::new(false), out: Vec::new() }
    }
}

impl Inflater {
    /// The message that a whole compressed `payload` stands for.
    ///
    /// # Errors
    /// 1009 as soon as there are more than `most` bytes, of which no more are kept; 1007 when the payload is damaged or
    /// the text is not UTF-8.
    pub fn message(&mut self, text: bool, payload: &[u8], most: usize) -> Result<Incoming<'_>, Violation> {
        let bytes = self.inflate(payload, most)?;
        Ok(match text {
            true => {
                Incoming::Text(Cow::Borrowed(simdutf8::basic::from_utf8(bytes).map_err(|_| Violation::not_utf8())?))
            }
            false => Incoming::Binary(Cow::Borrowed(bytes)),
        })
    }

    /// Bytes of memory that the last message left behind: at most one more than its limit, or 64 KiB.
    pub fn capacity(&self) -> usize {
        self.out.capacity()
    }

    fn inflate(&mut self, payload: &[u8], most: usize) -> Result<&[u8], Violation> {
        self.raw.reset(false);
        self.out.clear();
        self.out.shrink_to(KEEP);
        let mut streams = 0;
        let mut ended = false;
        for mut rest in [payload, &END] {
            loop {
                if ended && !rest.is_empty() {
                    streams += 1;
                    if streams > STREAMS {
                        return Err(damaged());
                    }
                    self.raw.reset(false);
                }
                let (taken, given) = (self.raw.total_in(), self.out.len());
                let status =
                    self.raw.decompress_vec(rest, &mut self.out, FlushDecompress::Sync).map_err(|_| damaged())?;
                rest = &rest[(self.raw.total_in() - taken) as usize..];
                ended = status == Status::StreamEnd;
                if self.out.len() > most {
                    return Err(Violation::too_big(most));
                }
                if self.out.len() == self.out.capacity() {
                    // Doubles, to one byte beyond the limit and no further.
                    let more = self.out.len().clamp(4096, KEEP.max(most)).min(most.saturating_add(1) - self.out.len());
                    self.out.reserve_exact(more);
                } else if rest.is_empty() {
                    break;
                } else if self.out.len() == given && self.raw.total_in() == taken && !ended {
                    return Err(damaged());
                }
            }
        }
        if ended { Ok(&self.out) } else { Err(damaged()) }
    }
}

impl fmt::Debug for Deflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deflater").finish_non_exhaustive()
    }
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater").finish_non_exhaustive()
    }
}

/// Of the second level. The first is twice as fast and makes messages larger by a third; those above hardly make them
/// smaller, and the thread that compresses is the one that serves all.
fn compressor() -> Compress {
    Compress::new_with_window_bits(Compression::new(2), false, WINDOW_BITS)
}

fn damaged() -> Violation {
    Violation::new(CloseCode::InvalidData, "the compressed message is damaged")
}
