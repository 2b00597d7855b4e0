//! Conversions between the types of the crate `halloo` and those of the engine.

use std::io;

use godot::global::Error;
use godot::prelude::*;
use halloo::{ClientRequest, ClientStatus, Delivery, Meta, RoomError, RoomStatus, StartError, Status, Stopped};

/// Converts a text message to a string of the engine.
///
/// The engine ends a string at a NUL and drops a byte order mark at its start. This keeps the whole text: NULs are replaced
/// by U+FFFD, the engine's own replacement character.
pub(crate) fn string(text: &str) -> GString {
    if text.is_ascii() && !text.contains('\0') {
        // The engine widens Latin-1 faster than it decodes UTF-8.
        return GString::try_from_bytes(text.as_bytes(), Encoding::Latin1).unwrap_or_default();
    }
    if text.starts_with('\u{feff}') || text.contains('\0') {
        let characters: Vec<char> =
            text.chars().map(|c| if c == '\0' { char::REPLACEMENT_CHARACTER } else { c }).collect();
        return GString::from(characters.as_slice());
    }
    GString::from(text)
}

/// Converts a string of the engine to UTF-8, with a fast path for ASCII: the engine's characters have four bytes each.
pub(crate) fn text(string: &GString) -> String {
    let characters = string.chars();
    if characters.iter().all(char::is_ascii) {
        let bytes = characters.iter().map(|&character| character as u8).collect();
        return String::from_utf8(bytes).unwrap_or_default();
    }
    characters.iter().collect()
}

/// Returns whether [`string`] and [`script_string`] have the same result for `text`.
pub(crate) fn is_plain(text: &str) -> bool {
    !text.starts_with('\u{feff}') && !text.contains('\0')
}

/// Converts bytes as the script does, by `get_string_from_utf8`: up to the first NUL, without a byte order mark.
pub(crate) fn script_string(bytes: &[u8]) -> GString {
    PackedByteArray::from(bytes).get_string_from_utf8()
}

/// Returns the six keys of the contract, and the extras under a seventh. A server that is not running has port 0.
pub(crate) fn status(status: &Status) -> VarDictionary {
    let extras = &status.extras;
    vdict! {
        "server_running" => status.server_running,
        "server_port" => if status.server_running { status.server_port } else { 0 },
        "connected_clients" => status.connected_clients as i64,
        "discovery_enabled" => status.discovery_enabled,
        "discovery_active" => status.discovery_active,
        "local_ip" => &GString::from(&status.local_ip),
        "halloo" => &vdict! {
            "version" => &GString::from(&extras.version),
            "name" => &GString::from(&extras.name),
            "app" => &GString::from(extras.app.as_deref().unwrap_or_default()),
            "clients_total" => extras.clients_total as i64,
            "messages_received" => extras.messages_received as i64,
            "messages_sent" => extras.messages_sent as i64,
            "messages_dropped" => extras.messages_dropped as i64,
            "refused" => extras.refused as i64,
        },
    }
}

/// Returns `id`, `address`, `latency_ms` (-1 before the first heartbeat), `waiting` and `dropped` of a client.
pub(crate) fn client(client: &ClientStatus) -> VarDictionary {
    vdict! {
        "id" => client.client.0 as i64,
        "address" => &GString::from(&client.addr.to_string()),
        "latency_ms" => client.latency_ms.unwrap_or(-1.0),
        "waiting" => client.waiting as i64,
        "dropped" => client.dropped as i64,
    }
}

/// Returns what a client said when it connected, and its rooms. What it did not say is empty.
pub(crate) fn client_request(client: &ClientStatus) -> VarDictionary {
    let request = ClientRequest::new(&client.path);
    let mut query = VarDictionary::new();
    for (key, value) in request.query_pairs() {
        // The first of several values counts, as in `ClientRequest::query_value`.
        query.get_or_insert(&string(&key).to_variant(), &string(&value).to_variant());
    }
    vdict! {
        "id" => client.client.0 as i64,
        "address" => &GString::from(&client.addr.to_string()),
        "path" => &string(request.path()),
        "query" => &query,
        "subprotocols" => &strings(&client.subprotocols),
        "subprotocol" => &string(client.subprotocol.as_deref().unwrap_or_default()),
        "origin" => &string(client.origin.as_deref().unwrap_or_default()),
        "user_agent" => &string(client.user_agent.as_deref().unwrap_or_default()),
        "rooms" => &strings(&client.rooms),
    }
}

fn strings(texts: &[String]) -> PackedStringArray {
    texts.iter().map(|text| string(text)).collect()
}

/// Returns the number of clients in each room by its name.
pub(crate) fn rooms(rooms: &[RoomStatus]) -> VarDictionary {
    rooms.iter().map(|room| (string(&room.room).to_variant(), (room.clients as i64).to_variant())).collect()
}

