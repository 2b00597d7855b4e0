//! What a client connects to.

use std::fmt;

use halloo_proto::text::escape;

use crate::ServerInfo;

/// The server that a client connects to.
///
/// Text that contains a scheme, a dot, a colon, a slash, an `@` or a bracket is an address, and so is `localhost`. Any
/// other text is the name of a server on the local network. A server that was discovered or is known by its name is
/// searched for again by that name when it no longer responds, since it may have moved to another port or address.
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
            TargetKind::Text(text) if is_address(text) => None,
            TargetKind::Text(name) | TargetKind::Name(name) => Some(name),
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

/// Returns an address for a log, without the part that may contain a token.
pub(super) fn without_secrets(address: &str) -> String {
    escape(address.split(['#', '?']).next().unwrap_or_default(), 200)
}

fn is_address(text: &str) -> bool {
    let text = text.trim();
    text.is_empty() || text.contains(['.', ':', '/', '[', '@']) || text.eq_ignore_ascii_case("localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_distinguished() {
        for address in ["ws://a", "a:80", "10.0.0.1", "den.local", "::1", "localhost"] {
            assert_eq!(Target::from(address).as_name(), None);
        }
        for name in ["den", "Living room", "halloo", " den "] {
            assert_eq!(Target::from(name).as_name(), Some(name));
        }
        assert_eq!(Target::name("v2.0").as_name(), Some("v2.0"));
    }

    #[test]
    fn debug_output_contains_no_token() {
        assert_eq!(format!("{:?}", Target::from("ws://a/#token=secret")), r#"Target("ws://a/")"#);
    }
}
