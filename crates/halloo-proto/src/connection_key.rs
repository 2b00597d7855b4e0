//! The keys by which a web page asks over HTTP about its own WebSocket.
//!
//! A page cannot send pings, and a browser reports a dead connection late or never. So it offers a random key as a
//! subprotocol of the handshake, and asks for `/_halloo/connection?key=KEY` whether that connection still works, and how
//! many messages arrived. Nothing but the key is needed to ask, so it is too long to guess.

use crate::routes::{Resource, Route};

/// The prefix of a subprotocol that contains a key. Such a subprotocol is never accepted.
const PREFIX: &str = "halloo.key.";
/// Characters of a key: 128 random bits in base64url without padding.
const LENGTH: usize = 22;

/// A key that a page chose for its connection.
///
/// ```
/// use halloo_proto::connection_key::ConnectionKey;
///
/// assert!(ConnectionKey::from_subprotocol("halloo.key.AAAAAAAAAAAAAAAAAAAAAA").is_some());
/// assert!(ConnectionKey::from_subprotocol("halloo.key.guessable").is_none());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ConnectionKey([u8; LENGTH]);

impl ConnectionKey {
    /// Parses a subprotocol, `halloo.key.KEY`. Returns `None` if it is another one, or if the key does not have exactly 22
    /// characters of base64url.
    pub fn from_subprotocol(subprotocol: &str) -> Option<ConnectionKey> {
        ConnectionKey::parse(subprotocol.strip_prefix(PREFIX)?)
    }

    fn parse(text: &str) -> Option<ConnectionKey> {
        let is_base64url = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        text.as_bytes().try_into().ok().filter(|_| is_base64url).map(ConnectionKey)
    }
}

/// What a page asks about its connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionQuery {
    /// The key of the connection; `None` if it is missing or malformed.
    pub key: Option<ConnectionKey>,
    /// Whether the page has given up the connection, which is to be closed.
    pub ends: bool,
}

impl ConnectionQuery {
    /// Parses the query of a request for `route`. Returns `None` if that is not about a connection.
    pub(crate) fn parse(route: &Route, query: &str) -> Option<ConnectionQuery> {
        let value = |name| query.split('&').find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name));
        let key = value("key").and_then(|(_, key)| ConnectionKey::parse(key));
        let ends = value("end").is_some_and(|(_, end)| end == "1");
        (route.resource == Resource::Connection).then_some(ConnectionQuery { key, ends })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes::find;

    #[test]
    fn keys_have_22_characters_of_base64url() {
        let key = "AZaz09-_AAAAAAAAAAAAAA";
        let parsed = ConnectionKey::parse(key);
        assert!(parsed.is_some());
        for wrong in ["", &key[1..], &format!("{key}A"), &key.replace('_', "="), "äaaaaaaaaaaaaaaaaaaaa"] {
            assert_eq!(ConnectionKey::parse(wrong), None, "{wrong}");
        }
        let query = |path, query: &str| ConnectionQuery::parse(find(path, true), query);
        let path = "/_halloo/connection";
        let (whole, ending) = (query(path, &format!("key={key}")), query(path, &format!("end=1&key={key}")));
        assert_eq!(whole, Some(ConnectionQuery { key: parsed.clone(), ends: false }));
        assert_eq!(ending, Some(ConnectionQuery { key: parsed, ends: true }));
        assert_eq!(query(path, "key=x&end=0"), Some(ConnectionQuery { key: None, ends: false }));
        assert_eq!(query("/status", &format!("key={key}")), None);
    }
}
