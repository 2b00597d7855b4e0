//! The properties that a server tells about itself, such as its map or its number of players.

use std::fmt;

use serde::de::{Deserializer, Error as _};
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::name::clean;
use crate::text::escape;

/// Maximum number of pairs.
pub const MAX_PAIRS: usize = 16;
/// Maximum length of a key in characters.
pub const MAX_KEY_CHARS: usize = 32;
/// Maximum length of a value in bytes, so that a pair fits into a string of a TXT record.
pub const MAX_VALUE_BYTES: usize = 128;

/// Properties of a server: at most 16 pairs of a key and a value, in the order in which they were inserted.
///
/// A key has 1 to 32 of the characters `A-Z a-z 0-9 _ . -`. Two keys that differ only in upper and lower case are the
/// same key. A value has at most 128 bytes of UTF-8, without control characters and without characters that hide or
/// reverse text.
///
/// ```
/// use halloo_proto::meta::Meta;
///
/// let mut meta = Meta::default();
/// meta.insert("map", "desert")?;
/// meta.insert("players", "3")?;
/// assert_eq!((meta.get("MAP"), meta.len()), (Some("desert"), 2));
/// assert_eq!(Meta::parse(["map=desert", "players=3"])?, meta);
/// # Ok::<(), halloo_proto::meta::MetaError>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Meta(Vec<(String, String)>);

/// Why a property is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetaError {
    /// A text is not a pair.
    #[error("`{0}` is not a property; write KEY=VALUE, such as map=desert")]
    NotAPair(String),
    /// A key is empty or too long, or contains another character.
    #[error("`{0}` is not a key of a property; use 1 to {MAX_KEY_CHARS} of the characters A-Z a-z 0-9 _ . -")]
    Key(String),
    /// A key is given twice.
    #[error("the property `{0}` is given twice; give it once, since upper and lower case do not distinguish keys")]
    Duplicate(String),
    /// A value is too long.
    #[error("the value of the property `{0}` has more than {MAX_VALUE_BYTES} bytes; shorten it")]
    Length(String),
    /// A value contains a character that could deceive when it is displayed.
    #[error("the value of the property `{0}` contains a control character or an invisible one; remove it")]
    Character(String),
    /// There are more than 16 pairs.
    #[error("there are more than {MAX_PAIRS} properties; leave out `{0}`, or another one")]
    TooMany(String),
}

impl Meta {
    /// Returns the pairs of texts such as `map=desert`.
    ///
    /// # Errors
    /// [`MetaError`] if a text is not a pair, if a pair is invalid, if a key is given twice, or if there are more than 16.
    pub fn parse<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Result<Meta, MetaError> {
        let mut meta = Meta::default();
        for text in texts {
            let text = text.as_ref();
            let (key, value) = text.split_once('=').ok_or_else(|| MetaError::NotAPair(shown(text)))?;
            meta.add(key, value)?;
        }
        Ok(meta)
    }

    /// Sets the value of `key`, in its place if it is there already.
    ///
    /// # Errors
    /// [`MetaError`] if the pair is invalid, or if it would be the seventeenth; nothing is changed then.
    pub fn insert(&mut self, key: &str, value: &str) -> Result<(), MetaError> {
        check(key, value)?;
        let pair = (key.to_owned(), value.to_owned());
        match self.position(key) {
            Some(index) => self.0[index] = pair,
            None if self.0.len() >= MAX_PAIRS => return Err(MetaError::TooMany(shown(key))),
            None => self.0.push(pair),
        }
        Ok(())
    }

    /// Removes a pair, and returns its value.
    pub fn remove(&mut self, key: &str) -> Option<String> {
        let index = self.position(key)?;
        Some(self.0.remove(index).1)
    }

    /// Returns the value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.position(key).map(|index| self.0[index].1.as_str())
    }

    /// Returns the pairs in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Returns the number of pairs.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there are no pairs.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Removes the last pair; `None` if there is none.
    pub(crate) fn pop(&mut self) -> Option<(String, String)> {
        self.0.pop()
    }

    fn position(&self, key: &str) -> Option<usize> {
        self.0.iter().position(|(known, _)| known.eq_ignore_ascii_case(key))
    }

    /// Inserts a pair whose key must be new.
    fn add(&mut self, key: &str, value: &str) -> Result<(), MetaError> {
        if self.get(key).is_some() {
            return Err(MetaError::Duplicate(shown(key)));
        }
        self.insert(key, value)
    }
}

