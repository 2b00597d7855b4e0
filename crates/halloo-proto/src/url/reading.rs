//! What a text means as a target: an address, or the name of a server.

use std::net::IpAddr;

use super::error::UrlError;
use super::{Host, Url};

/// What a text means as a target: an address if it is a URL with a scheme, an IP address, `localhost`, or a host with a dot
/// or a port. Any other text is the name or the id of a server.
///
/// ```
/// use halloo_proto::url::Reading;
///
/// assert!(matches!(Reading::of("Living room"), Reading::Name));
/// assert!(matches!(Reading::of("192.168.1.5"), Reading::Address(_)));
/// assert!(matches!(Reading::of("Dr.No"), Reading::AddressOrName(_)));
/// assert!(matches!(Reading::of("ws://a:99999"), Reading::Invalid(_)));
/// ```
#[derive(Debug)]
pub enum Reading {
    /// The name or the id of a server.
    Name,
    /// An address.
    Address(Url),
    /// An address. If its host has no address, a name.
    AddressOrName(Url),
    /// An address with an error.
    Invalid(UrlError),
}

impl Reading {
    /// Returns what `text` means. Space around it does not matter.
    pub fn of(text: &str) -> Reading {
        let text = text.trim();
        let url: Url = match text.parse() {
            Ok(url) => url,
            Err(error) if text.is_empty() || has_scheme(text) || has_ip(text) || has_secret(text) => {
                return Reading::Invalid(error);
            }
            Err(_) => return Reading::Name,
        };
        let Host::Name(host) = url.host() else { return Reading::Address(url) };
        if has_scheme(text) || has_secret(text) || host == "localhost" {
            return Reading::Address(url);
        }
        // A host whose last label is a number is no domain, and `v2.0` no address.
        let labels: Vec<&str> = host.strip_suffix('.').unwrap_or(host).split('.').collect();
        let is_number = |label: &&str| label.bytes().all(|byte| byte.is_ascii_digit());
        let is_domain = labels.iter().all(|label| !label.is_empty()) && !labels.last().is_some_and(is_number);
        let is_word = labels.len() == 1 && authority(text).eq_ignore_ascii_case(host);
        if is_domain && !is_word { Reading::AddressOrName(url) } else { Reading::Name }
    }
}

fn has_scheme(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    text.split_once("://").is_some_and(|(scheme, _)| !scheme.is_empty() && scheme.bytes().all(is_allowed))
}

/// Returns whether the host is an IP address, whatever follows it.
fn has_ip(text: &str) -> bool {
    let host = authority(text).rsplit_once(':').map_or(authority(text), |(host, _)| host);
    let inside = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    inside.split('%').next().unwrap_or_default().parse::<IpAddr>().is_ok()
}

/// Returns the host and the port of an address without a scheme.
fn authority(text: &str) -> &str {
    text.split(['/', '?', '#']).next().unwrap_or_default()
}

/// Returns whether the text contains what an invitation does, which is not shown as a name would be.
fn has_secret(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ["#token=", "&token=", "?token=", "#fp="].iter().any(|key| text.contains(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_may_be_a_name_unless_it_is_certainly_an_address() {
        for text in ["Dr.No", "den.local", "Anna:5", "a:80/room", "game.example.org:8765"] {
            assert!(matches!(Reading::of(text), Reading::AddressOrName(_)), "{text}");
        }
        for text in
            ["ws://den.local", "localhost", "10.0.0.1", "::1", "den.local#token=secret-secret-secret", "den?token=x"]
        {
            assert!(matches!(Reading::of(text), Reading::Address(_)), "{text}");
        }
    }
}
