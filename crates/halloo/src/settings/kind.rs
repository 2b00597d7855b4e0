//! What values a setting has.

use std::net::IpAddr;
use std::time::Duration;

use halloo_proto::access::{is_host_setting, is_origin_setting};
use halloo_proto::advertised_address::AdvertisedAddress;
use halloo_proto::meta::{MAX_KEY_CHARS, MAX_PAIRS, MAX_VALUE_BYTES, Meta};
use halloo_proto::name::is_blank;
use halloo_proto::pad_layout::PadLayout;
use halloo_proto::subprotocols::{MAX_SUBPROTOCOL_BYTES, is_subprotocol};

use super::{SettingError, Value};

/// The values of a setting, with unit and range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// On or off.
    Flag,
    /// A whole number.
    Count {
        /// The smallest.
        min: u64,
        /// The largest.
        max: u64,
    },
    /// A number of bytes.
    Bytes {
        /// The smallest.
        min: u64,
        /// The largest.
        max: u64,
    },
    /// A time.
    Duration {
        /// The shortest, in milliseconds.
        min_millis: u64,
        /// The longest, in milliseconds.
        max_millis: u64,
        /// Whether zero is also allowed.
        or_zero: bool,
    },
    /// Any text with a visible character.
    Text,
    /// A text with a visible character; empty for none.
    OptionalText,
    /// A list of properties, each as `key=value`.
    Properties,
    /// An IP address of this machine; empty for all.
    Address,
    /// An IPv4 address at which others reach the server, with or without a port; empty for none.
    AdvertisedAddress,
    /// A list of names of network interfaces, in which `*` stands for any characters.
    Interfaces,
    /// A list of web origins.
    Origins,
    /// A list of host names.
    Hosts,
    /// A list of names of WebSocket subprotocols.
    Subprotocols,
    /// A layout of the pad in JSON; empty for none.
    PadLayout,
    /// One of these words.
    Choice(&'static [&'static str]),
}

impl Kind {
    /// Returns a value as people read it: `1 MiB`, `5s`, `on`.
    pub fn describe(&self, value: &Value) -> String {
        match (value, self) {
            (Value::Flag(flag), _) => if *flag { "on" } else { "off" }.into(),
            (Value::Number(number), Kind::Bytes { .. }) => bytes(*number),
            (Value::Text(text), Kind::Address) if text.is_empty() => "all addresses".into(),
            (Value::Text(text), Kind::OptionalText | Kind::AdvertisedAddress | Kind::PadLayout) if text.is_empty() => {
                "none".into()
            }
            (Value::List(list), _) if list.is_empty() => "none".into(),
            _ => value.to_string(),
        }
    }

    /// Returns `value` if it is of this kind and in range.
    ///
    /// # Errors
    /// [`SettingError`] says what is allowed.
    pub fn check(&self, value: Value) -> Result<Value, SettingError> {
        let is_valid = match (self, &value) {
            (Kind::Flag, Value::Flag(_)) => true,
            (Kind::Count { min, max } | Kind::Bytes { min, max }, Value::Number(number)) => {
                (min..=max).contains(&number)
            }
            (Kind::Duration { min_millis, max_millis, or_zero }, Value::Duration(time)) => {
                let range = Duration::from_millis(*min_millis)..=Duration::from_millis(*max_millis);
                range.contains(time) || (*or_zero && time.is_zero())
            }
            (Kind::Text, Value::Text(text)) => !is_blank(text),
            (Kind::OptionalText, Value::Text(text)) => text.is_empty() || !is_blank(text),
            (Kind::Properties, Value::List(list)) => Meta::parse(list).is_ok(),
            (Kind::Address, Value::Text(text)) => text.is_empty() || text.parse::<IpAddr>().is_ok(),
            (Kind::AdvertisedAddress, Value::Text(text)) => {
                text.is_empty() || text.parse::<AdvertisedAddress>().is_ok()
            }
            (Kind::PadLayout, Value::Text(text)) => text.is_empty() || text.parse::<PadLayout>().is_ok(),
            (Kind::Interfaces, Value::List(list)) => list.iter().all(|name| !is_blank(name)),
            (Kind::Choice(words), Value::Text(text)) => words.contains(&text.as_str()),
            (Kind::Origins, Value::List(list)) => list.iter().all(|origin| is_origin_setting(origin)),
            (Kind::Hosts, Value::List(list)) => list.iter().all(|host| is_host_setting(host)),
            (Kind::Subprotocols, Value::List(list)) => list.iter().all(|name| is_subprotocol(name)),
            _ => false,
        };
        if is_valid { Ok(value) } else { Err(SettingError { given: value.to_string(), allowed: self.allowed() }) }
    }

