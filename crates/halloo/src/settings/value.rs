//! The value of a setting, whatever its type.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use halloo_proto::advertised_address::AdvertisedAddress;
use halloo_proto::meta::Meta;
use halloo_proto::pad_layout::PadLayout;
use halloo_proto::text::escape;

use crate::SlowClient;

/// A value of a setting.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// On or off.
    Flag(bool),
    /// A count, a port or a number of bytes.
    Number(u64),
    /// A time.
    Duration(Duration),
    /// A text, an address or a word.
    Text(String),
    /// Texts.
    List(Vec<String>),
}

/// A value that a setting cannot have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("give {allowed}")]
pub struct SettingError {
    /// What was given.
    pub given: String,
    /// What is allowed.
    pub allowed: String,
}

/// As it is given on the command line.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Flag(flag) => flag.fmt(f),
            Value::Number(number) => number.fmt(f),
            Value::Duration(time) => write!(f, "{time:?}"),
            Value::Text(text) => f.write_str(&escape(text, 100)),
            Value::List(list) => f.write_str(&escape(&list.join(","), 300)),
        }
    }
}

macro_rules! numbers {
    ($($type:ty),*) => {
        $(
            impl From<$type> for Value {
                fn from(number: $type) -> Value {
                    Value::Number(number as u64)
                }
            }

            impl TryFrom<Value> for $type {
                type Error = ();

                fn try_from(value: Value) -> Result<$type, ()> {
                    match value {
                        Value::Number(number) => number.try_into().map_err(drop),
                        _ => Err(()),
                    }
                }
            }
        )*
    };
}

numbers!(u16, u32, usize);

/// `None` stands for the largest possible number.
impl From<Option<usize>> for Value {
    fn from(number: Option<usize>) -> Value {
        Value::from(number.unwrap_or(0))
    }
}

impl TryFrom<Value> for Option<usize> {
    type Error = ();

    fn try_from(value: Value) -> Result<Option<usize>, ()> {
        usize::try_from(value).map(|number| Some(number).filter(|&number| number > 0))
    }
}

macro_rules! same {
    ($($variant:ident($type:ty)),*) => {
        $(
            impl From<$type> for Value {
                fn from(value: $type) -> Value {
                    Value::$variant(value)
                }
            }

            impl TryFrom<Value> for $type {
                type Error = ();

                fn try_from(value: Value) -> Result<$type, ()> {
                    match value {
                        Value::$variant(value) => Ok(value),
                        _ => Err(()),
                    }
                }
            }
        )*
    };
}

same!(Flag(bool), Duration(Duration), Text(String), List(Vec<String>));

/// `None` stands for all addresses.
impl From<Option<IpAddr>> for Value {
    fn from(address: Option<IpAddr>) -> Value {
        Value::Text(address.map_or_else(String::new, |address| address.to_string()))
    }
}

impl TryFrom<Value> for Option<IpAddr> {
    type Error = ();

    fn try_from(value: Value) -> Result<Option<IpAddr>, ()> {
        let text = String::try_from(value)?;
        if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(drop) }
    }
}

/// An empty text stands for `None`.
impl From<Option<String>> for Value {
    fn from(text: Option<String>) -> Value {
        Value::Text(text.unwrap_or_default())
    }
}

impl TryFrom<Value> for Option<String> {
    type Error = ();

    fn try_from(value: Value) -> Result<Option<String>, ()> {
        String::try_from(value).map(|text| Some(text).filter(|text| !text.is_empty()))
    }
}

/// `None` stands for the addresses of this machine.
impl From<Option<AdvertisedAddress>> for Value {
    fn from(address: Option<AdvertisedAddress>) -> Value {
        Value::Text(address.map_or_else(String::new, |address| address.to_string()))
    }
}

impl TryFrom<Value> for Option<AdvertisedAddress> {
    type Error = ();

    fn try_from(value: Value) -> Result<Option<AdvertisedAddress>, ()> {
        let text = String::try_from(value)?;
        if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(drop) }
    }
}

/// An empty text stands for `None`.
impl From<Option<PadLayout>> for Value {
    fn from(layout: Option<PadLayout>) -> Value {
        Value::Text(layout.map_or_else(String::new, |layout| layout.to_json()))
    }
}

impl TryFrom<Value> for Option<PadLayout> {
    type Error = ();

    fn try_from(value: Value) -> Result<Option<PadLayout>, ()> {
        let text = String::try_from(value)?;
        if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(drop) }
    }
}

/// Each property is a text such as `map=desert`.
impl From<Meta> for Value {
    fn from(meta: Meta) -> Value {
        Value::List(meta.iter().map(|(key, value)| format!("{key}={value}")).collect())
    }
}

impl TryFrom<Value> for Meta {
    type Error = ();

    fn try_from(value: Value) -> Result<Meta, ()> {
        Meta::parse(Vec::<String>::try_from(value)?).map_err(drop)
    }
}

impl From<SlowClient> for Value {
    fn from(policy: SlowClient) -> Value {
        let word = match policy {
            SlowClient::Disconnect => "disconnect",
            SlowClient::DropOldest => "drop_oldest",
            SlowClient::DropNewest => "drop_newest",
        };
        Value::Text(word.into())
    }
}

impl TryFrom<Value> for SlowClient {
    type Error = ();

    fn try_from(value: Value) -> Result<SlowClient, ()> {
        match String::try_from(value)?.as_str() {
            "disconnect" => Ok(SlowClient::Disconnect),
            "drop_oldest" => Ok(SlowClient::DropOldest),
            "drop_newest" => Ok(SlowClient::DropNewest),
            _ => Err(()),
        }
    }
}
