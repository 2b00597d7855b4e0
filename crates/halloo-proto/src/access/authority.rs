//! The host and the port of an address, as in `Host` and `Origin`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A DNS name has at most 253 bytes.
const MAX_NAME_BYTES: usize = 253;

/// `host [":" port]` (RFC 3986 section 3.2) without user information.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Authority {
    pub(super) name: Name,
    pub(super) port: Option<u16>,
}

/// A host, in a form that is compared byte by byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Name {
    /// An address; the zone of an IPv6 address is left out.
    Ip(IpAddr),
    /// A name in lower case, without a dot at its end.
    Dns(String),
}

impl Authority {
    /// Parses an authority. The port may be missing after its colon (RFC 3986 section 3.2.3).
    pub(super) fn parse(text: &str) -> Option<Authority> {
        let end = if text.starts_with('[') { text.find(']')? + 1 } else { text.find(':').unwrap_or(text.len()) };
        let (name, port) = text.split_at(end);
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => None,
            Some("") => None,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => Some(digits.parse().ok()?),
            _ => return None,
        };
        Some(Authority { name: Name::parse(name)?, port })
    }
}

impl Name {
    fn parse(text: &str) -> Option<Name> {
        if let Some(inside) = text.strip_prefix('[') {
            let inside = inside.strip_suffix(']')?;
            // The zone follows `%25` in a URL (RFC 6874), and `%` elsewhere (RFC 4007).
            let (address, zone) = inside.split_once('%').unwrap_or((inside, "zone"));
            let zone = zone.strip_prefix("25").filter(|rest| !rest.is_empty()).unwrap_or(zone);
            let is_zone = !zone.is_empty() && zone.bytes().all(|byte| is_unreserved(byte) || byte == b'~');
            return address.parse::<Ipv6Addr>().ok().filter(|_| is_zone).map(|ip| Name::Ip(ip.into()));
        }
        if let Ok(ip) = text.parse::<Ipv4Addr>() {
            return Some(Name::Ip(ip.into()));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        let is_label = |label: &str| !label.is_empty() && label.bytes().all(is_unreserved);
        // A leading hyphen would be an option where advice is pasted into a shell.
        let is_name = name.len() <= MAX_NAME_BYTES && !name.starts_with('-') && name.split('.').all(is_label);
        is_name.then(|| Name::Dns(name.to_ascii_lowercase()))
    }

    /// Returns whether the name is `parent` with at least one more label before it.
    pub(super) fn is_below(&self, parent: &str) -> bool {
        let Name::Dns(name) = self else { return false };
        name.strip_suffix(parent).is_some_and(|rest| rest.ends_with('.'))
    }

    /// Returns whether browsers read the name as an IPv4 address or refuse it (WHATWG URL, "ends in a number"): it is
    /// never sent by them.
    pub(super) fn ends_in_number(&self) -> bool {
        let Name::Dns(name) = self else { return false };
        let last = name.rsplit('.').next().unwrap_or_default();
        let hex = last.strip_prefix("0x").is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
        hex || last.bytes().all(|byte| byte.is_ascii_digit())
    }

    /// Returns whether the name always means the machine itself (RFC 6761 section 6.3).
    pub(super) fn is_loopback(&self) -> bool {
        match self {
            Name::Ip(ip) => ip.is_loopback(),
            Name::Dns(name) => name == "localhost" || self.is_below("localhost"),
        }
    }
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._".contains(&byte)
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Name::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
            Name::Ip(ip) => ip.fmt(f),
            Name::Dns(name) => f.write_str(name),
        }
    }
}
