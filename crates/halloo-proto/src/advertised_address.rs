//! The address at which others reach a server that does not know it itself, such as one in a container.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::str::FromStr;

use crate::text::escape;

/// An address that a server announces instead of those of its interfaces: an IPv4 address, with a port if that is not
/// the one on which the server listens.
///
/// ```
/// use halloo_proto::advertised_address::AdvertisedAddress;
///
/// let address: AdvertisedAddress = "192.168.1.5:9000".parse()?;
/// assert_eq!(address.with_default_port(8765).to_string(), "192.168.1.5:9000");
/// let address: AdvertisedAddress = "192.168.1.5".parse()?;
/// assert_eq!(address.with_default_port(8765).to_string(), "192.168.1.5:8765");
/// # Ok::<(), halloo_proto::advertised_address::AdvertisedAddressError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdvertisedAddress {
    ip: Ipv4Addr,
    port: Option<u16>,
}

/// Why a text is not an address that can be advertised.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AdvertisedAddressError {
    /// It is no IPv4 address, or its port is invalid.
    #[error(
        "`{0}` cannot be advertised; use an IPv4 address like 192.168.1.5 or 192.168.1.5:9000, since beacons contain one, \
         and no host name or IPv6 address"
    )]
    NotIpv4(String),
    /// Other machines cannot connect to it.
    #[error("other machines cannot connect to `{0}`; use an address that they reach, like 192.168.1.5")]
    Unreachable(Ipv4Addr),
}

impl AdvertisedAddress {
    /// Returns the address with its port, or with `port` if it has none.
    pub fn with_default_port(self, port: u16) -> SocketAddrV4 {
        SocketAddrV4::new(self.ip, self.port.unwrap_or(port))
    }
}

impl FromStr for AdvertisedAddress {
    type Err = AdvertisedAddressError;

    fn from_str(text: &str) -> Result<AdvertisedAddress, AdvertisedAddressError> {
        let with_port = text.parse().ok().map(|addr: SocketAddrV4| (*addr.ip(), Some(addr.port())));
        let parsed = with_port.or_else(|| text.parse().ok().map(|ip| (ip, None)));
        match parsed {
            None | Some((_, Some(0))) => Err(AdvertisedAddressError::NotIpv4(escape(text, 60))),
            Some((ip, _)) if !is_reachable(ip) => Err(AdvertisedAddressError::Unreachable(ip)),
            Some((ip, port)) => Ok(AdvertisedAddress { ip, port }),
        }
    }
}

/// As it is parsed.
impl fmt::Display for AdvertisedAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.ip),
            None => self.ip.fmt(f),
        }
    }
}

/// Returns whether another machine may be able to connect to `ip`.
pub(crate) fn is_reachable(ip: Ipv4Addr) -> bool {
    !ip.is_loopback() && !ip.is_unspecified() && !ip.is_multicast() && !ip.is_broadcast()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_they_are_parsed_and_others_are_refused() {
        for text in ["203.0.113.5", "192.168.1.5:9000"] {
            assert_eq!(text.parse::<AdvertisedAddress>().unwrap().to_string(), text);
        }
        for (text, advice) in [
            ("game.example.org", "no host name"),
            ("[fe80::1]:9000", "IPv6"),
            ("192.168.1.5:0", "192.168.1.5:9000"),
            ("192.168.1.5:65536", "192.168.1.5:9000"),
            ("127.0.0.1:9000", "other machines cannot connect"),
            ("0.0.0.0", "other machines cannot connect"),
            ("255.255.255.255", "other machines cannot connect"),
        ] {
            let error = text.parse::<AdvertisedAddress>().unwrap_err().to_string();
            assert!(error.contains(advice), "{text}: {error}");
        }
    }
}
