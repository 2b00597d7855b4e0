//! Compressed messages: the output stays within the limit, equals that of `miniz_oxide`, and survives a round trip.

#![cfg_attr(feature = "engine", no_main)]

use std::cell::RefCell;

use halloo_fuzz::fuzz_target;
use halloo_proto::Time;
use halloo_proto::deflate::{Deflater, Inflater};
use halloo_proto::frame::{Opcode, Role};
use halloo_proto::limits::MessageLimits;
use halloo_proto::message::{Incoming, Receiver};

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

const MAX_OUTPUT: usize = 4 * 255;

thread_local! {
    /// One for all messages, as in a server, so that state of an earlier message must not matter.
    static CODEC: RefCell<(Deflater, Inflater)> = RefCell::default();
}

fuzz_target!(|bytes: &[u8]| {
    CODEC.with_borrow_mut(|(deflater, inflater)| {
        let limit = usize::from(bytes.first().copied().unwrap_or_default()) * (MAX_OUTPUT / 255);
        let payload = bytes.get(1..).unwrap_or_default();
        let message = inflater.message(false, payload, limit).map(owned);
        assert!(inflater.capacity() <= 64 * 1024 + 1);
        match &message {
            Ok(message) => assert!(message.len() <= limit),
            Err(violation) => assert!([1007, 1009].contains(&violation.code.number())),
        }
        if let Some(other) = inflate_with_reference(payload) {
            match message {
                Ok(message) => assert_eq!(message, other),
                Err(violation) => assert!(violation.code.number() == 1009 && other.len() > limit, "{violation}"),
            }
        }
        round_trip(deflater, inflater, bytes);
    });
});

/// Returns the output of `miniz_oxide`, if the payload is one stream and not too large.
fn inflate_with_reference(payload: &[u8]) -> Option<Vec<u8>> {
    let input = [payload, &[0, 0, 0xff, 0xff, 3, 0]].concat();
    let mut out = vec![0; MAX_OUTPUT + 1];
    let mut state = Box::<DecompressorOxide>::default();
    let (status, taken, given) = decompress(&mut state, &input, &mut out, 0, TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF);
    out.truncate(given);
    (status == TINFLStatus::Done && taken == input.len()).then_some(out)
}

fn round_trip(deflater: &mut Deflater, inflater: &mut Inflater, bytes: &[u8]) {
    let (mut frame, mut receiver) = (Vec::new(), Receiver::default());
    deflater.encode(&mut frame, Opcode::Binary, bytes);
    let next = receiver.next(&mut &mut frame[..], Role::Client, true, &MessageLimits::default(), Time::ZERO);
    let back = match next {
        Ok(Some(Incoming::Compressed { text, payload })) => {
            owned(inflater.message(text, &payload, bytes.len()).expect("compressed by this crate"))
        }
        Ok(Some(message)) => owned(message),
        other => panic!("{other:?}"),
    };
    assert_eq!(back, bytes);
}

fn owned(message: Incoming<'_>) -> Vec<u8> {
    match message {
        Incoming::Binary(bytes) => bytes.into_owned(),
        other => panic!("{other:?}"),
    }
}
