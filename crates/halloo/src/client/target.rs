//! What a client connects to.

use std::fmt;

use halloo_proto::text::escape;
use halloo_proto::token::Token;
use halloo_proto::url::Reading;

use crate::ServerInfo;

/// The server that a client connects to.
///
/// A text is an address if it is a URL with a scheme, an IP address, `localhost`, or a host with a dot or a port.
/// Any other text is the name or the id of a server on the local network, as [`find`](crate::find) finds it. A host that
/// cannot be resolved may be a name as well, such as `Dr.No`: then a server of this name is searched for.
///
/// A server that was discovered or is known by its name is searched for again by that name when it no longer responds,
/// since it may have moved to another port or address. An id is random for each start of a server, so it never leads to
/// another server.
///
/// ```
/// use halloo::{Target, discover};
///
/// let address = Target::from("ws://192.168.1.5:8765");
/// let name = Target::from("Living room");
/// let odd_name = Target::name("v2.0");
/// # fn found() -> std::io::Result<Option<Target>> {
/// let discovered = discover(std::time::Duration::from_secs(3))?.first().map(Target::from);
/// # Ok(discovered)
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target(pub(super) TargetKind);

#[derive(Clone, PartialEq, Eq)]
pub(super) enum TargetKind {
    /// An address or a name.
    Text(String),
    Name(String),
    Server(Box<ServerInfo>),
}

impl fmt::Debug for TargetKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TargetKind::Text(text) => write!(f, "{:?}", without_secrets(text)),
            TargetKind::Name(name) => write!(f, "{name:?}"),
            TargetKind::Server(server) => server.fmt(f),
        }
    }
}

impl Target {
    /// Returns the server called `name`, even if the name looks like an address.
    pub fn name(name: impl Into<String>) -> Target {
        Target(TargetKind::Name(name.into()))
    }

    /// Returns the name to search for, or `None` if the address is known.
    pub fn as_name(&self) -> Option<&str> {
        match &self.0 {
            TargetKind::Text(text) => matches!(Reading::of(text), Reading::Name).then_some(text),
            TargetKind::Name(name) => Some(name),
            TargetKind::Server(_) => None,
        }
    }
}

impl From<&str> for Target {
    fn from(text: &str) -> Target {
        Target(TargetKind::Text(text.into()))
    }
}

impl From<String> for Target {
    fn from(text: String) -> Target {
        Target(TargetKind::Text(text))
    }
}

impl From<&String> for Target {
    fn from(text: &String) -> Target {
        Target(TargetKind::Text(text.clone()))
    }
}

impl From<ServerInfo> for Target {
    fn from(server: ServerInfo) -> Target {
        Target(TargetKind::Server(Box::new(server)))
    }
}

impl From<&ServerInfo> for Target {
    fn from(server: &ServerInfo) -> Target {
        Target::from(server.clone())
    }
}

/// Returns an address for a log, without the parts that may contain a token or a password.
pub(super) fn without_secrets(address: &str) -> String {
    let shown = address.split(['#', '?']).next().unwrap_or_default();
    let start = shown.find("://").map_or(0, |scheme| scheme + 3);
    let (scheme, rest) = shown.split_at(start);
    let end = rest.find('/').unwrap_or(rest.len());
    let user = rest[..end].rfind('@');
    let shown = user.map_or_else(|| shown.to_owned(), |at| format!("{scheme}…{}", &rest[at..]));
    escape(&Token::hide(&shown), 200)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_distinguished() {
        for address in [
            "ws://a",
            "a:80",
            "10.0.0.1",
            "den.local",
            "::1",
            "localhost",
            "LOCALHOST",
            "host:8765",
            "a.b/c",
            "[::1]:1",
            "fe80::1%eth0",
            "[fe80::1%25eth0]:8765",
            "http://10.0.0.1:8765/",
            "a:80/room",
            "",
        ] {
            assert_eq!(Target::from(address).as_name(), None, "{address}");
        }
        for invalid in [
            "ftp://a",
            "ws://a b",
            "ws://v2.0:0",
            "10.0.0.1:99999",
            "[::1]:x",
            "den.local#token=short",
            "Den#Token=short",
            " ",
        ] {
            assert_eq!(Target::from(invalid).as_name(), None, "{invalid}");
            assert!(matches!(Reading::of(invalid), Reading::Invalid(_)), "{invalid}");
        }
        for name in [
            "den",
            "Living room",
            "halloo",
            " den ",
            "v2.0",
            "den.",
            "Dr. Öz v2.0",
            "a/b:c@d[e]",
            "Anna: phone",
            "table 5:30",
            "5f0c9a3be1d24477",
            "me@home",
            "[GER] Den",
            "Room #5",
            "Room#5",
            "What?",
            "den…",
            "...",
            "👨‍👩‍👧‍👦",
            "see http://a",
        ] {
            assert_eq!(Target::from(name).as_name(), Some(name), "{name}");
        }
        assert_eq!(Target::name("den.local").as_name(), Some("den.local"));
    }

    #[test]
    fn debug_output_contains_no_token() {
        for (address, shown) in [
            ("ws://a/#token=secret", "ws://a/"),
            ("ws://secret@a/b@c", "ws://…@a/b@c"),
            ("user:secret@a:80", "…@a:80"),
            ("a:80/token=secret", "a:80/token=…"),
        ] {
            assert_eq!(format!("{:?}", Target::from(address)), format!("Target({shown:?})"));
        }
    }
}
