//! Compressed messages (RFC 7692): the examples of the RFC, round trips, damaged messages and decompression bombs.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::borrow::Cow;

use flate2::{Compress, Compression, FlushCompress};
use halloo_proto::Time;
use halloo_proto::close::Violation;
use halloo_proto::deflate::{Deflater, Inflater};
use halloo_proto::frame::{Opcode, Role};
use halloo_proto::limits::MessageLimits;
use halloo_proto::message::{Incoming, Receiver};
use proptest::prelude::*;

const LIMIT: usize = 1024 * 1024;

fn inflate(payload: &[u8]) -> Result<Vec<u8>, Violation> {
    match Inflater::default().message(false, payload, LIMIT)? {
        Incoming::Binary(bytes) => Ok(bytes.into_owned()),
        other => panic!("{other:?}"),
    }
}

/// Reads the messages of a peer that may compress, and decompresses them.
fn read(role: Role, mut bytes: Vec<u8>) -> Result<Vec<Vec<u8>>, Violation> {
    let (mut receiver, mut inflater, mut messages) = (Receiver::default(), Inflater::default(), Vec::new());
    let mut input = &mut bytes[..];
    while let Some(next) = receiver.next(&mut input, role, true, &MessageLimits::default(), Time::ZERO)? {
        messages.push(match next {
            Incoming::Compressed { text, payload } => match inflater.message(text, &payload, LIMIT)? {
                Incoming::Text(text) => text.as_bytes().to_vec(),
                Incoming::Binary(bytes) => bytes.to_vec(),
                other => panic!("{other:?}"),
            },
            Incoming::Text(text) => text.into_owned().into_bytes(),
            Incoming::Binary(bytes) => bytes.into_owned(),
            other => panic!("{other:?}"),
        });
    }
    Ok(messages)
}

/// Compresses `bytes` with zlib, as a payload.
fn deflated(bytes: &[u8], window: u8) -> Vec<u8> {
    let mut raw = Compress::new_with_window_bits(Compression::best(), false, window);
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 1000 + 100);
    raw.compress_vec(bytes, &mut out, FlushCompress::Sync).unwrap();
    out.truncate(out.len() - 4);
    out
}

