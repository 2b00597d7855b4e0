//! What a client said in its opening handshake.

use std::fmt;

use crate::percent;
use crate::text::escape;

/// Maximum bytes kept of the path and query.
const MAX_TARGET_BYTES: usize = 4096;
/// Maximum bytes kept of each of the others: the subprotocols together, the origin, and the program.
const MAX_FIELD_BYTES: usize = 512;
/// What takes the place of a token.
const HIDDEN: &str = "…";
/// Maximum bytes of the path and query in a log.
const MAX_SHOWN_BYTES: usize = 200;

/// What a client said in its opening handshake (RFC 6455 section 4.1): where it connected to, and what it is.
///
/// It contains no token of this server and no proof of it: `token=` in the query and the subprotocols that begin with
/// `halloo.` are left out. It has at most 6 KiB; longer values are cut, and [`ClientRequest::is_cut`] says so. All of it
/// comes from the network: escape it before you show it. Displayed, it is its path and query, escaped.
///
/// ```
/// use halloo_proto::client_request::ClientRequest;
///
/// let request = ClientRequest::new("/room/red?seat=3&name=J%C3%BCrgen&token=secret");
/// assert_eq!(request.target(), "/room/red?seat=3&name=J%C3%BCrgen");
/// assert_eq!((request.path(), request.query()), ("/room/red", "seat=3&name=J%C3%BCrgen"));
/// assert_eq!(request.query_value("name").as_deref(), Some("Jürgen"));
/// assert_eq!(request.user_agent(), None);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ClientRequest {
    target: Box<str>,
    room: Option<Box<str>>,
    subprotocols: Box<[Box<str>]>,
    subprotocol: Option<Box<str>>,
    origin: Option<Box<str>>,
    user_agent: Option<Box<str>>,
    is_cut: bool,
}

impl ClientRequest {
    /// Creates the request of a client that connects to this path and query and says nothing else.
    pub fn new(target: &str) -> ClientRequest {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let kept: Vec<&str> = query.split('&').filter(|pair| !is_token(pair)).collect();
        let query = kept.join("&");
        let separator = if query.is_empty() { "" } else { "?" };
        let mut request = ClientRequest {
            target: "".into(),
            room: None,
            subprotocols: Box::default(),
            subprotocol: None,
            origin: None,
            user_agent: None,
            is_cut: false,
        };
        request.target = request.kept(&format!("{path}{separator}{query}"), MAX_TARGET_BYTES);
        request
    }

    /// Sets the room that the client joins.
    pub(crate) fn set_room(&mut self, room: Option<String>) {
        self.room = room.map(String::into_boxed_str);
    }

    /// Sets the application's subprotocols that were offered, and the one that was chosen.
    pub(crate) fn set_subprotocols(&mut self, offered: &[&str], chosen: Option<&str>) {
        let mut room = MAX_FIELD_BYTES;
        let kept = offered.iter().take_while(|name| {
            let fits = name.len() <= room;
            room = room.saturating_sub(name.len());
            fits
        });
        self.subprotocols = kept.map(|name| Box::from(*name)).collect();
        self.is_cut |= self.subprotocols.len() < offered.len();
        self.subprotocol = chosen.map(Box::from);
    }

    /// Sets the origin of the page and the name of the program.
    pub(crate) fn set_program(&mut self, origin: Option<&str>, user_agent: Option<&str>) {
        self.origin = origin.map(|origin| self.kept(origin, MAX_FIELD_BYTES));
        self.user_agent = user_agent.map(|program| self.kept(program, MAX_FIELD_BYTES));
    }

    /// Removes `secret` from everything: a client may send it where it does not belong.
    pub(crate) fn hide(&mut self, secret: &str) {
        let texts = [Some(&mut self.target), self.room.as_mut(), self.origin.as_mut(), self.user_agent.as_mut()];
        for text in texts.into_iter().flatten().chain(&mut self.subprotocols) {
            if text.contains(secret) {
                *text = text.replace(secret, HIDDEN).into();
            }
        }
    }

    /// Returns the path and query, percent-encoded as the client sent them: `/room/red?seat=3`.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Returns the path, percent-encoded, without its query.
    pub fn path(&self) -> &str {
        self.target.split_once('?').map_or(&self.target, |(path, _)| path)
    }

