//! RFC 6455 frames: decodes headers, unmasks payloads in place, and encodes frames.

use crate::close::{CloseCode, Violation};

/// Maximum size of a header in bytes: 2, plus 8 of extended length, plus 4 of masking key (RFC 6455 section 5.2).
pub const MAX_HEADER: usize = 14;
/// Maximum size of the payload of a control frame in bytes (RFC 6455 section 5.5).
pub const MAX_CONTROL: usize = 125;
/// The reserved bits of the first byte, which must be zero unless an extension uses them.
const RESERVED: u8 = 0x70;
/// The first of these bits: the message is compressed (RFC 7692 section 6).
const COMPRESSED: u8 = 0x40;

/// What a frame is for (RFC 6455 section 11.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Opcode {
    /// A further fragment of a message.
    Continuation = 0,
    /// UTF-8 text.
    Text = 1,
    /// Arbitrary bytes.
    Binary = 2,
    /// Begins or completes the close handshake.
    Close = 8,
    /// Requests a pong with the same payload.
    Ping = 9,
    /// Responds to a ping, or is sent unsolicited as a heartbeat (RFC 6455 section 5.5.3).
    Pong = 10,
}

impl Opcode {
    fn from_bits(bits: u8) -> Option<Opcode> {
        Some(match bits {
            0 => Opcode::Continuation,
            1 => Opcode::Text,
            2 => Opcode::Binary,
            8 => Opcode::Close,
            9 => Opcode::Ping,
            10 => Opcode::Pong,
            _ => return None,
        })
    }

    /// Returns whether this is close, ping or pong. Such a frame is never fragmented, and its payload has at most
    /// [`MAX_CONTROL`] bytes.
    pub fn is_control(self) -> bool {
        self as u8 >= 8
    }
}

/// A side of a connection. A client masks its frames, and a server does not. Each closes the connection if the peer
/// violates this rule (RFC 6455 section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Reads masked frames and writes unmasked ones.
    Server,
    /// Reads unmasked frames and writes masked ones.
    Client,
}

impl Role {
    /// Returns `"server"` or `"client"`, for error messages.
    pub fn name(self) -> &'static str {
        match self {
            Role::Server => "server",
            Role::Client => "client",
        }
    }
}

/// Bytes of the header of a short masked frame: two, and the masking key.
pub(crate) const SHORT_HEADER: usize = 6;
/// Bytes that are masked at once.
const BLOCK: usize = 64;

/// A decoded frame header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Whether this is the last frame of its message.
    pub fin: bool,
    /// What the frame is for.
    pub opcode: Opcode,
    /// Whether the message that begins with this frame is compressed.
    pub compressed: bool,
    /// The masking key, if the sender is a client.
    pub mask: Option<[u8; 4]>,
    /// Bytes of payload that follow the header.
    pub payload: u64,
    /// Bytes of the header itself, 2 to [`MAX_HEADER`].
    pub length: usize,
}

/// Decodes the header at the start of `bytes`; `None` if more bytes are needed. `deflate`: messages may be compressed,
/// as negotiated in the handshake.
///
/// # Errors
/// A [`Violation`] with code 1002 for reserved bits, unknown opcodes, oversized or fragmented control frames, a length
/// that has its top bit set or is not in its shortest form, and a mask that is missing or not allowed.
// Without the attribute it is not inlined, and passing the header through memory costs a tenth of the time for a small
// message.
#[inline(always)]
pub fn decode_header(bytes: &[u8], role: Role, deflate: bool) -> Result<Option<Header>, Violation> {
    let [first, second, rest @ ..] = bytes else { return Ok(None) };
    let reserved = first & RESERVED;
    // Only in the first frame of a message: not in a continuation or a control frame (RFC 7692 section 6.1).
    if reserved != 0 && !(deflate && reserved == COMPRESSED && matches!(first & 0x0f, 1 | 2)) {
        return Err(Violation::protocol("reserved bits are set that no extension gives a meaning here"));
    }
    let fin = first & 0x80 != 0;
    let opcode = Opcode::from_bits(first & 0x0f).ok_or(Violation::protocol("reserved opcode"))?;
    let masked = second & 0x80 != 0;
    match role {
        Role::Server if !masked => return Err(Violation::protocol("a client must mask its frames")),
        Role::Client if masked => return Err(Violation::protocol("a server must not mask its frames")),
        _ => {}
    }
    let short = second & 0x7f;
    if opcode.is_control() {
        if !fin {
            return Err(Violation::protocol("a control frame must not be fragmented"));
        }
        if usize::from(short) > MAX_CONTROL {
            return Err(Violation::protocol("a control frame holds at most 125 bytes"));
        }
    }
    let (payload, extended) = match short {
        126 => {
            let Some(&bytes) = rest.first_chunk::<2>() else { return Ok(None) };
            let length = u64::from(u16::from_be_bytes(bytes));
            if length < 126 {
                return Err(Violation::protocol("the length is not in its shortest form"));
            }
            (length, 2)
        }
        127 => {
            let Some(&bytes) = rest.first_chunk::<8>() else { return Ok(None) };
            let length = u64::from_be_bytes(bytes);
            if length >> 63 != 0 {
                return Err(Violation::protocol("the length has its top bit set"));
            }
            if length <= u64::from(u16::MAX) {
                return Err(Violation::protocol("the length is not in its shortest form"));
            }
            (length, 8)
        }
        short => (u64::from(short), 0),
    };
    let mut length = 2 + extended;
    let mask = if masked {
        let Some(&key) = rest.get(extended..).and_then(|rest| rest.first_chunk::<4>()) else { return Ok(None) };
        length += 4;
        Some(key)
    } else {
        None
    };
    Ok(Some(Header { fin, opcode, compressed: reserved != 0, mask, payload, length }))
}

