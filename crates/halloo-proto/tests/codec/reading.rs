//! What the codec makes of bytes in any pieces. The fuzzer of frames uses it, too.

use halloo_proto::Time;
use halloo_proto::close::CloseCode;
use halloo_proto::frame::{MAX_CONTROL, MAX_HEADER, Role};
use halloo_proto::limits::MessageLimits;
use halloo_proto::message::{Incoming, Receiver};

/// Small, so that random traffic meets it.
pub(crate) const MAX_MESSAGE_BYTES: usize = 400;

/// What a reader made of a piece of traffic.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
    /// A broken rule, by the code to close with; nothing is read behind it.
    Refused(u16, String),
}

/// Without limits on rates, which are not a matter of bytes.
pub(crate) fn limits() -> MessageLimits {
    MessageLimits {
        max_message_bytes: MAX_MESSAGE_BYTES,
        max_control_frames_per_second: 1_000_000,
        ..MessageLimits::default()
    }
}

/// Reads `pieces` as the reactor does: each behind what was kept of the one before. Ends at a close or a broken rule.
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
                Ok(Some(compressed @ Incoming::Compressed { .. })) => panic!("not agreed on: {compressed:?}"),
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
