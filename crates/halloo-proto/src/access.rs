//! Access rules for the address of the peer, the `Host` and `Origin` headers, and the token.
//!
//! A web page of any site can open `ws://127.0.0.1:8765`, or reach a local address by DNS rebinding. The browser then
//! reveals the site in `Origin` or `Host`, and these rules refuse the request.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::setting_names::SettingNames;
use crate::text::escape;
use crate::token::Token;

/// Which requests are accepted. By default, programs on private networks and the page of this server may connect.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct AccessRules {
    /// Additional origins of web pages that may connect, such as `https://example.org`; `*` allows every page.
    pub allowed_origins: Vec<String>,
    /// Additional host names of this machine that `Host` may contain.
    pub allowed_hosts: Vec<String>,
    /// The host name of this machine; `None` to ask the system.
    pub own_host: Option<String>,
    /// Whether peers with public addresses may connect.
    pub allow_public: bool,
    /// The token that every client must send, in addition to passing the other rules; `None` for no token.
    pub token: Option<Token>,
    /// How a refusal spells these settings.
    pub setting_names: SettingNames,
}

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Denied {
    /// There is no `Host` header, or more than one.
    #[error("a request needs exactly one Host header")]
    MissingHost,
    /// The name in `Host` is not a name of this server, which is a sign of DNS rebinding.
    #[error("{0} is not a name of this server")]
    UnknownHost(String),
    /// The `Host` header is malformed.
    #[error("the Host header {0} is not a name or an address with an optional port")]
    MalformedHost(String),
    /// The web page belongs to another origin.
    #[error("pages from {0} may not connect")]
    ForeignOrigin(String),
    /// The `Origin` header is malformed.
    #[error("the Origin header {0} is not of the form scheme://host:port")]
    MalformedOrigin(String),
    /// There is more than one `Origin` header.
    #[error("a request has at most one Origin header")]
    RepeatedOrigin,
    /// A token is required.
    #[error(
        "this server requires a token; open its invitation link, scan its QR code, or send the token with the request"
    )]
    MissingToken,
    /// The token is wrong.
    #[error("wrong token; the server may have a new one since its restart, so get its invitation link again")]
    WrongToken,
    /// The token was not checked, after many wrong ones from the same address.
    #[error("too many wrong tokens from your address; wait ten seconds")]
    TooManyWrongTokens,
}

impl Denied {
    /// Returns the setting of the server that would allow the request, if there is one. It is safe to paste into a
    /// shell.
    pub fn advice(&self, names: SettingNames) -> Option<String> {
        match self {
            Denied::UnknownHost(host) => Some(format!("to allow it, {}", names.add("allowed_hosts", host))),
            Denied::ForeignOrigin(origin) => Some(format!("to allow them, {}", names.add("allowed_origins", origin))),
            _ => None,
        }
    }
}

impl AccessRules {
    /// Returns whether a peer may connect: one with a loopback, private or link-local address, or in 100.64/10, or in
    /// an `attached` network (address and prefix length).
    pub fn allows_peer(&self, peer: IpAddr, attached: &[(IpAddr, u8)]) -> bool {
        let peer = peer.to_canonical();
        self.allow_public || is_private(peer) || attached.iter().any(|&(net, prefix)| same_network(peer, net, prefix))
    }

