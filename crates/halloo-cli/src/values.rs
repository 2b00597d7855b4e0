//! Values of options that have a form of their own; what is wrong with one is told with the form.

use std::net::IpAddr;
use std::time::Duration;

use bytesize::ByteSize;
use halloo::{Token, TokenError};

/// More often, and the network would be busy with nothing else.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);
/// A client is gone after three of them, and a Wi-Fi may well be deaf for a second.
const SHORTEST_HEARTBEAT: Duration = Duration::from_millis(500);

/// A token as it was given. What clap reads it repeats in its errors, so this is read without one, and judged later.
#[derive(Clone)]
pub(crate) struct Secret(String);

impl Secret {
    /// The token; `None` when the word for it was left out.
    pub(crate) fn token(&self) -> Result<Option<Token>, TokenError> {
        if self.0.is_empty() { Ok(None) } else { Token::new(self.0.as_str()).map(Some) }
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

pub(crate) fn secret(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret(text.to_owned()))
}

pub(crate) fn size(text: &str) -> Result<usize, String> {
    let form = "give a size like 65536, 64KiB, 1MiB or 2MB";
    let size: ByteSize = text.parse().map_err(|_| form.to_owned())?;
    usize::try_from(size.as_u64()).ok().filter(|&size| size > 0).ok_or_else(|| form.into())
}

pub(crate) fn bind(text: &str) -> Result<IpAddr, String> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let form = "give an IP address of this machine, like 192.168.1.5, without a port, which `--port` sets";
    bare.parse().map_err(|_| form.into())
}

pub(crate) fn interval(text: &str) -> Result<Duration, String> {
    let interval = duration(text)?;
    if interval < SHORTEST_INTERVAL { Err("the shortest interval is 100ms".into()) } else { Ok(interval) }
}

pub(crate) fn heartbeat(text: &str) -> Result<Duration, String> {
    let heartbeat = duration(text)?;
    if heartbeat.is_zero() || heartbeat >= SHORTEST_HEARTBEAT {
        return Ok(heartbeat);
    }
    Err("the shortest heartbeat is 500ms, and 0s turns it off".into())
}

pub(crate) fn origin(text: &str) -> Result<String, String> {
    // `null` is what browsers send for a page out of a file.
    let written = |rest: &str| !rest.is_empty() && !rest.contains(['/', ' ', '?', '#', '@']);
    let (_, rest) = text.split_once("://").unwrap_or_default();
    if text == "*" || text == "null" || written(rest.trim_end_matches('/')) {
        return Ok(text.to_owned());
    }
    Err("give the origin as browsers do, like https://example.org or http://192.168.1.5:3000, or * for every page"
        .into())
}

pub(crate) fn host(text: &str) -> Result<String, String> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if !text.is_empty() && text.bytes().all(legal) {
        return Ok(text.to_owned());
    }
    Err("give the name alone, like game.example.org, without a scheme or a port".into())
}

fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| "give a time with its unit, like 500ms, 2s or 1m".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_suffixes() {
        let sizes = ["65536", "64KiB", "64 kib", "1MiB", "2MB", "1.5MiB"].map(size);
        assert_eq!(sizes, [65_536, 65_536, 65_536, 1_048_576, 2_000_000, 1_572_864].map(Ok));
        for wrong in ["", "0", "-1", "much", "1XB", "99999999999999999999"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn origins_and_hosts_are_taken_as_browsers_write_them() {
        for right in
            ["*", "null", "https://example.org", "http://[::1]:3000", "https://example.org/", "chrome-extension://abc"]
        {
            assert!(origin(right).is_ok(), "{right}");
        }
        for wrong in ["", "example.org", "https://", "https://example.org/page", "//example.org"] {
            assert!(origin(wrong).is_err(), "{wrong}");
        }
        assert!(host("game.example.org").is_ok());
        for wrong in ["", "game.example.org:80", "http://game", "a b", "[::1]"] {
            assert!(host(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_have_a_floor() {
        assert_eq!(heartbeat("0s"), Ok(Duration::ZERO));
        assert_eq!(heartbeat("500ms"), Ok(Duration::from_millis(500)));
        assert!(heartbeat("499ms").is_err() && heartbeat("5").is_err());
        assert_eq!(interval("100ms"), Ok(Duration::from_millis(100)));
        assert!(interval("99ms").is_err() && interval("0s").is_err());
    }

    #[test]
    fn an_address_has_no_port() {
        assert_eq!(bind("[::1]"), Ok(IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])));
        assert!(bind("127.0.0.1:80").is_err() && bind("localhost").is_err());
    }
}
