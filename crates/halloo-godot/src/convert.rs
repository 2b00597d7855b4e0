//! Between the crate's types and the engine's.

use std::io;

use godot::global::Error;
use godot::prelude::*;
use halloo::{ClientStatus, Delivery, StartError, Status, Stopped};

/// A text message as the engine's string.
///
/// A string of the engine ends at a NUL and swallows a byte order mark at its beginning; both are kept from happening,
/// the NUL as U+FFFD, which the engine itself puts where it cannot show a character.
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

/// The engine's string as text. Most are ASCII, which a character of four bytes each is narrowed to at once.
pub(crate) fn text(string: &GString) -> String {
    let characters = string.chars();
    if characters.iter().all(char::is_ascii) {
        let bytes = characters.iter().map(|&character| character as u8).collect();
        return String::from_utf8(bytes).unwrap_or_default();
    }
    characters.iter().collect()
}

/// Whether [`string`] and the script's `get_string_from_utf8` make the same of `text`.
pub(crate) fn is_plain(text: &str) -> bool {
    !text.starts_with('\u{feff}') && !text.contains('\0')
}

/// Any bytes as a string, as the script made it: UTF-8, up to the first NUL, without a byte order mark.
pub(crate) fn script_string(bytes: &[u8]) -> GString {
    PackedByteArray::from(bytes).get_string_from_utf8()
}

/// The six keys of the contract, and everything else under a seventh. A server that does not run has no port.
pub(crate) fn status(status: &Status) -> VarDictionary {
    let more = &status.extras;
    vdict! {
        "server_running" => status.server_running,
        "server_port" => if status.server_running { status.server_port } else { 0 },
        "connected_clients" => status.connected_clients as i64,
        "discovery_enabled" => status.discovery_enabled,
        "discovery_active" => status.discovery_active,
        "local_ip" => &GString::from(&status.local_ip),
        "halloo" => &vdict! {
            "version" => &GString::from(&more.version),
            "name" => &GString::from(&more.name),
            "clients_total" => more.clients_total as i64,
            "messages_received" => more.messages_received as i64,
            "messages_sent" => more.messages_sent as i64,
            "messages_dropped" => more.messages_dropped as i64,
            "refused" => more.refused as i64,
        },
    }
}

/// One client: `id`, `address`, `latency_ms` (-1 before the first heartbeat), `waiting`, `dropped`.
pub(crate) fn client(client: &ClientStatus) -> VarDictionary {
    vdict! {
        "id" => client.client.0 as i64,
        "address" => &GString::from(&client.addr.to_string()),
        "latency_ms" => client.latency_ms.unwrap_or(-1.0),
        "waiting" => client.waiting as i64,
        "dropped" => client.dropped as i64,
    }
}

/// The close code, when an application may send it with `reason` (RFC 6455, sections 5.5 and 7.4.2).
pub(crate) fn own_close_code(code: i64, reason: &str) -> Option<u16> {
    let code = u16::try_from(code).ok().filter(|code| *code == 1000 || (3000..5000).contains(code));
    code.filter(|_| reason.len() <= 123)
}

/// What became of a message, as the engine's error code.
pub(crate) fn delivery(delivery: Result<Delivery, Stopped>) -> Error {
    match delivery {
        Ok(Delivery::Queued) => Error::OK,
        Ok(Delivery::Backpressure) => Error::ERR_BUSY,
        Ok(Delivery::NotConnected) => Error::ERR_DOES_NOT_EXIST,
        Err(Stopped) => Error::ERR_UNCONFIGURED,
    }
}

/// Why a server did not start, as the engine's error code and as a sentence that names the settings of a project.
pub(crate) fn start_error(error: &StartError) -> (Error, String) {
    let StartError::Bind { address, ports, error } = error else {
        return (Error::ERR_CANT_CREATE, error.to_string());
    };
    let (code, advice) = match error.kind() {
        io::ErrorKind::AddrInUse => {
            (Error::ERR_ALREADY_IN_USE, "stop the program that uses it, or set halloo/port to another port".to_owned())
        }
        io::ErrorKind::PermissionDenied => (
            Error::ERR_UNAUTHORIZED,
            "set halloo/port to a port from 1024 up, and allow the game to use the network".to_owned(),
        ),
        io::ErrorKind::AddrNotAvailable => {
            (Error::ERR_UNAVAILABLE, "set halloo/bind to an address of this machine, or to nothing for all".to_owned())
        }
        _ => (Error::ERR_CANT_CREATE, "set halloo/port to another port".to_owned()),
    };
    (code, format!("cannot listen on {address} port {ports}: {error}; {advice}"))
}

/// The state of a server that was never started.
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