    /// Checks the values of all `Host` headers of a request, and returns the only one.
    ///
    /// # Errors
    /// [`Denied::MissingHost`], [`Denied::UnknownHost`] or [`Denied::MalformedHost`].
    pub fn check_host<'a>(&self, hosts: &[&'a str]) -> Result<&'a str, Denied> {
        let &[host] = hosts else { return Err(Denied::MissingHost) };
        let malformed = || Denied::MalformedHost(escape(host, 100));
        let (original, _) = split_host(host).ok_or_else(malformed)?;
        let name = original.to_ascii_lowercase();
        let name = name.strip_suffix('.').unwrap_or(&name);
        let own = self.own_host.iter().chain(&self.allowed_hosts).any(|own| own.eq_ignore_ascii_case(name));
        if own
            || is_ip_literal(name)
            || name == "localhost"
            || is_subdomain(name, ".localhost")
            || is_subdomain(name, ".local")
        {
            return Ok(host);
        }
        // The setting takes the name alone: a name with a port would match nothing.
        if is_plain(original) { Err(Denied::UnknownHost(original.to_owned())) } else { Err(malformed()) }
    }

    /// Checks the values of all `Origin` headers against the request's `host`, which passed [`Self::check_host`].
    ///
    /// # Errors
    /// [`Denied::ForeignOrigin`], [`Denied::MalformedOrigin`] or [`Denied::RepeatedOrigin`].
    pub fn check_origin(&self, origins: &[&str], host: &str, peer: IpAddr) -> Result<(), Denied> {
        let &[origin] = origins else {
            return if origins.is_empty() { Ok(()) } else { Err(Denied::RepeatedOrigin) };
        };
        let listed = |allowed: &String| allowed == "*" || allowed.trim_end_matches('/').eq_ignore_ascii_case(origin);
        if self.allowed_origins.iter().any(listed) || self.is_trusted(origin, host, peer) {
            return Ok(());
        }
        if is_plain(origin) {
            Err(Denied::ForeignOrigin(origin.to_owned()))
        } else {
            Err(Denied::MalformedOrigin(escape(origin, 100)))
        }
    }

    /// Checks the tokens of a request. All of them must be right, so that a request is a single guess.
    ///
    /// # Errors
    /// [`Denied::MissingToken`] or [`Denied::WrongToken`].
    pub fn check_token(&self, given: &[&str]) -> Result<(), Denied> {
        match &self.token {
            None => Ok(()),
            Some(_) if given.is_empty() => Err(Denied::MissingToken),
            Some(token) if given.iter().all(|given| token.matches(given)) => Ok(()),
            Some(_) => Err(Denied::WrongToken),
        }
    }

    fn is_trusted(&self, origin: &str, host: &str, peer: IpAddr) -> bool {
        let Some((scheme, rest)) = origin.split_once("://") else { return false };
        let default_port = match scheme.to_ascii_lowercase().as_str() {
            "chrome-extension" | "moz-extension" | "safari-web-extension" => {
                return !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            }
            "http" => 80,
            "https" => 443,
            _ => return false,
        };
        let (Some((name, port)), Some((own, own_port))) = (split_host(rest), split_host(host)) else { return false };
        let same_port = port.unwrap_or(default_port) == own_port.unwrap_or(default_port);
        let same_page = name.eq_ignore_ascii_case(own) && same_port;
        same_page || (peer.to_canonical().is_loopback() && is_loopback_name(name))
    }
}

/// Splits `name[:port]`; `None` if the text is malformed. The name of an IPv6 literal keeps its brackets.
fn split_host(host: &str) -> Option<(&str, Option<u16>)> {
    let end = if host.starts_with('[') { host.find(']')? + 1 } else { host.find(':').unwrap_or(host.len()) };
    let (name, port) = host.split_at(end);
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._[]:".contains(&byte);
    if name.is_empty() || !name.bytes().all(legal) {
        return None;
    }
    match port.strip_prefix(':') {
        None if port.is_empty() => Some((name, None)),
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => Some((name, Some(digits.parse().ok()?))),
        _ => None,
    }
}

/// Returns whether `text` is safe in a command that a person copies from a log into a shell. A DNS name has at most 253
/// bytes.
fn is_plain(text: &str) -> bool {
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:/[]".contains(&byte);
    text.len() <= 253 && text.starts_with(|first: char| first != '-') && text.bytes().all(safe)
}

fn is_ip_literal(name: &str) -> bool {
    let v6 = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    name.parse::<Ipv4Addr>().is_ok() || v6.is_some_and(|name| name.parse::<Ipv6Addr>().is_ok())
}

fn is_subdomain(name: &str, suffix: &str) -> bool {
    name.strip_suffix(suffix).is_some_and(|label| !label.is_empty() && !label.ends_with('.'))
}

fn is_loopback_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let v6 = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).and_then(|name| name.parse().ok());
    let v4 = name.parse::<Ipv4Addr>().ok();
    name == "localhost"
        || is_subdomain(&name, ".localhost")
        || v4.is_some_and(|ip| ip.is_loopback())
        || v6.is_some_and(|ip: Ipv6Addr| ip.is_loopback())
}

fn is_private(peer: IpAddr) -> bool {
    match peer {
        IpAddr::V4(ip) => {
            let shared = ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64;
            ip.is_loopback() || ip.is_private() || ip.is_link_local() || shared
        }
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// Returns whether `peer` is in the network of `net` with `prefix` bits.
fn same_network(peer: IpAddr, net: IpAddr, prefix: u8) -> bool {
    let differing = match (peer, net) {
        (IpAddr::V4(peer), IpAddr::V4(net)) => (peer.to_bits() ^ net.to_bits()).leading_zeros(),
        (IpAddr::V6(peer), IpAddr::V6(net)) => (peer.to_bits() ^ net.to_bits()).leading_zeros(),
        _ => return false,
    };
    // A prefix of zero would include every address.
    prefix > 0 && differing >= u32::from(prefix)
}
