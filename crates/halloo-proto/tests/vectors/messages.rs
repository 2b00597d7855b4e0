//! What a client makes of frames, and when it closes the connection because of them.

use halloo_proto::Time;
use halloo_proto::frame::Role;
use halloo_proto::limits::MessageLimits;
use halloo_proto::message::{Incoming, Receiver};
use serde_json::{Value, json};

use crate::case_file::{check, from_hex, text_of};

#[test]
fn frames_become_messages_or_a_close_code() {
    check("messages.json", |case| {
        let mut limits = MessageLimits::default();
        if let Some(bytes) = case.get("max_message_bytes") {
            limits.max_message_bytes = bytes.as_u64().unwrap().try_into().unwrap();
        }
        if let Some(fragments) = case.get("max_fragments") {
            limits.max_fragments = fragments.as_u64().unwrap().try_into().unwrap();
        }
        let mut bytes = from_hex(text_of(case, "frames_hex"));
        let (mut receiver, mut input, mut results) = (Receiver::default(), &mut bytes[..], Vec::new());
        loop {
            results.push(match receiver.next(&mut input, Role::Client, false, &limits, Time::ZERO) {
                Ok(None) => return Value::Array(results),
                Ok(Some(incoming)) => to_json(incoming),
                Err(violation) => {
                    results.push(json!({ "close_with": violation.code.number(), "reason": violation.reason }));
                    return Value::Array(results);
                }
            });
        }
    });
}

fn to_json(incoming: Incoming<'_>) -> Value {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    match incoming {
        Incoming::Text(text) => json!({ "text": text }),
        Incoming::Binary(bytes) => json!({ "binary_hex": hex(&bytes) }),
        Incoming::Ping(payload) => json!({ "answer_with_pong_hex": hex(payload) }),
        Incoming::Pong(_) => json!("sign of life"),
        Incoming::Close(code, reason) => json!({ "closed_with": code.number(), "reason": reason }),
        other => panic!("{other:?}"),
    }
}
