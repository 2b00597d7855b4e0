//! Every setting of a server that has a simple value, declared once: the command line, the environment, Godot's project
//! settings and the documentation are derived from this table.
//!
//! A new setting takes a field of [`Config`] with its default, a row of [`SETTINGS`], and the code that uses it.

mod kind;
mod value;

use crate::Config;

pub use kind::Kind;
pub use value::{SettingError, Value};

/// What a setting is about; also the heading of its options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Ports and addresses.
    Network,
    /// How others find the server.
    Discovery,
    /// Who may connect.
    Access,
    /// What browsers get.
    Pages,
    /// What one client, or all of them, may take.
    Limits,
}

/// How prominently a setting is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Everywhere.
    Basic,
    /// In Godot among the advanced project settings.
    Advanced,
    /// As an advanced one, but seldom needed.
    Rare,
    /// As a rare one, but not in Godot at all, whose library is built without the feature.
    NotInGodot,
}

/// One setting.
pub struct Setting {
    /// Its name, which is the same everywhere apart from `_` and `-`: the path of the field with `_`, without the prefixes
    /// `messages.` and `access.`, and with `handshake_` for `handshakes.`.
    pub name: &'static str,
    /// The path of the field in [`Config`], such as `outbox.when_full`.
    pub path: &'static str,
    /// What it is about.
    pub group: Group,
    /// Its values, with unit and range.
    pub kind: Kind,
    /// What it does, in one sentence.
    pub text: &'static str,
    /// What happens when the limit is exceeded; empty for other settings.
    pub when_exceeded: &'static str,
    /// How prominently it is shown.
    pub level: Level,
    get: fn(&Config) -> Value,
    set: fn(&mut Config, Value) -> Result<(), ()>,
}

impl Setting {
    /// Returns the value in `config`.
    pub fn get(&self, config: &Config) -> Value {
        (self.get)(config)
    }

    /// Sets the value in `config`.
    ///
    /// # Errors
    /// [`SettingError`] when the value is of another kind or out of range; `config` is unchanged then.
    pub fn set(&self, config: &mut Config, value: Value) -> Result<(), SettingError> {
        let value = self.kind.check(value)?;
        let given = value.to_string();
        // In range, but a size may still be more than this machine can address.
        (self.set)(config, value).map_err(|()| SettingError { given, allowed: self.kind.allowed() })
    }

    /// Returns whether a project in Godot can set it.
    pub fn is_in_godot(&self) -> bool {
        self.level != Level::NotInGodot
    }

    /// Returns the default.
    pub fn default_value(&self) -> Value {
        self.get(&Config::default())
    }
}

/// Returns the name of the setting in a field.
macro_rules! name {
    (messages.$field:ident) => {
        stringify!($field)
    };
    (access.$field:ident) => {
        stringify!($field)
    };
    (handshakes.$field:ident) => {
        concat!("handshake_", stringify!($field))
    };
    ($part:ident.$field:ident) => {
        concat!(stringify!($part), "_", stringify!($field))
    };
    ($field:ident) => {
        stringify!($field)
    };
}

/// Returns the path of a field.
macro_rules! path {
    ($part:ident.$field:ident) => {
        concat!(stringify!($part), ".", stringify!($field))
    };
    ($field:ident) => {
        stringify!($field)
    };
}

/// A row of the table: the field, whose type converts from and into a [`Value`], and what is to be known about it.
macro_rules! setting {
    ($($field:ident).+, $group:ident, $level:ident, $kind:expr, $text:literal, $when_exceeded:literal) => {
        Setting {
            name: name!($($field).+),
            path: path!($($field).+),
            group: Group::$group,
            kind: $kind,
            text: $text,
            when_exceeded: $when_exceeded,
            level: Level::$level,
            get: |config| Value::from(config.$($field).+.clone()),
            set: |config, value| value.try_into().map(|value| config.$($field).+ = value),
        }
    };
}