fn check(key: &str, value: &str) -> Result<(), MetaError> {
    let is_key_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    if !(1..=MAX_KEY_CHARS).contains(&key.len()) || !key.bytes().all(is_key_byte) {
        return Err(MetaError::Key(shown(key)));
    }
    if value.len() > MAX_VALUE_BYTES {
        return Err(MetaError::Length(shown(key)));
    }
    if escape(value, usize::MAX) != value {
        return Err(MetaError::Character(shown(key)));
    }
    Ok(())
}

/// Returns a text that may be anything for an error.
fn shown(text: &str) -> String {
    escape(text, 60)
}

impl fmt::Debug for Meta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl Serialize for Meta {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len()))?;
        for (key, value) in self.iter() {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

/// Reads an object whose values are strings. An invalid pair is an error.
impl<'de> Deserialize<'de> for Meta {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Meta, D::Error> {
        let mut meta = Meta::default();
        for (key, value) in Map::deserialize(deserializer)? {
            let Value::String(value) = value else {
                let error = format!("the value of the property `{}` is not a string; put it in quotes", shown(&key));
                return Err(D::Error::custom(error));
            };
            meta.add(&key, &value).map_err(D::Error::custom)?;
        }
        Ok(meta)
    }
}

/// What a peer sent: invalid pairs, and those after the sixteenth, are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReceivedMeta(pub Meta);

impl<'de> Deserialize<'de> for ReceivedMeta {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ReceivedMeta, D::Error> {
        let mut meta = Meta::default();
        for (key, value) in Map::deserialize(deserializer)? {
            let Value::String(value) = value else { continue };
            let mut value = clean(&value, MAX_VALUE_BYTES);
            while value.len() > MAX_VALUE_BYTES {
                value.pop();
            }
            // An invalid one may be valid in a later version.
            let _ = meta.add(&key, &value);
        }
        Ok(ReceivedMeta(meta))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(json: &str) -> Meta {
        serde_json::from_str::<ReceivedMeta>(json).unwrap().0
    }

    #[test]
    fn pairs_keep_their_order_and_a_key_has_one_value() {
        let mut meta = Meta::parse(["z=1", "a=2", "empty="]).unwrap();
        meta.insert("Z", "a=b").unwrap();
        assert_eq!(meta.iter().collect::<Vec<_>>(), [("Z", "a=b"), ("a", "2"), ("empty", "")]);
        let json = serde_json::to_string(&meta).unwrap();
        assert_eq!(json, r#"{"Z":"a=b","a":"2","empty":""}"#);
        assert_eq!((serde_json::from_str::<Meta>(&json).unwrap(), received(&json)), (meta.clone(), meta.clone()));
        assert_eq!((meta.remove("A").as_deref(), meta.remove("A"), meta.len()), (Some("2"), None, 2));
    }

    #[test]
    fn invalid_pairs_are_refused_with_advice() {
        let longest = format!("{}={}", "k".repeat(MAX_KEY_CHARS), "é".repeat(MAX_VALUE_BYTES / 2));
        assert!(Meta::parse([&longest]).is_ok());
        for (texts, advice) in [
            (vec!["map".to_owned()], "KEY=VALUE"),
            (vec!["=desert".into()], "A-Z a-z 0-9 _ . -"),
            (vec!["ma p=desert".into()], "A-Z a-z 0-9 _ . -"),
            (vec!["kärte=1".into()], "A-Z a-z 0-9 _ . -"),
            (vec![format!("k{longest}")], "1 to 32"),
            (vec![format!("{longest}x")], "more than 128 bytes"),
            (vec!["map=a\nb".into()], "control character"),
            (vec!["map=a\u{202e}b".into()], "invisible"),
            (vec!["map=a".into(), "MAP=b".into()], "given twice"),
            ((0..17).map(|number| format!("k{number}=")).collect(), "leave out `k16`"),
        ] {
            let error = Meta::parse(&texts).unwrap_err().to_string();
            assert!(error.contains(advice), "{texts:?}: {error}");
        }
        for json in [r#"{"a":1}"#, r#"{"a b":"1"}"#, r#"["a"]"#] {
            assert!(serde_json::from_str::<Meta>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn what_a_peer_sends_is_bounded_and_cleaned() {
        let meta = received(r#"{"a":"x\u001b[2J\u202ey","b":1,"":"z","c d":"z","A":"twice","e":"f"}"#);
        assert_eq!(meta.iter().collect::<Vec<_>>(), [("a", "x[2Jy"), ("e", "f")]);
        let many: Vec<String> = (0..40).map(|number| format!(r#""k{number}":"{}""#, "日".repeat(100))).collect();
        let meta = received(&format!("{{{}}}", many.join(",")));
        assert_eq!((meta.len(), meta.get("k0").map(str::len)), (MAX_PAIRS, Some(126)));
    }
}
