//! What happened, told to a person or to a program.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use halloo::{ClientEvent, Message};
use halloo_proto::text::escape;
use serde_json::{Value, json};

use crate::json;
use crate::message_line::shown;

/// For the log.
pub(super) fn in_words(event: &ClientEvent, name: Option<&str>) {
    match event {
        ClientEvent::Connected { url } => match name {
            Some(name) => tracing::info!("connected to `{name}` at {url}"),
            None => tracing::info!("connected to {url}"),
        },
        ClientEvent::Disconnected { code, reason, retry_in } => {
            let reason = if reason.is_empty() { String::new() } else { format!(": {}", escape(reason, 200)) };
            match retry_in {
                Some(pause) => tracing::warn!("disconnected ({code}{reason}); reconnecting in {}", seconds(*pause)),
                None => tracing::info!("disconnected ({code}{reason})"),
            }
        }
        ClientEvent::AttemptFailed { reason, retry_in } => {
            tracing::warn!("{reason}; trying again in {}", seconds(*retry_in));
        }
        ClientEvent::MessagesDropped { messages } => tracing::warn!("{messages} messages were not sent"),
        _ => {}
    }
}

/// As the objects of the JSON mode.
pub(super) fn in_json(event: &ClientEvent, name: Option<&str>) -> Vec<Value> {
    let reconnecting = |pause: Duration| json!({"event": "reconnecting", "seconds": pause.as_secs_f64()});
    match event {
        ClientEvent::Connected { url } => vec![json!({"event": "connected", "url": url, "name": name})],
        ClientEvent::MessageReceived { message: Message::Text(text) } => {
            vec![json!({"event": "message", "text": text})]
        }
        ClientEvent::MessageReceived { message: Message::Binary(bytes) } => {
            vec![json!({"event": "message", "binary": STANDARD.encode(bytes)})]
        }
        ClientEvent::Disconnected { code, reason, retry_in } => {
            let told = json!({"event": "disconnected", "code": code.number(), "reason": reason});
            std::iter::once(told).chain(retry_in.map(reconnecting)).collect()
        }
        ClientEvent::AttemptFailed { reason, retry_in } => {
            let mut told = reconnecting(*retry_in);
            told["reason"] = reason.as_str().into();
            vec![told]
        }
        ClientEvent::MessagesDropped { messages } => vec![json!({"event": "dropped", "messages": messages})],
        ClientEvent::GaveUp { reason, .. } => vec![json::error(reason)],
        other => vec![json::error(&format!("an event without a JSON form: {other:?}"))],
    }
}

/// A message as a line: raw for a program, harmless for a person.
pub(super) fn line(message: &Message<'_>, watched: bool) -> Vec<u8> {
    if watched { format!("{}\n", shown(message)).into_bytes() } else { [message.bytes(), b"\n"].concat() }
}

fn seconds(pause: Duration) -> String {
    format!("{:.1} s", pause.as_secs_f64())
}