#[test]
fn examples_of_rfc_7692_section_7_2_3_are_decompressed() {
    let hello: [(&[u8], &str); 5] = [
        (&[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00], "one block"),
        (&[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00], "a stored block"),
        (&[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00], "a last block"),
        (&[0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00], "two blocks"),
        (&[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00, 0x00, 0xff, 0xff, 0x00], "flushed twice"),
    ];
    for (payload, what) in hello {
        assert_eq!(inflate(payload).as_deref(), Ok(&b"Hello"[..]), "{what}");
    }
    assert_eq!(inflate(&[0x00]), Ok(vec![]), "an empty message");
    // Section 7.2.3.2: it refers to the previous message, which is not kept.
    assert_eq!(inflate(&[0xf2, 0x00, 0x11, 0x00, 0x00]).unwrap_err().code.number(), 1007);

    let framed = [0xc1, 0x07, 0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    let fragments = [0x41, 0x03, 0xf2, 0x48, 0xcd, 0x80, 0x04, 0xc9, 0xc9, 0x07, 0x00];
    for bytes in [&framed[..], &fragments] {
        assert_eq!(read(Role::Client, bytes.to_vec()).unwrap(), [b"Hello"]);
    }
}

#[test]
fn damaged_messages_are_refused_with_1007() {
    let whole = deflated(b"a message that is long enough to be damaged somewhere in its middle", 15);
    let mut damaged: Vec<Vec<u8>> = (1..whole.len() - 1).map(|end| whole[..end].to_vec()).collect();
    damaged.extend([
        vec![],                                         // not even the header of an empty block
        vec![0x07],                                     // an invalid type of block
        vec![0x00, 0x09, 0x00, 0xf6, 0xff, 0x48],       // a truncated stored block
        vec![0x00, 0x05, 0x00, 0x00, 0x00],             // a stored block whose lengths differ
        vec![0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00], // a last block without padding
        [&whole[..], &[0xff; 8]].concat(),
        [&[0x03, 0x00].repeat(1000)[..], &[0x00]].concat(), // a thousand streams
    ]);
    for payload in damaged {
        assert_eq!(inflate(&payload).unwrap_err().code.number(), 1007, "{payload:02x?}");
    }
    let not_text = deflated(&[0xff; 200], 15);
    assert_eq!(Inflater::default().message(true, &not_text, LIMIT).unwrap_err().code.number(), 1007);
}

#[test]
fn decompression_bomb_stops_at_the_limit() {
    // A flushed piece does not refer to earlier ones, so it can be repeated: 1 MiB becomes 1 GiB.
    let mut piece = deflated(&[0; LIMIT], 15);
    piece.extend([0, 0, 0xff, 0xff]);
    let bomb = piece.repeat(LIMIT / piece.len());
    assert!(
        bomb.len() <= LIMIT && bomb.len() / piece.len() > 900,
        "{} bytes, {} times",
        piece.len(),
        bomb.len() / piece.len()
    );
    let mut inflater = Inflater::default();
    for limit in [0, 1, 1000, 4096, LIMIT - 1, LIMIT] {
        assert_eq!(inflater.message(false, &bomb, limit).unwrap_err().code.number(), 1009);
        assert!(inflater.capacity() <= limit.max(64 * 1024) + 1, "{} bytes for {limit}", inflater.capacity());
        // A message of exactly the limit is accepted.
        assert_eq!(inflater.message(false, &deflated(&vec![7; limit], 15), limit).unwrap().bytes(), limit);
    }
}

#[test]
fn rsv1_is_allowed_only_on_the_first_frame_of_a_negotiated_message() {
    let refused: [&[u8]; 6] = [
        &[0x41, 0x01, 0xf2, 0xc0, 0x00], // a continuation
        &[0xc9, 0x00],                   // a ping
        &[0xc8, 0x00],                   // a close
        &[0xa1, 0x00],                   // the second bit
        &[0x91, 0x00],                   // the third bit
        &[0xd1, 0x00],                   // the third bit with the first
    ];
    for bytes in refused {
        assert_eq!(read(Role::Client, bytes.to_vec()).unwrap_err().code.number(), 1002, "{bytes:02x?}");
    }
    let mut receiver = Receiver::default();
    let mut bytes = [0xc1, 0x01, 0x00];
    let unnegotiated = receiver.next(&mut &mut bytes[..], Role::Client, false, &MessageLimits::default(), Time::ZERO);
    assert_eq!(unnegotiated.unwrap_err().code.number(), 1002, "compression was not negotiated");
}

#[test]
fn messages_that_do_not_get_smaller_are_not_compressed() {
    let noise = noise(4000);
    let mut deflater = Deflater::default();
    for (payload, compressed) in [(&b"short"[..], false), (&noise, false), (&[b'x'; 127], false), (&[b'x'; 128], true)]
    {
        let mut out = Vec::new();
        deflater.encode(&mut out, Opcode::Binary, payload);
        assert_eq!(out[0] & 0x40 != 0, compressed, "{} bytes", payload.len());
        assert_eq!(read(Role::Client, out).unwrap(), [payload]);
    }
}

/// Incompressible messages fill every buffer of the compressor, which must not affect the next message.
#[test]
fn incompressible_messages_do_not_break_the_compressor() {
    let mut deflater = Deflater::default();
    for length in [65_000, 64_000, 63_000, 300_000, 1, 100_000, 200, 65_536, 65_537].repeat(4) {
        let (payload, mut out) = (noise(length), Vec::new());
        deflater.encode(&mut out, Opcode::Binary, &payload);
        assert!(read(Role::Client, out).unwrap() == [payload], "{length} bytes");
    }
}

fn noise(length: usize) -> Vec<u8> {
    let mut state = 1u32;
    let mut bytes = vec![0; length];
    bytes.fill_with(|| {
        // Marsaglia's xorshift.
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as u8
    });
    bytes
}

/// Payloads with repetitions.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop::collection::vec((prop::collection::vec(any::<u8>(), 0..40), 1usize..200), 0..12);
    pieces.prop_map(|pieces| pieces.into_iter().flat_map(|(piece, times)| piece.repeat(times)).collect())
}

proptest! {
    #[test]
    fn messages_survive_a_round_trip(payloads in prop::collection::vec(payload(), 1..5)) {
        let (mut deflater, mut out) = (Deflater::default(), Vec::new());
        for payload in &payloads {
            deflater.encode(&mut out, Opcode::Binary, payload);
        }
        let plain: usize = payloads.iter().map(|payload| payload.len() + 10).sum();
        prop_assert!(out.len() <= plain);
        prop_assert_eq!(read(Role::Client, out).unwrap(), payloads);
    }

    #[test]
    fn messages_compressed_by_zlib_are_read(payload in payload(), window in 9u8..=15) {
        prop_assert_eq!(inflate(&deflated(&payload, window)).unwrap(), payload);
    }

    #[test]
    fn damaged_message_is_an_error_or_within_the_limit(
        payload in payload(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        limit in 0usize..5000,
    ) {
        let mut bytes = deflated(&payload, 15);
        for (at, flip) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
        }
        match Inflater::default().message(false, &bytes, limit) {
            Ok(Incoming::Binary(Cow::Borrowed(message))) => prop_assert!(message.len() <= limit),
            Ok(other) => panic!("{other:?}"),
            Err(violation) => prop_assert!([1007, 1009].contains(&violation.code.number())),
        }
    }
}