    /// Returns the query, percent-encoded, without its question mark; empty if there is none.
    pub fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// Returns the decoded value of the first pair in the query with this key. A `+` is a space, as in forms of browsers.
    /// What is not UTF-8 is replaced by U+FFFD.
    pub fn query_value(&self, key: &str) -> Option<String> {
        self.query_pairs().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// Returns the keys and values in the query in their order, decoded as by [`ClientRequest::query_value`]. A part without
    /// `=` is a key with an empty value.
    pub fn query_pairs(&self) -> impl Iterator<Item = (String, String)> {
        let parts = self.query().split('&').filter(|part| !part.is_empty());
        parts.map(|part| part.split_once('=').unwrap_or((part, ""))).map(|(key, value)| (decoded(key), decoded(value)))
    }

    /// Returns the room that the path joins, decoded.
    pub fn room(&self) -> Option<&str> {
        self.room.as_deref()
    }

    /// Returns the subprotocols that the client offered, in its order, without those of this protocol.
    pub fn subprotocols(&self) -> impl Iterator<Item = &str> {
        self.subprotocols.iter().map(AsRef::as_ref)
    }

    /// Returns the subprotocol of the application that was chosen; `None` if none was.
    pub fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    /// Returns the origin of the web page that connected; `None` for other programs.
    pub fn origin(&self) -> Option<&str> {
        self.origin.as_deref()
    }

    /// Returns what the client calls itself (`User-Agent`, RFC 9110 section 10.1.5).
    pub fn user_agent(&self) -> Option<&str> {
        self.user_agent.as_deref()
    }

    /// Returns whether a value was too long and was cut: more than 4,096 bytes of path and query, or 512 bytes of another.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Returns whether the client said nothing but the path `/`.
    pub fn is_plain(&self) -> bool {
        *self.target == *"/" && self.subprotocols.is_empty() && self.origin.is_none() && self.user_agent.is_none()
    }

    fn kept(&mut self, text: &str, limit: usize) -> Box<str> {
        if text.len() <= limit {
            return text.into();
        }
        self.is_cut = true;
        let end = (0..=limit).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
        text[..end].into()
    }
}

impl Default for ClientRequest {
    fn default() -> ClientRequest {
        ClientRequest::new("/")
    }
}

impl fmt::Display for ClientRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&escape(&self.target, MAX_SHOWN_BYTES))
    }
}

impl fmt::Debug for ClientRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientRequest({self})")
    }
}

/// Returns whether a pair of the query is a token, however its key is written.
fn is_token(pair: &str) -> bool {
    let key = pair.split('=').next().unwrap_or_default();
    pair.is_empty() || decoded(key).eq_ignore_ascii_case("token")
}

fn decoded(text: &str) -> String {
    String::from_utf8_lossy(&percent::decode(&text.replace('+', " "))).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_left_out_however_they_are_written() {
        for (target, kept) in [
            ("/?token=secret", "/"),
            ("/a?token=secret&b=c", "/a?b=c"),
            ("/a?b=c&token=secret&d", "/a?b=c&d"),
            ("/a?TOKEN=secret", "/a"),
            ("/a?%74oken=secret", "/a"),
            ("/a?token", "/a"),
            ("/a?mytoken=x", "/a?mytoken=x"),
            ("/a?", "/a"),
            ("/a?b?c", "/a?b?c"),
        ] {
            assert_eq!(ClientRequest::new(target).target(), kept, "{target}");
        }
    }

    #[test]
    fn a_secret_is_hidden_everywhere() {
        let mut request = ClientRequest::new("/secret?a=secret");
        request.set_program(Some("https://secret"), Some("secret/1"));
        request.set_subprotocols(&["x.secret"], None);
        request.set_room(Some("secret".into()));
        request.hide("secret");
        let texts = [Some(request.target()), request.room(), request.origin(), request.user_agent()];
        let all = texts.map(Option::unwrap).join(" ") + request.subprotocols().next().unwrap();
        assert!(!all.contains("secret") && all.contains('…'), "{all}");
    }

    #[test]
    fn size_is_bounded_and_a_cut_is_told() {
        let long = "ü".repeat(10_000);
        let mut request = ClientRequest::new(&long);
        assert!(request.is_cut() && request.target().len() == MAX_TARGET_BYTES);
        request = ClientRequest::new("/");
        assert!(!request.is_cut() && request.is_plain());
        request.set_program(Some(&long), Some(&long));
        assert!(request.is_cut());
        assert_eq!(request.user_agent().map(str::len), Some(MAX_FIELD_BYTES));
        let names: Vec<String> = (0..1000).map(|number| format!("name{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        request = ClientRequest::new("/");
        request.set_subprotocols(&names, Some("name0"));
        assert!(request.is_cut() && request.subprotocols().map(str::len).sum::<usize>() <= MAX_FIELD_BYTES);
    }

    #[test]
    fn displayed_text_is_escaped_and_short() {
        let request = ClientRequest::new(&format!("/\u{202e}a{}", "b".repeat(500)));
        let shown = format!("{request} {request:?}");
        assert!(shown.starts_with("/\\u{202e}ab") && shown.len() < 500, "{shown}");
    }

    #[test]
    fn query_values_are_decoded() {
        let request = ClientRequest::new("/?a=1+2&b=%C3%BC&a=3&c&%64=4");
        let value = |key| request.query_value(key);
        assert_eq!(value("a").as_deref(), Some("1 2"));
        assert_eq!(value("b").as_deref(), Some("ü"));
        assert_eq!((value("c").as_deref(), value("d").as_deref(), value("e")), (Some(""), Some("4"), None));
        let pairs: Vec<_> = request.query_pairs().collect();
        let expected = [("a", "1 2"), ("b", "ü"), ("a", "3"), ("c", ""), ("d", "4")];
        assert_eq!(pairs, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
        assert_eq!(ClientRequest::new("/?").query_pairs().next(), None);
    }
}