/// Applies the masking key to a part of a payload that begins at `offset` (RFC 6455 section 5.3).
///
/// Masking is its own inverse, so this both masks and unmasks.
pub fn mask(payload: &mut [u8], key: [u8; 4], offset: usize) {
    let turned = u32::from_le_bytes(key).rotate_right(8 * (offset % 4) as u32);
    let mask_words = |bytes: &mut [[u8; 4]]| {
        for word in bytes {
            *word = (u32::from_le_bytes(*word) ^ turned).to_le_bytes();
        }
    };
    // Blocks of a constant size, for which the compiler uses wide registers.
    let (blocks, rest) = payload.as_chunks_mut::<BLOCK>();
    for block in blocks {
        mask_words(block.as_chunks_mut().0);
    }
    let (words, rest) = rest.as_chunks_mut();
    mask_words(words);
    for (byte, key) in rest.iter_mut().zip(turned.to_le_bytes()) {
        *byte ^= key;
    }
}

/// Recognises a whole masked data message of less than 126 bytes at the start of `bytes`, by far the most common frame,
/// with a few comparisons. Returns its opcode, its masking key and the bytes of the frame; `None` for everything else,
/// which [`decode_header`] handles.
#[inline(always)]
pub(crate) fn short_message(bytes: &[u8]) -> Option<(Opcode, [u8; 4], usize)> {
    let &[first, second, a, b, c, d, ..] = bytes else { return None };
    let opcode = match first {
        0x81 => Opcode::Text,
        0x82 => Opcode::Binary,
        _ => return None,
    };
    let payload = usize::from(second ^ 0x80);
    let whole = SHORT_HEADER + payload;
    (payload < 126 && whole <= bytes.len()).then_some((opcode, [a, b, c, d], whole))
}

