//! The URL of a server, as a person writes it.

mod error;
mod parse;
mod reading;

use std::fmt;
use std::net::IpAddr;

use crate::fingerprint::Fingerprint;
use crate::room::{self, RoomNameError};
use crate::token::Token;

pub use error::UrlError;
pub use reading::Reading;

/// A `ws://` or `wss://` URL (RFC 6455 section 3).
///
/// It is also parsed from `http://` and `https://`, as in the address bar of a browser or in a QR code, and from a host
/// alone, which means `ws://`. The default port is 80 or 443 with a scheme, and 8765 without. A fragment, which RFC
/// 6455 does not allow, may contain the token and the fingerprint of an invitation: `#token=…&fp=…`.
///
/// The URL is displayed without its fragment and without the value of `token=` in its query or path, so that no token appears
/// in a log.
///
/// ```
/// use halloo_proto::url::Url;
///
/// let url: Url = "http://192.168.1.5:8765/room?seat=3".parse()?;
/// assert_eq!(url.to_string(), "ws://192.168.1.5:8765/room?seat=3");
/// assert_eq!("den.local".parse::<Url>()?.to_string(), "ws://den.local:8765");
/// assert_eq!("ws://[::1]".parse::<Url>()?.port(), 80);
/// let url: Url = "https://10.0.0.1:8765/#token=a-long-enough-token".parse()?;
/// assert_eq!(url.to_string(), "wss://10.0.0.1:8765");
/// assert_eq!(url.token().unwrap().reveal(), "a-long-enough-token");
/// # Ok::<(), halloo_proto::url::UrlError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Url {
    secure: bool,
    host: Host,
    /// The zone of an IPv6 address.
    zone: Option<String>,
    port: u16,
    /// The path and the query, for the request line.
    resource: String,
    token: Option<Token>,
    fingerprint: Option<Fingerprint>,
}

/// The host of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// An IP address.
    Ip(IpAddr),
    /// A name to resolve.
    Name(String),
}

impl Url {
    /// Creates a URL with the path `/`; `secure` for `wss://`.
    pub fn new(secure: bool, host: Host, port: u16) -> Url {
        Url { secure, host, zone: None, port, resource: "/".into(), token: None, fingerprint: None }
    }

    /// Returns whether the URL uses TLS.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Returns the same URL with TLS and the same port.
    #[must_use]
    pub fn secured(mut self) -> Url {
        self.secure = true;
        self
    }

    /// Returns the token in the fragment. A token in the query is part of [`Url::resource`].
    pub fn token(&self) -> Option<&Token> {
        self.token.as_ref()
    }

    /// Returns the fingerprint in the fragment.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        self.fingerprint
    }

    /// Returns the host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Returns the zone of a link-local IPv6 address (RFC 4007 section 11): the name or number of the interface that leads
    /// to it. It has a meaning on this machine only, so it is not in [`Url::authority`].
    ///
    /// ```
    /// use halloo_proto::url::Url;
    ///
    /// let url: Url = "ws://[fe80::1%eth0]:8765".parse()?; // or `%25eth0`, as in RFC 6874
    /// assert_eq!((url.zone(), url.authority().as_str()), (Some("eth0"), "[fe80::1]:8765"));
    /// # Ok::<(), halloo_proto::url::UrlError>(())
    /// ```
    pub fn zone(&self) -> Option<&str> {
        self.zone.as_deref()
    }

    /// Returns the TCP port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the path and the query, for the request line.
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// Returns the same URL with the path that joins a room, and the same query.
    ///
    /// ```
    /// use halloo_proto::url::Url;
    ///
    /// let url: Url = "ws://192.168.1.5:8765/?seat=3".parse()?;
    /// assert_eq!(url.in_room("red")?.resource(), "/room/red?seat=3");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`RoomNameError`] if a client cannot join the room.
    pub fn in_room(mut self, room: &str) -> Result<Url, RoomNameError> {
        let path = room::to_path(room)?;
        let query = self.resource.find('?').map_or("", |start| &self.resource[start..]);
        self.resource = path + query;
        Ok(self)
    }

    /// Returns the value of the `Host` header, without the default port of the scheme (RFC 6455 section 4.1).
    pub fn authority(&self) -> String {
        let default_port = if self.secure { 443 } else { 80 };
        if self.port == default_port { self.host.to_string() } else { format!("{}:{}", self.host, self.port) }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "wss" } else { "ws" };
        let resource = if self.resource == "/" { "" } else { &self.resource };
        match (&self.zone, &self.host) {
            (Some(zone), Host::Ip(ip)) => write!(f, "{scheme}://[{ip}%25{zone}]:{}", self.port)?,
            _ => write!(f, "{scheme}://{}:{}", self.host, self.port)?,
        }
        f.write_str(&Token::hide(resource))
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Url({self})")
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
            Host::Ip(ip) => ip.fmt(f),
            Host::Name(name) => f.write_str(name),
        }
    }
}
