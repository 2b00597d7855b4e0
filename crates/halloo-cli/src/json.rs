//! JSON mode: events on standard output, commands on standard input, one object per line.

use std::fmt::Write as _;
use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use halloo::{ClientId, ClientRequest, CloseCode, Delivery, Event, Message, Meta, Server, Stopped};
use halloo_proto::text::is_harmful;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::output::Output;

/// The edits after which a name is no longer a typing mistake.
const MAX_EDITS: usize = 2;

/// A command, read from one line.
#[derive(Debug, Deserialize)]
#[serde(tag = "cmd", rename_all = "snake_case", deny_unknown_fields)]
enum Command {
    SendToAll {
        text: Option<String>,
        binary: Option<String>,
    },
    Send {
        client: ClientId,
        text: Option<String>,
        binary: Option<String>,
    },
    SendToRoom {
        room: String,
        text: Option<String>,
        binary: Option<String>,
    },
    Join {
        client: ClientId,
        room: String,
    },
    Leave {
        client: ClientId,
        room: String,
    },
    Rooms {},
    // `kick` is its former name.
    #[serde(alias = "kick")]
    Disconnect {
        client: ClientId,
        code: Option<u16>,
        reason: Option<String>,
    },
    // Empty structs rather than units, which would accept further fields.
    BroadcastNow {},
    StopDiscovery {},
    StartDiscovery {},
    SetMeta {
        meta: Meta,
    },
    Status {},
    Stop {},
}

/// Parses a command.
///
/// # Errors
/// A text that names what is wrong, and the field or command that was probably meant.
pub(crate) fn parse<C: DeserializeOwned>(line: &str) -> Result<C, String> {
    serde_json::from_str(line).map_err(|error| format!("not a command: {}", with_nearest(error.to_string())))
}

/// Adds the known name that is nearest to an unknown one. Both are in backticks: "unknown field `txt`, expected `text`".
fn with_nearest(error: String) -> String {
    let names: Vec<&str> = error.split('`').skip(1).step_by(2).collect();
    let Some((given, known)) = names.split_first().filter(|_| error.starts_with("unknown ")) else { return error };
    let rated = known.iter().map(|name| (strsim::damerau_levenshtein(given, name), name));
    match rated.min().filter(|(edits, _)| *edits <= MAX_EDITS) {
        Some((_, nearest)) => format!("{error}; did you mean `{nearest}`?"),
        None => error,
    }
}

/// Returns an object as one line, escaped by [`escape`].
pub(crate) fn line(value: &Value) -> String {
    escape(format!("{value}\n"))
}

/// Returns JSON in which the characters that could control a terminal are written as `\u` escapes, which parse to the same
/// text. The line feeds between its parts stay.
pub(crate) fn escape(json: String) -> String {
    let must_escape = |character| is_harmful(character) && character != '\n';
    if !json.contains(must_escape) {
        return json;
    }
    let mut escaped = String::new();
    for character in json.chars() {
        if must_escape(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing to a string cannot fail.
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        } else {
            escaped.push(character);
        }
    }
    escaped
}

/// Writes one object and flushes it.
pub(crate) fn emit(output: &Output, value: &Value) -> io::Result<()> {
    output.write(line(value).as_bytes())?;
    output.flush()
}

pub(crate) fn ready(server: &Server) -> Value {
    let mut ready = json!({
        "event": "ready",
        "port": server.port(),
        "discovery_port": server.discovery_port(),
        "urls": server.urls(),
        "page_url": server.page_url(),
        "invitation": server.invitation(),
    });
    if let Some(invitation) = server.secure_invitation() {
        ready["secure_invitation"] = invitation.into();
    }
    if let Some(app) = server.app() {
        ready["app"] = app.into();
    }
    if let Some(token) = server.token() {
        ready["token"] = token.reveal().into();
    }
    if let Some(fingerprint) = server.fingerprint() {
        ready["fingerprint"] = fingerprint.to_string().into();
    }
    ready
}

pub(crate) fn stopped() -> Value {
    json!({"event": "stopped"})
}

pub(crate) fn error(message: &str) -> Value {
    json!({"event": "error", "message": message})
}

pub(crate) fn event(event: &Event<'_>) -> Value {
    match event {
        Event::ClientJoined { client, addr, request, rooms, clients } => {
            let mut joined = json!({"event": "client_joined", "client": client, "addr": addr, "clients": clients});
            add_request(&mut joined, request);
            add_rooms(&mut joined, rooms);
            joined
        }
        Event::MessageReceived { client, message: Message::Text(text) } => {
            json!({"event": "message", "client": client, "text": text})
        }
        Event::MessageReceived { client, message: Message::Binary(bytes) } => {
            json!({"event": "message", "client": client, "binary": STANDARD.encode(bytes)})
        }
        Event::ClientLeft { client, code, reason, rooms, clients } => {
            let (code, reason) = (code.number(), reason.to_string());
            let mut left =
                json!({"event": "client_left", "client": client, "code": code, "reason": reason, "clients": clients});
            add_rooms(&mut left, rooms);
            left
        }
        Event::MessagesDropped { client, messages } => {
            json!({"event": "dropped", "client": client, "messages": messages})
        }
        Event::DiscoveryChanged { active } => json!({"event": "discovery", "active": active}),
        Event::AddressesChanged { addresses } => json!({"event": "addresses_changed", "addresses": addresses}),
        Event::ClusterChanged { state, nodes, clients, complete, reason } => {
            let mut changed = json!({"event": "cluster_changed", "state": state, "nodes": nodes, "clients": clients});
            changed["complete"] = (*complete).into();
            if let Some(reason) = reason {
                changed["reason"] = reason.as_str().into();
            }
            changed
        }
        Event::NodeJoined { node } => json!({"event": "node_joined", "node": node}),
        Event::NodeLeft { node } => json!({"event": "node_left", "node": node}),
        Event::ClusterDropped { outgoing, incoming, lost, too_large } => json!({
            "event": "cluster_dropped", "outgoing": outgoing, "incoming": incoming, "lost": lost, "too_large": too_large
        }),
        Event::ServerFailed { message } => error(message),
        other => error(&format!("unsupported event: {other:?}")),
    }
}