/// Appends one whole, unfragmented frame to `out`; masked if `key` is given, which a client must do.
pub fn encode(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8], key: Option<[u8; 4]>) {
    let mask_bit = if key.is_some() { 0x80 } else { 0 };
    out.reserve(payload.len() + MAX_HEADER);
    out.push(0x80 | opcode as u8);
    match payload.len() {
        length @ 0..=125 => out.push(mask_bit | length as u8),
        length @ 126..=0xffff => {
            out.push(mask_bit | 126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            out.push(mask_bit | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    if let Some(key) = key {
        out.extend_from_slice(&key);
    }
    let start = out.len();
    out.extend_from_slice(payload);
    if let Some(key) = key {
        mask(&mut out[start..], key, 0);
    }
}

/// Appends one whole, unmasked frame whose payload was compressed.
pub(crate) fn encode_compressed(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8]) {
    let start = out.len();
    encode(out, opcode, payload, None);
    out[start] |= COMPRESSED;
}

/// Returns the opcode and the payload of one whole, unmasked and uncompressed frame, as [`encode`] produces it.
pub fn encoded_message(frame: &[u8]) -> Option<(Opcode, &[u8])> {
    let header = decode_header(frame, Role::Client, false).ok()??;
    Some((header.opcode, frame.get(header.length..)?))
}

/// Appends a close frame with `code` and as much of `reason` as fits in a control frame, cut between characters.
pub fn encode_close(out: &mut Vec<u8>, code: CloseCode, reason: &str, key: Option<[u8; 4]>) {
    let mut end = reason.len().min(MAX_CONTROL - 2);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    let mut payload = Vec::with_capacity(2 + end);
    if let Some(number) = code.on_the_wire() {
        payload.extend_from_slice(&number.to_be_bytes());
        payload.extend_from_slice(&reason.as_bytes()[..end]);
    }
    encode(out, Opcode::Close, &payload, key);
}

/// Returns the length of the whole frame (header and payload) at the start of `bytes`, to iterate over frames that this
/// crate encoded; `None` if `bytes` does not contain a whole frame.
pub fn encoded_length(bytes: &[u8]) -> Option<usize> {
    let [_, second, rest @ ..] = bytes else { return None };
    let (payload, extended) = match second & 0x7f {
        126 => (u64::from(u16::from_be_bytes(*rest.first_chunk::<2>()?)), 2),
        127 => (u64::from_be_bytes(*rest.first_chunk::<8>()?), 8),
        short => (u64::from(short), 0),
    };
    let mask = if second & 0x80 != 0 { 4 } else { 0 };
    let whole = 2 + extended + mask + usize::try_from(payload).ok()?;
    (whole <= bytes.len()).then_some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_of_rfc_6455_section_5_7_are_decoded_and_encoded() {
        let mut masked = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
        let header = decode_header(&masked, Role::Server, false).unwrap().unwrap();
        assert_eq!((header.fin, header.opcode, header.payload, header.length), (true, Opcode::Text, 5, 6));
        mask(&mut masked[6..], header.mask.unwrap(), 0);
        assert_eq!(&masked[6..], b"Hello");

        let mut out = Vec::new();
        encode(&mut out, Opcode::Text, b"Hello", None);
        assert_eq!(out, [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]);
        let key = Some([0x37, 0xfa, 0x21, 0x3d]);
        out.clear();
        encode(&mut out, Opcode::Text, b"Hello", key);
        assert_eq!(out, [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]);
    }

    #[test]
    fn lengths_are_encoded_in_their_shortest_form_and_decoded() {
        for length in [0, 1, 125, 126, 127, 65535, 65536, 100_000] {
            for key in [None, Some([1, 2, 3, 4])] {
                let payload = vec![7; length];
                let mut out = Vec::new();
                encode(&mut out, Opcode::Binary, &payload, key);
                let role = if key.is_some() { Role::Server } else { Role::Client };
                let header = decode_header(&out, role, false).unwrap().unwrap();
                assert_eq!(header.payload, length as u64);
                assert_eq!(header.length + length, out.len());
                assert_eq!(encoded_length(&out), Some(out.len()));
                assert_eq!(encoded_length(&out[..out.len() - 1]), None);
                for cut in 0..header.length {
                    assert_eq!(decode_header(&out[..cut], role, false).unwrap(), None, "cut at {cut}");
                }
                mask(&mut out[header.length..], key.unwrap_or_default(), 0);
                assert_eq!(&out[header.length..], payload);
            }
        }
    }

    #[test]
    fn invalid_headers_are_refused_with_1002() {
        let invalid: [&[u8]; 9] = [
            &[0xc1, 0x80],                               // RSV1
            &[0x83, 0x80],                               // opcode 3
            &[0x8b, 0x80],                               // opcode 11
            &[0x81, 0x05],                               // unmasked
            &[0x09, 0x80],                               // fragmented ping
            &[0x89, 0xfe],                               // ping of 126 bytes or more
            &[0x82, 0xfe, 0, 125],                       // 125 in two bytes
            &[0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff], // 65535 in eight bytes
            &[0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0],    // top bit of the length
        ];
        for bytes in invalid {
            let violation = decode_header(bytes, Role::Server, false).unwrap_err();
            assert_eq!(violation.code, CloseCode::ProtocolError, "{bytes:02x?}");
        }
        assert!(decode_header(&[0x81, 0x85, 0, 0, 0, 0], Role::Client, false).is_err());
    }

    #[test]
    fn masking_in_pieces_equals_masking_at_once() {
        let key = [0xde, 0xad, 0xbe, 0xef];
        let mut whole: Vec<u8> = (0..100).collect();
        let mut pieces = whole.clone();
        mask(&mut whole, key, 0);
        for (start, end) in [(0, 3), (3, 4), (4, 21), (21, 100)] {
            mask(&mut pieces[start..end], key, start);
        }
        assert_eq!(whole, pieces);
    }

    #[test]
    fn long_close_reason_is_cut_between_characters() {
        let mut out = Vec::new();
        encode_close(&mut out, CloseCode::Normal, &"ä".repeat(100), None);
        assert!(out.len() <= 2 + MAX_CONTROL);
        assert!(std::str::from_utf8(&out[4..]).is_ok());
    }
}
