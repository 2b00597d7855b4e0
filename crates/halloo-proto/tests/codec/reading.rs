//! Reads bytes in pieces with the codec. The fuzz target `frames` uses it, too.

use halloo_proto::Time;
use halloo_proto::close::CloseCode;
use halloo_proto::frame::{MAX_CONTROL, MAX_HEADER, Role};
use halloo_proto::limits::MessageLimits;
use halloo_proto::message::{Incoming, Receiver};

/// Small, so that random traffic reaches the limit.
pub(crate) const MAX_MESSAGE_BYTES: usize = 400;

/// What a reader found in the traffic.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
    /// A violation, with its close code; nothing is read after it.
    Refused(u16, String),
}

/// Returns limits without rate limits, which do not depend on the bytes.
pub(crate) fn limits() -> MessageLimits {
    MessageLimits {
        max_message_bytes: MAX_MESSAGE_BYTES,
        max_control_frames_per_second: 1_000_000,
        ..MessageLimits::default()
    }
}

/// Reads `pieces` like the reactor, each after what was kept of the previous one, up to a close frame or a violation.
pub(crate) fn read<'a>(role: Role, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Seen> {
    let (limits, now) = (limits(), Time::ZERO);
    let mut receiver = Receiver::default();
    let mut seen = Vec::new();
    for piece in pieces {
        let mut buffer = vec![0; piece.len() + MAX_HEADER + MAX_CONTROL];
        let kept = receiver.restore(&mut buffer);
        buffer[kept..kept + piece.len()].copy_from_slice(piece);
        let mut input = &mut buffer[..kept + piece.len()];
        loop {
            seen.push(match receiver.next(&mut input, role, false, &limits, now) {
                Ok(Some(Incoming::Text(text))) => Seen::Text(text.into_owned()),
                Ok(Some(Incoming::Binary(bytes))) => Seen::Binary(bytes.into_owned()),
                Ok(Some(compressed @ Incoming::Compressed { .. })) => panic!("not negotiated: {compressed:?}"),
                Ok(Some(Incoming::Ping(payload))) => Seen::Ping(payload.to_vec()),
                Ok(Some(Incoming::Pong(payload))) => Seen::Pong(payload.to_vec()),
                Ok(Some(Incoming::Close(code, reason))) => {
                    let code = (code != CloseCode::NoStatus).then_some(code.number());
                    seen.push(Seen::Close(code, reason.to_owned()));
                    return seen;
                }
                Ok(None) => break,
                Err(violation) => {
                    seen.push(Seen::Refused(violation.code.number(), violation.reason));
                    return seen;
                }
            });
        }
        receiver.keep(input);
    }
    seen
}