/// Adds what a client said, as far as it said it.
fn add_request(object: &mut Value, request: &ClientRequest) {
    object["path"] = request.target().into();
    let subprotocols: Vec<&str> = request.subprotocols().collect();
    if !subprotocols.is_empty() {
        object["subprotocols"] = subprotocols.into();
    }
    let optional =
        [("subprotocol", request.subprotocol()), ("origin", request.origin()), ("user_agent", request.user_agent())];
    for (key, text) in optional {
        if let Some(text) = text {
            object[key] = text.into();
        }
    }
    if request.is_cut() {
        object["cut"] = true.into();
    }
}

fn add_rooms(object: &mut Value, rooms: &[String]) {
    if !rooms.is_empty() {
        object["rooms"] = rooms.into();
    }
}

/// Executes the command in `line`.
pub(crate) fn handle(server: &Server, line: &str, output: &Output) -> Result<(), String> {
    if line.trim().is_empty() {
        return Ok(());
    }
    match parse(line)? {
        Command::SendToAll { text, binary } => check_delivery(server.send_to_all(message(text, binary)?)),
        Command::Send { client, text, binary } => check_delivery(server.send(client, message(text, binary)?)),
        Command::SendToRoom { room, text, binary } => {
            let delivery = server.send_to_room(&room, message(text, binary)?).map_err(|error| error.to_string())?;
            check_delivery(Ok(delivery))
        }
        Command::Join { client, room } => server.join(client, &room).map_err(|error| error.to_string()),
        Command::Leave { client, room } => server.leave(client, &room).map_err(|error| error.to_string()),
        Command::Rooms {} => {
            emit(output, &json!({"event": "rooms", "rooms": server.rooms()})).map_err(|error| error.to_string())
        }
        Command::Disconnect { client, code, reason } => {
            let code = close_code(code)?;
            let reason = reason.unwrap_or_default();
            server.disconnect(client, code, &reason).map(drop).map_err(|error| error.to_string())
        }
        Command::BroadcastNow {} => {
            server.broadcast_now();
            Ok(())
        }
        Command::StopDiscovery {} => {
            server.stop_service_discovery();
            Ok(())
        }
        Command::StartDiscovery {} => {
            server.start_service_discovery();
            Ok(())
        }
        Command::SetMeta { meta } => {
            server.set_meta(meta);
            Ok(())
        }
        Command::Status {} => {
            let mut status = json!({"event": "status"});
            if let (Some(object), Ok(Value::Object(keys))) =
                (status.as_object_mut(), serde_json::to_value(server.status()))
            {
                object.extend(keys);
            }
            emit(output, &status).map_err(|error| error.to_string())
        }
        Command::Stop {} => {
            server.stop();
            Ok(())
        }
    }
}

/// Returns the message of a command, which has exactly one of the two keys.
pub(crate) fn message(text: Option<String>, binary: Option<String>) -> Result<Message<'static>, String> {
    match (text, binary) {
        (Some(text), None) => Ok(Message::from(text)),
        (None, Some(base64)) => {
            STANDARD.decode(base64).map(Message::from).map_err(|error| format!("`binary` is not base64: {error}"))
        }
        _ => Err("give either `text` or `binary`".into()),
    }
}

/// Returns the close code of a command, 1000 by default.
pub(crate) fn close_code(code: Option<u16>) -> Result<u16, String> {
    let code = code.unwrap_or(1000);
    match CloseCode::from(code).is_sendable() {
        true => Ok(code),
        false => Err(format!("close code {code} may not be sent; use 1000, or 3000 to 4999")),
    }
}

/// Returns an error unless the message was queued.
pub(crate) fn check_delivery(result: Result<Delivery, Stopped>) -> Result<(), String> {
    match result {
        Ok(Delivery::Queued) => Ok(()),
        Ok(Delivery::Backpressure) => Err("not sent: too many messages are queued; try again later".into()),
        Ok(Delivery::NotConnected) => Err("not sent: the client is not connected".into()),
        Err(stopped) => Err(stopped.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_escapes_control_characters_and_parses_to_the_same_value() {
        let value = json!({"text": "\u{1b}[2J \u{9b}31m \u{202e}\u{e0041} ü 日本 \u{7f}"});
        let line = line(&value);
        assert!(line.ends_with('\n') && !line.trim_end().contains(is_harmful), "{line}");
        assert_eq!(serde_json::from_str::<Value>(&line).ok(), Some(value));
    }
}
