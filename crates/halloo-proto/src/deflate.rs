//! Compression (RFC 7692) without context takeover: each message is compressed independently.

use std::borrow::Cow;
use std::fmt;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use crate::close::{CloseCode, Violation};
use crate::defaults::MIN_COMPRESSED_BYTES;
use crate::frame::{self, Opcode, Role};
use crate::message::Incoming;

/// The window for compression in bits (12 are 4 KiB): the smallest that a common client (`websockets` for Python)
/// requests, so that all clients can read the same compressed broadcast.
pub const WINDOW_BITS: u8 = 12;

/// The end of every flushed message, which is not sent (RFC 7692 section 7.2.1).
const FLUSHED: [u8; 4] = [0, 0, 0xff, 0xff];
/// The same, followed by an empty last block, so that the stream ends if, and only if, the message ended with a whole
/// block.
const END: [u8; 6] = [0, 0, 0xff, 0xff, 3, 0];
/// Bytes of capacity that a buffer keeps after a larger message.
const KEEP: usize = 64 * 1024;
/// Maximum number of DEFLATE streams that may end within one message. A sender that cannot flush ends one with each
/// flush (RFC 7692 section 7.2.3.4).
const MAX_STREAMS: usize = 64;

/// Compresses the messages of any number of connections.
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
    /// Appends `payload` to `out` as one frame of a server, compressed if that makes it smaller.
    pub fn encode(&mut self, out: &mut Vec<u8>, opcode: Opcode, payload: &[u8]) {
        match self.compress(payload) {
            Some(compressed) => frame::encode_compressed(out, opcode, compressed),
            None => frame::encode(out, opcode, payload, None),
        }
    }

    fn compress(&mut self, payload: &[u8]) -> Option<&[u8]> {
        if payload.len() < MIN_COMPRESSED_BYTES {
            return None;
        }
        self.raw.reset();
        self.out.clear();
        self.out.shrink_to(KEEP);
        // The worst case: nine bits for a byte (RFC 1951 section 3.2.6), and the ends of blocks.
        self.out.reserve_exact(payload.len() + payload.len() / 8 + 1024);
        let outcome = self.raw.compress_vec(payload, &mut self.out, FlushCompress::Sync);
        // Unused capacity means that everything was flushed.
        let whole = self.raw.total_in() == payload.len() as u64 && self.out.len() < self.out.capacity();
        if outcome.is_err() || !whole {
            // A compressor that stopped halfway cannot be used again: zlib-rs 0.6.8 keeps its position in a buffer
            // across a reset, and panics when the buffer is full.
            self.raw = compressor();
            return None;
        }
        let compressed = self.out.strip_suffix(&FLUSHED)?;
        (compressed.len() < payload.len()).then_some(compressed)
    }
}

/// Decompresses the messages of any number of connections.
pub struct Inflater {
    raw: Decompress,
    out: Vec<u8>,
}

impl Default for Inflater {
    fn default() -> Inflater {
        // The largest window can read data that was written with any window.
        Inflater { raw: Decompress::new(false), out: Vec::new() }
    }
}

impl Inflater {
    /// Decompresses the whole payload of a message.
    ///
    /// # Errors
    /// Close code 1009 as soon as the output exceeds `max_bytes` (at most one byte more is stored); 1007 if the payload
    /// is damaged or the text is not UTF-8.
    pub fn message(&mut self, text: bool, payload: &[u8], max_bytes: usize) -> Result<Incoming<'_>, Violation> {
        let bytes = self.inflate(payload, max_bytes)?;
        Ok(match text {
            true => {
                Incoming::Text(Cow::Borrowed(simdutf8::basic::from_utf8(bytes).map_err(|_| Violation::not_utf8())?))
            }
            false => Incoming::Binary(Cow::Borrowed(bytes)),
        })
    }

    /// Returns the capacity of the buffer in bytes: at most 64 KiB, or the limit of the last message plus one.
    pub fn capacity(&self) -> usize {
        self.out.capacity()
    }

    fn inflate(&mut self, payload: &[u8], max_bytes: usize) -> Result<&[u8], Violation> {
        self.raw.reset(false);
        self.out.clear();
        self.out.shrink_to(KEEP);
        let mut streams = 0;
        let mut ended = false;
        for mut rest in [payload, &END] {
            loop {
                if ended && !rest.is_empty() {
                    streams += 1;
                    if streams > MAX_STREAMS {
                        return Err(damaged());
                    }
                    self.raw.reset(false);
                }
                let (taken, given) = (self.raw.total_in(), self.out.len());
                let status =
                    self.raw.decompress_vec(rest, &mut self.out, FlushDecompress::Sync).map_err(|_| damaged())?;
                rest = &rest[(self.raw.total_in() - taken) as usize..];
                ended = status == Status::StreamEnd;
                if self.out.len() > max_bytes {
                    // Only servers agree to compression.
                    return Err(Violation::too_big(Role::Server.name(), max_bytes));
                }
                if self.out.len() == self.out.capacity() {
                    // The capacity doubles, up to one byte more than the limit.
                    let more = self
                        .out
                        .len()
                        .clamp(4096, KEEP.max(max_bytes))
                        .min(max_bytes.saturating_add(1) - self.out.len());
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

/// Returns a compressor of level 2. Level 1 is twice as fast, but its output is a third larger; higher levels hardly
/// reduce the output, and the thread that compresses also serves all connections.
fn compressor() -> Compress {
    Compress::new_with_window_bits(Compression::new(2), false, WINDOW_BITS)
}

/// Returns the violation for a payload that cannot be decompressed.
fn damaged() -> Violation {
    Violation::new(CloseCode::InvalidData, "the compressed message is damaged")
}