/// In milliseconds.
const DAY: u64 = 24 * 3_600_000;
const BYTES: Kind = Kind::Bytes { min: 1, max: 1 << 30 };
const TOTAL: Kind = Kind::Bytes { min: 1, max: 1 << 40 };
const COUNT: Kind = Kind::Count { min: 1, max: 1 << 20 };
const TIMEOUT: Kind = Kind::Duration { min_millis: 100, max_millis: DAY, or_zero: false };

/// Every setting, in the order in which it is shown.
#[rustfmt::skip]
pub const SETTINGS: &[Setting] = &[
    setting!(port, Network, Basic, Kind::Count { min: 0, max: 65_535 },
        "First TCP port to try; the nine after it follow when it is in use or forbidden. 0 for any free port", ""),
    setting!(strict_port, Network, Advanced, Kind::Flag,
        "Fail when the port is in use or forbidden instead of trying the next", ""),
    setting!(bind, Network, Advanced, Kind::Address,
        "Listen on this address only; a loopback address also keeps discovery on this machine", ""),
    setting!(interfaces, Network, Advanced, Kind::Interfaces,
        "Use only these network interfaces, such as wlan0 or eth*; close connections to addresses of others", ""),
    setting!(excluded_interfaces, Network, Advanced, Kind::Interfaces,
        "Do not use these network interfaces, such as docker*", ""),
    setting!(advertise, Network, Advanced, Kind::AdvertisedAddress,
        "Announce this address instead of those of this machine, for a container or a forwarded port", ""),
    setting!(name, Discovery, Basic, Kind::Text,
        "Name that people see in a list of servers", ""),
    setting!(app, Discovery, Basic, Kind::OptionalText,
        "Application id, by which browsers and clients leave out the servers of other programs", ""),
    setting!(cluster_name, Discovery, Advanced, Kind::OptionalText,
        "Name of the cluster: clients accept any of its servers with the same name, and choose the one with the fewest clients", ""),
    setting!(meta, Discovery, Advanced, Kind::Properties,
        "What the server says about itself in lists of servers, such as map=desert", ""),
    setting!(discovery, Discovery, Basic, Kind::Flag,
        "Announce the server on the local network", ""),
    setting!(discovery_port, Discovery, Advanced, Kind::Count { min: 1, max: 65_535 },
        "UDP port that beacons are sent to", ""),
    setting!(discovery_interval, Discovery, Advanced,
        Kind::Duration { min_millis: 100, max_millis: DAY, or_zero: false },
        "Time between two beacons", ""),
    setting!(strict_beacon, Discovery, Rare, Kind::Flag,
        "Send beacons with the four keys of the reference script and nothing else", ""),
    #[cfg(feature = "mdns")]
    setting!(mdns, Discovery, NotInGodot, Kind::Flag,
        "Publish the server by multicast DNS, as NAME.local", ""),
    setting!(subprotocols, Access, Advanced, Kind::Subprotocols,
        "Accept the first of these WebSocket subprotocols that a client offers, such as json", ""),
    setting!(relay, Access, Basic, Kind::Flag,
        "Pass each message of a client on to the others in its rooms, or to all others if it is in none", ""),
    setting!(access.allowed_origins, Access, Basic, Kind::Origins,
        "Let in web pages of these origins, such as https://example.org, https://*.example.org or http://*:5173; * for every page", ""),
    setting!(access.allowed_hosts, Access, Advanced, Kind::Hosts,
        "Further names under which this machine may be addressed", ""),
    setting!(access.allow_public, Access, Advanced, Kind::Flag,
        "Let in clients from public addresses, which are disconnected otherwise", ""),
    setting!(access.token_proof_only, Access, Advanced, Kind::Flag,
        "Refuse a token that is sent in the clear; clients must prove that they know it, as those of halloo and its page do",
        ""),
    setting!(pad, Pages, Basic, Kind::PadLayout,
        "Make the page at / a game controller for phones, with this layout; own pages take its place", ""),
    setting!(max_clients, Limits, Advanced, Kind::Count { min: 0, max: 1 << 20 },
        "Maximum number of clients; 0 for as many as file descriptors allow, less 64",
        "refused with 503"),
    setting!(max_clients_per_address, Limits, Advanced, COUNT,
        "Maximum number of clients from one address; loopback is exempt",
        "refused with 503"),
    setting!(max_rooms, Limits, Rare, COUNT,
        "Number of rooms",
        "a client that would open another is refused with 503"),
    setting!(max_rooms_per_client, Limits, Rare, COUNT,
        "Number of rooms that one client is in",
        "it joins no other"),
    setting!(handshakes.timeout, Limits, Rare, TIMEOUT,
        "Time from the accepted socket to the complete handshake",
        "disconnected"),
    setting!(handshakes.max_head_bytes, Limits, Rare,
        Kind::Bytes { min: 256, max: 64 * 1024 },
        "Size of a request head",
        "refused with 431"),
    setting!(handshakes.max_headers, Limits, Rare, Kind::Count { min: 8, max: 1024 },
        "Number of headers in a request head",
        "refused with 431"),
    setting!(handshakes.max_pending, Limits, Rare, COUNT,
        "Number of pending connections, whose handshake is not complete",
        "the oldest is disconnected"),
    setting!(handshakes.max_pending_per_address, Limits, Rare, COUNT,
        "Number of pending connections from one address; loopback is exempt",
        "the oldest is disconnected"),
    setting!(messages.max_message_bytes, Limits, Advanced, BYTES,
        "Size of a message from a client",
        "closed with 1009"),
    setting!(messages.max_fragments, Limits, Rare, COUNT,
        "Number of frames of one message",
        "closed with 1008"),
    setting!(messages.stall_timeout, Limits, Rare, TIMEOUT,
        "Time in which no byte of a message arrives that has begun",
        "closed with 1013"),
    setting!(messages.min_bytes_per_second, Limits, Rare, Kind::Bytes { min: 0, max: 1 << 30 },
        "Bytes per second of a message on average, after as long as it may stall; 0 for no minimum",
        "closed with 1013"),
    setting!(messages.max_control_frames_per_second, Limits, Rare, COUNT,
        "Pings per second, after a burst of twice as many",
        "not answered; closed with 1008 for ten times as many"),
    setting!(max_partial_bytes_total, Limits, Rare, TOTAL,
        "Memory for the partial messages of all clients",
        "the client with the largest is closed with 1013"),
    setting!(compression, Limits, Advanced, Kind::Flag,
        "Let clients that offer it compress messages (permessage-deflate), both ways", ""),
    setting!(outbox.max_messages, Limits, Rare, COUNT,
        "Number of messages that wait for one client",
        "as `outbox_when_full` says"),
    setting!(outbox.max_bytes, Limits, Rare, BYTES,
        "Size of the messages that wait for one client",
        "as `outbox_when_full` says"),
    setting!(outbox.when_full, Limits, Advanced,
        Kind::Choice(&["disconnect", "drop_oldest", "drop_newest"]),
        "What happens when a client is too slow for its messages: disconnect closes it with 1013", ""),
    setting!(max_outbox_bytes_total, Limits, Rare, TOTAL,
        "Memory for the messages that wait for all clients, a broadcast counted once",
        "the client with the largest outbox is closed with 1013"),
    setting!(write_timeout, Limits, Rare, TIMEOUT,
        "Time in which a client accepts none of the bytes that wait for it",
        "disconnected"),
    setting!(close_timeout, Limits, Rare, TIMEOUT,
        "Time for a client to answer a close frame",
        "disconnected"),
    setting!(heartbeat, Limits, Advanced,
        Kind::Duration { min_millis: 500, max_millis: DAY, or_zero: true },
        "Silence after which a client is pinged; it is dropped after three times as long. 0 turns both off", ""),
    setting!(event_queue.max_events, Limits, Rare, COUNT,
        "Number of events that wait for the application",
        "the server stops reading"),
    setting!(event_queue.max_bytes, Limits, Rare, TOTAL,
        "Size of the messages in those events",
        "the server stops reading"),
];

/// Returns the setting with this name.
pub fn find(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

#[cfg(test)]
mod tests;
