//! Formats the events of a client as log lines or as JSON.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use halloo::{ClientEvent, Message};
use halloo_proto::text::escape;
use serde_json::{Value, json};

use crate::json;
use crate::message_line::escape_message;

/// Logs an event.
pub(super) fn log(event: &ClientEvent, name: Option<&str>) {
    match event {
        ClientEvent::Connected { url, subprotocol } => {
            let chosen =
                subprotocol.as_ref().map_or_else(String::new, |name| format!(" with the subprotocol `{name}`"));
            match name {
                Some(name) => tracing::info!("connected to `{name}` at {url}{chosen}"),
                None => tracing::info!("connected to {url}{chosen}"),
            }
        }
        ClientEvent::Disconnected { code, reason, retry_in } => {
            let reason = if reason.is_empty() { String::new() } else { format!(": {}", escape(reason, 200)) };
            match retry_in {
                Some(pause) => tracing::warn!("disconnected ({code}{reason}); reconnecting in {}", seconds(*pause)),
                None => tracing::info!("disconnected ({code}{reason})"),
            }
        }
        ClientEvent::AttemptFailed { reason, retry_in } => {
            tracing::warn!("{reason}; retrying in {}", seconds(*retry_in));
        }
        ClientEvent::MessagesDropped { messages: 1 } => tracing::warn!("1 message was not sent"),
        ClientEvent::MessagesDropped { messages } => tracing::warn!("{messages} messages were not sent"),
        _ => {}
    }
}

/// Returns an event as the objects of JSON mode.
pub(super) fn to_json(event: &ClientEvent, name: Option<&str>) -> Vec<Value> {
    let reconnecting = |pause: Duration| json!({"event": "reconnecting", "seconds": pause.as_secs_f64()});
    match event {
        ClientEvent::Connected { url, subprotocol } => {
            let mut object = json!({"event": "connected", "url": url, "name": name});
            if let Some(subprotocol) = subprotocol {
                object["subprotocol"] = subprotocol.as_str().into();
            }
            vec![object]
        }
        ClientEvent::MessageReceived { message: Message::Text(text) } => {
            vec![json!({"event": "message", "text": text})]
        }
        ClientEvent::MessageReceived { message: Message::Binary(bytes) } => {
            vec![json!({"event": "message", "binary": STANDARD.encode(bytes)})]
        }
        ClientEvent::Disconnected { code, reason, retry_in } => {
            let disconnected = json!({"event": "disconnected", "code": code.number(), "reason": reason});
            std::iter::once(disconnected).chain(retry_in.map(reconnecting)).collect()
        }
        ClientEvent::AttemptFailed { reason, retry_in } => {
            let mut object = reconnecting(*retry_in);
            object["reason"] = reason.as_str().into();
            vec![object]
        }
        ClientEvent::MessagesDropped { messages } => vec![json!({"event": "dropped", "messages": messages})],
        ClientEvent::GaveUp { reason, .. } => vec![json::error(reason)],
        other => vec![json::error(&format!("unsupported event: {other:?}"))],
    }
}

/// Returns a message as a line: escaped for a terminal, unchanged otherwise.
pub(super) fn message_line(message: &Message<'_>, to_terminal: bool) -> Vec<u8> {
    if to_terminal { format!("{}\n", escape_message(message)).into_bytes() } else { [message.bytes(), b"\n"].concat() }
}

fn seconds(pause: Duration) -> String {
    format!("{:.1} s", pause.as_secs_f64())
}