    /// Returns the values with their unit, such as `100ms to 24h, or 0s`.
    pub fn range(&self) -> String {
        match self {
            Kind::Flag => "on or off".into(),
            Kind::Count { min, max } => format!("{min} to {max}"),
            Kind::Bytes { min, max } => format!("{} to {}", bytes(*min), bytes(*max)),
            Kind::Duration { min_millis, max_millis, or_zero } => {
                let (min, hours) = (Duration::from_millis(*min_millis), max_millis / 3_600_000);
                format!("{min:?} to {hours}h{}", if *or_zero { ", or 0s" } else { "" })
            }
            Kind::Text | Kind::OptionalText => "text".into(),
            Kind::Properties => format!("{MAX_PAIRS} properties"),
            Kind::Address => "IP address".into(),
            Kind::AdvertisedAddress => "IPv4 address".into(),
            Kind::Interfaces => "list of interfaces".into(),
            Kind::Origins => "list of origins".into(),
            Kind::Hosts => "list of host names".into(),
            Kind::Subprotocols => "list of subprotocols".into(),
            Kind::PadLayout => "layout of the pad".into(),
            Kind::Choice(words) => words.join(", "),
        }
    }

    /// Returns what is allowed as a part of a sentence, such as `a whole number from 0 to 65535`.
    pub fn allowed(&self) -> String {
        let range = self.range();
        match self {
            Kind::Flag => "true or false".into(),
            Kind::Count { .. } => format!("a whole number from {range}"),
            Kind::Bytes { .. } => format!("a size from {range}, like 65536, 64KiB or 2MB"),
            Kind::Duration { .. } => format!("a time from {range}, with its unit, like 500ms, 2s or 1m"),
            Kind::Text | Kind::OptionalText => "a text that is not empty or blank".into(),
            Kind::Properties => format!(
                "at most {MAX_PAIRS} properties, like map=desert, with a key of 1 to {MAX_KEY_CHARS} of the characters \
                 A-Z a-z 0-9 _ . - and a value of at most {MAX_VALUE_BYTES} bytes"
            ),
            Kind::Address => "an IP address of this machine, like 192.168.1.5, without a port, or nothing for all".into(),
            Kind::AdvertisedAddress => {
                "an IPv4 address that other machines reach, like 192.168.1.5 or 192.168.1.5:9000, and no host name or IPv6 \
                 address"
                    .into()
            }
            Kind::Interfaces => "names of network interfaces, like wlan0 or docker*".into(),
            Kind::Origins => {
                "origins as browsers send them, like https://example.org, https://*.example.org, http://192.168.1.5:* or \
                 http://*:5173, or * for every page"
                    .into()
            }
            Kind::Hosts => "host names, like game.example.org, without a scheme or a port".into(),
            Kind::Subprotocols => format!(
                "names of subprotocols, like json or v2.chat, of 1 to {MAX_SUBPROTOCOL_BYTES} letters, digits and characters \
                 like . - _, which do not begin with halloo."
            ),
            Kind::PadLayout => r#"a layout of the pad, like {"left": "stick", "right": ["a", "b"]}"#.into(),
            Kind::Choice(_) => range,
        }
    }
}

/// Returns a size in the largest unit that divides it.
pub(crate) fn bytes(size: u64) -> String {
    let units = [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let unit = units.iter().find(|(unit, _)| size >= *unit && size.is_multiple_of(*unit));
    unit.map_or_else(|| format!("{size} B"), |(unit, name)| format!("{} {name}", size / unit))
}