/// Returns properties as a dictionary of strings.
pub(crate) fn meta(meta: &Meta) -> VarDictionary {
    meta.iter().map(|(key, value)| (GString::from(key).to_variant(), GString::from(value).to_variant())).collect()
}

/// Returns each pair of a dictionary as `key=value`. A number is written as in the engine.
pub(crate) fn pairs(dictionary: &VarDictionary) -> Vec<String> {
    dictionary.iter_shared().map(|(key, value)| format!("{key}={value}")).collect()
}

/// Returns the close code if an application may send it with `reason` (RFC 6455, sections 5.5 and 7.4.2).
pub(crate) fn close_code(code: i64, reason: &str) -> Option<u16> {
    let code = u16::try_from(code).ok().filter(|code| *code == 1000 || (3000..5000).contains(code));
    code.filter(|_| reason.len() <= 123)
}

/// Converts the result of sending a message to an error code of the engine.
pub(crate) fn delivery(delivery: Result<Delivery, Stopped>) -> Error {
    match delivery {
        Ok(Delivery::Queued) => Error::OK,
        Ok(Delivery::Backpressure) => Error::ERR_BUSY,
        Ok(Delivery::NotConnected) => Error::ERR_DOES_NOT_EXIST,
        Err(Stopped) => Error::ERR_UNCONFIGURED,
    }
}

/// Returns an error code of the engine and a sentence that gives advice in terms of the project settings; no sentence for
/// what happens in a game without a mistake.
pub(crate) fn room_error(error: &RoomError) -> (Error, Option<String>) {
    match error {
        RoomError::Name(_) => (Error::ERR_INVALID_PARAMETER, Some(error.to_string())),
        RoomError::NotConnected => (Error::ERR_DOES_NOT_EXIST, None),
        RoomError::TooManyRoomsOfClient { most } => (
            Error::ERR_CANT_ACQUIRE_RESOURCE,
            Some(format!(
                "the client is in {most} rooms, which is the most; let it leave one first, or raise \
                 halloo/max_rooms_per_client"
            )),
        ),
        RoomError::TooManyRooms { most } => (
            Error::ERR_CANT_ACQUIRE_RESOURCE,
            Some(format!("there are {most} rooms, which is the most; use one of them, or raise halloo/max_rooms")),
        ),
        RoomError::Busy => (Error::ERR_BUSY, None),
        RoomError::Stopped(_) => (Error::ERR_UNCONFIGURED, None),
        _ => (Error::FAILED, Some(error.to_string())),
    }
}

/// Maximum programs that are named as users of a port.
const MAX_OWNERS: usize = 3;

/// Returns an error code of the engine and a sentence that gives advice in terms of the project settings.
pub(crate) fn start_error(error: &StartError) -> (Error, String) {
    let StartError::Bind { address, ports, owners, error, .. } = error else {
        return (Error::ERR_CANT_CREATE, error.to_string());
    };
    let owners: Vec<String> = owners.iter().take(MAX_OWNERS).map(ToString::to_string).collect();
    let by = if owners.is_empty() { String::new() } else { format!(" by {}", owners.join(", ")) };
    let used = if by.is_empty() { String::new() } else { format!(", used{by}") };
    match error.kind() {
        io::ErrorKind::AddrInUse if ports.contains('-') => (
            Error::ERR_ALREADY_IN_USE,
            format!(
                "no free port in {ports} on {address}{used} ({error}); stop a program that uses one, or change \
                 halloo/port"
            ),
        ),
        io::ErrorKind::AddrInUse => (
            Error::ERR_ALREADY_IN_USE,
            format!(
                "port {ports} on {address} is in use{by} ({error}); stop the program that uses it, or change \
                 halloo/port"
            ),
        ),
        io::ErrorKind::PermissionDenied => (
            Error::ERR_UNAUTHORIZED,
            format!(
                "cannot listen on port {ports} ({error}); set halloo/port to 1024 or higher, and allow the game to use \
                 the network"
            ),
        ),
        io::ErrorKind::AddrNotAvailable => (
            Error::ERR_UNAVAILABLE,
            format!("cannot listen on {address} ({error}); set halloo/bind to an address of this machine, or clear it"),
        ),
        _ => (
            Error::ERR_CANT_CREATE,
            format!("cannot listen on {address} port {ports} ({error}); set halloo/port to another port"),
        ),
    }
}

/// Returns the status of a server that was never started.
pub(crate) fn no_status() -> VarDictionary {
    vdict! {
        "server_running" => false,
        "server_port" => 0,
        "connected_clients" => 0,
        "discovery_enabled" => false,
        "discovery_active" => false,
        "local_ip" => &GString::from(&halloo::local_ip().to_string()),
    }
}
