//! The datagrams of discovery (see `PROTOCOL.md`).

use std::net::{IpAddr, Ipv4Addr};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};

use crate::meta::{Meta, ReceivedMeta};
use crate::name::is_blank;
pub use crate::name::{MAX_NAME_CHARS, clean};

/// Seconds without a beacon after which a listener should consider a server stale.
const TTL: u32 = 8;
/// Maximum size of a beacon in bytes, which fits into the buffer of every listener.
const MAX_BEACON_SIZE: usize = 512;
/// Maximum length of an id in characters: a server of this crate sends 16, and a UUID without dashes has 32.
const MAX_ID_CHARS: usize = 32;

/// The periodic datagram of a server without clients.
#[derive(Clone, Debug)]
pub struct Beacon<'a> {
    /// The IP address to connect to, on the network that the datagram is sent to.
    pub ip: IpAddr,
    /// The WebSocket port.
    pub port: u16,
    /// The Unix time in whole seconds.
    pub timestamp: u64,
    /// The id, random for each start of a server.
    pub id: &'a str,
    /// The display name of the server.
    pub name: &'a str,
    /// The application id.
    pub app: Option<&'a str>,
    /// The port on which the server listens, if it is not the one to connect to at `ip`.
    pub listen_port: Option<u16>,
}

/// The keys of the reference script, in its order. They never change.
#[derive(Serialize)]
struct Contract<'a> {
    service: &'a str,
    ip: IpAddr,
    port: u16,
    timestamp: u64,
}

#[derive(Serialize)]
struct Extended<'a> {
    #[serde(flatten)]
    contract: Contract<'a>,
    v: u32,
    id: &'a str,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    app: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    listen_port: Option<u16>,
    ttl: u32,
}

impl Beacon<'_> {
    /// Returns the datagram, at most 512 bytes. With `strict`, it has only the four keys of the reference script. An
    /// application id that does not fit beside a long name is omitted; replies contain it.
    ///
    /// ```
    /// # use halloo_proto::announcement::Beacon;
    /// let (ip, name) = ([192, 168, 1, 5].into(), "den");
    /// let (app, listen_port) = (None, None);
    /// let beacon = Beacon { ip, port: 8765, timestamp: 1726521140, id: "a1", name, app, listen_port };
    /// assert_eq!(
    ///     beacon.encode(true),
    ///     br#"{"service":"websocket_server","ip":"192.168.1.5","port":8765,"timestamp":1726521140}"#
    /// );
    /// ```
    pub fn encode(&self, strict: bool) -> Vec<u8> {
        let service = "websocket_server";
        let contract = Contract { service, ip: self.ip, port: self.port, timestamp: self.timestamp };
        // Structs of numbers and strings can always be written as JSON.
        if strict {
            return serde_json::to_vec(&contract).unwrap_or_default();
        }
        let name = clean(self.name, MAX_NAME_CHARS);
        let app = self.app.map(|app| clean(app, MAX_NAME_CHARS));
        let mut beacon = Extended { contract, v: 2, id: self.id, name, app, listen_port: self.listen_port, ttl: TTL };
        let encoded = serde_json::to_vec(&beacon).unwrap_or_default();
        if encoded.len() <= MAX_BEACON_SIZE {
            return encoded;
        }
        beacon.app = None;
        serde_json::to_vec(&beacon).unwrap_or_default()
    }
}

/// Returns the goodbye, the datagram of a server that is stopping.
pub fn goodbye(id: &str) -> Vec<u8> {
    serde_json::json!({ "service": "websocket_server_bye", "v": 2, "id": id }).to_string().into_bytes()
}

/// The size of a probe in bytes. A reply is never larger, so that a server cannot be abused for amplification. Listeners
/// for beacons receive probes too, and many read into a buffer of 1,024 bytes.
pub const PROBE_SIZE: usize = 1024;
/// Maximum size of a reply in bytes, however large its probe is: it is not fragmented on any network, since the minimum MTU
/// of IPv6 is 1,280 bytes.
pub const MAX_REPLY_SIZE: usize = 1200;
/// Maximum size of a datagram in bytes that a client reads, more than any has. A larger one is ignored.
pub const MAX_DATAGRAM_SIZE: usize = 2048;
/// The number of addresses that are more important in a reply than the properties.
const FIRST_ADDRESSES: usize = 4;

/// Returns the datagram that asks servers to reply; replies repeat `nonce`.
pub fn probe(nonce: &str) -> Vec<u8> {
    padded_probe(nonce, "")
}

/// Returns the probe to send over IPv6 on an interface with the address `ipv4`, at which the same probe is sent over IPv4. A
/// server that receives it there does not reply twice.
///
/// ```
/// # use halloo_proto::announcement::{Announcement, probe_besides};
/// let probe = probe_besides("b64e21", [192, 168, 1, 7].into());
/// assert_eq!(Announcement::parse(&probe).unwrap().ip, Some([192, 168, 1, 7].into()));
/// ```
pub fn probe_besides(nonce: &str, ipv4: Ipv4Addr) -> Vec<u8> {
    padded_probe(nonce, &format!(r#""ip":"{ipv4}","#))
}

fn padded_probe(nonce: &str, keys: &str) -> Vec<u8> {
    let head = format!(r#"{{"service":"websocket_server_probe","v":2,"nonce":"{nonce}",{keys}"pad":""#);
    let padding = PROBE_SIZE.saturating_sub(head.len() + 2);
    format!(r#"{head}{}"}}"#, ".".repeat(padding)).into_bytes()
}

/// The reply to a probe, and the body of `/discovery.json`.
#[derive(Clone, Debug, Serialize)]
pub struct Reply<'a> {
    /// Always `websocket_server_reply`.
    pub service: &'static str,
    /// The version of the protocol.
    pub v: u32,
    /// The nonce of the probe; left out on `/discovery.json`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<&'a str>,
    /// The id, random for each start of a server.
    pub id: &'a str,
    /// The display name of the server.
    pub name: String,
    /// The IP address on the network of the browser.
    pub ip: IpAddr,
    /// The WebSocket port.
    pub port: u16,
    /// All IP addresses, best first.
    pub addresses: Vec<IpAddr>,
    /// The number of connected clients.
    pub clients: usize,
    /// Whether a token is required.
    pub auth: bool,
    /// Whether the server requires TLS.
    pub tls: bool,
    /// Whether a client can use TLS on the same port, although the server does not require it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub secure: bool,
    /// A challenge, if a token is required.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub challenge: Option<String>,
    /// The application id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// The cluster to whose servers it belongs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// The properties.
    #[serde(skip_serializing_if = "Meta::is_empty")]
    pub meta: Meta,
    /// Whether `ip`, `port` and `addresses` were configured, since the server does not know where others reach it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub advertised: bool,
    /// The port on which the server listens, if it is not `port`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen_port: Option<u16>,
    /// Whether something is missing that did not fit; `/discovery.json` has it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

/// The reply of a server without an id, a name or an address, for the fields that a caller does not set.
impl Default for Reply<'_> {
    fn default() -> Self {
        Reply {
            service: "websocket_server_reply",
            v: 2,
            nonce: None,
            id: "",
            name: String::new(),
            ip: Ipv4Addr::UNSPECIFIED.into(),
            port: 0,
            addresses: Vec::new(),
            clients: 0,
            auth: false,
            tls: false,
            secure: false,
            challenge: None,
            app: None,
            cluster: None,
            meta: Meta::default(),
            advertised: false,
            listen_port: None,
            truncated: false,
        }
    }
}

impl Reply<'_> {
    /// Returns the datagram, at most `limit` bytes and never more than [`MAX_REPLY_SIZE`]; `None` if it does not fit.
    ///
    /// What does not fit is omitted in this order: the addresses after the fourth, the properties, the other addresses,
    /// each starting with the last, and the application id. The reply says that it is truncated then.
    pub fn encode(&self, limit: usize) -> Option<Vec<u8>> {
        let limit = limit.min(MAX_REPLY_SIZE);
        let bytes = serde_json::to_vec(self).ok()?;
        if bytes.len() <= limit {
            return Some(bytes);
        }
        // Tried first, because omitting one item after the other takes long if the limit is too small for any reply.
        let mut reply = self.without_optional();
        if serde_json::to_vec(&reply).ok()?.len() > limit {
            return None;
        }
        reply.clone_from(self);
        loop {
            let bytes = serde_json::to_vec(&reply).ok()?;
            if bytes.len() <= limit {
                return Some(bytes);
            }
            reply.truncated = true;
            reply.omit_least_important()?;
        }
    }

    /// Returns the smallest reply: only what every reply needs.
    fn without_optional(&self) -> Reply<'_> {
        let (challenge, cluster) = (self.challenge.clone(), self.cluster.clone());
        let optional = !self.addresses.is_empty() || !self.meta.is_empty() || self.app.is_some();
        let (addresses, meta, app, truncated) = (Vec::new(), Meta::default(), None, self.truncated || optional);
        Reply { addresses, meta, app, cluster, challenge, truncated, name: self.name.clone(), ..*self }
    }

    /// Omits one item; returns `None` if only what every reply needs is left.
    fn omit_least_important(&mut self) -> Option<()> {
        if self.addresses.len() > FIRST_ADDRESSES || self.meta.is_empty() {
            return self.addresses.pop().map(drop).or_else(|| self.app.take().map(drop));
        }
        self.meta.pop().map(drop)
    }
}

/// A received datagram of discovery. Every key is optional; unknown keys are ignored, and so are values of the wrong
/// type in keys that the reference script does not send.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Announcement {
    /// The kind of datagram.
    pub service: String,
    /// The nonce of a probe, and of the replies to it.
    #[serde(deserialize_with = "or_none")]
    pub nonce: Option<String>,
    /// The id of the server; since version 2.
    #[serde(deserialize_with = "or_none")]
    pub id: Option<String>,
    /// The display name of the server.
    #[serde(deserialize_with = "or_none")]
    pub name: Option<String>,
    /// In a probe, the IPv4 address from which it is sent as well. In other datagrams, the address that the server claims
    /// to have; where they come from is more reliable.
    #[serde(deserialize_with = "or_none")]
    pub ip: Option<IpAddr>,
    /// The WebSocket port; a Godot script sends it as a float.
    pub port: Option<f64>,
    /// The port on which the server listens, if it is not the one to connect to at `ip`.
    #[serde(deserialize_with = "or_none")]
    pub listen_port: Option<f64>,
    /// Whether `ip`, `port` and `addresses` were configured; only in a reply.
    #[serde(deserialize_with = "or_none")]
    pub advertised: Option<bool>,
    /// The number of connected clients.
    #[serde(deserialize_with = "or_none")]
    pub clients: Option<f64>,
    /// Seconds without a beacon after which the server is stale; only in a beacon.
    #[serde(deserialize_with = "or_none")]
    pub ttl: Option<f64>,
    /// All IP addresses of the server, best first; only in a reply.
    #[serde(deserialize_with = "or_none")]
    pub addresses: Option<Vec<String>>,
    /// Whether a token is required.
    #[serde(deserialize_with = "or_none")]
    pub auth: Option<bool>,
    /// Whether the server requires TLS.
    #[serde(deserialize_with = "or_none")]
    pub tls: Option<bool>,
    /// Whether a client can use TLS, although the server does not require it; only in a reply.
    #[serde(deserialize_with = "or_none")]
    pub secure: Option<bool>,
    /// A challenge for a proof of the token; only in a reply.
    #[serde(deserialize_with = "or_none")]
    pub challenge: Option<String>,
    /// The application id.
    #[serde(deserialize_with = "or_none")]
    pub app: Option<String>,
    /// The cluster to whose servers it belongs; only in a reply.
    #[serde(deserialize_with = "or_none")]
    pub cluster: Option<String>,
    /// The properties; only in a reply.
    #[serde(deserialize_with = "or_none")]
    pub meta: Option<ReceivedMeta>,
    /// Whether something did not fit into the reply.
    #[serde(deserialize_with = "or_none")]
    pub truncated: Option<bool>,
}

impl Announcement {
    /// Parses a datagram; `None` if it is not one of discovery.
    pub fn parse(bytes: &[u8]) -> Option<Announcement> {
        // The parser also reads the fields of a struct from an array.
        if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
            return None;
        }
        let announcement: Announcement = serde_json::from_slice(bytes).ok()?;
        announcement.service.starts_with("websocket_server").then_some(announcement)
    }

    /// Returns the port, if it is a valid one.
    pub fn port(&self) -> Option<u16> {
        valid_port(self.port?)
    }

    /// Returns the port to connect to at the address `source` that the datagram came from. Another machine may forward
    /// the port that the server announces, and the server listens on another one then.
    pub fn port_at(&self, source: IpAddr) -> Option<u16> {
        let port = self.port()?;
        let is_own = self.ip.is_some_and(|ip| source == ip);
        Some(self.listen_port.filter(|_| !is_own).and_then(valid_port).unwrap_or(port))
    }

    /// Returns the name without characters that could deceive, at most 64 characters.
    pub fn display_name(&self) -> String {
        clean(self.name.as_deref().unwrap_or_default(), MAX_NAME_CHARS)
    }

    /// Returns the application id without characters that could deceive, at most 64 characters; `None` if it is blank.
    pub fn clean_app(&self) -> Option<String> {
        clean_and_visible(self.app.as_deref()?)
    }

    /// Returns the name of the cluster without characters that could deceive, at most 64 characters; `None` if it is blank.
    pub fn clean_cluster(&self) -> Option<String> {
        clean_and_visible(self.cluster.as_deref()?)
    }

    /// Returns the printable ASCII characters of the id, at most 32; `None` if there are none.
    pub fn clean_id(&self) -> Option<String> {
        let id: String = self.id.as_deref()?.chars().filter(char::is_ascii_graphic).take(MAX_ID_CHARS).collect();
        (!id.is_empty()).then_some(id)
    }
}

fn clean_and_visible(text: &str) -> Option<String> {
    let text = clean(text, MAX_NAME_CHARS);
    (!is_blank(&text)).then_some(text)
}

/// Returns a port, if the number is a valid one.
fn valid_port(number: f64) -> Option<u16> {
    // The conversion is exact: only whole numbers in the range of a port are left.
    ((1.0..=65535.0).contains(&number) && number.fract() == 0.0).then_some(number as u16)
}

/// Reads a value, or `None` if it has another type.
fn or_none<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Option<T>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beacon_begins_with_the_reference_keys_and_fits_into_512_bytes() {
        let name = "\u{1f600}\"\n".repeat(100);
        let (id, app) = ("0123456789abcdef", Some("Tanks"));
        let (ip, listen_port) = ([0xffff; 8].into(), Some(65535));
        let beacon = Beacon { ip, port: 65535, timestamp: u64::MAX, id, name: &name, app, listen_port };
        let bytes = beacon.encode(false);
        assert!(bytes.len() <= 512, "{} bytes", bytes.len());
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.starts_with(
            r#"{"service":"websocket_server","ip":"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff","port":65535,"timestamp":"#
        ));
        assert!(!text.contains("\\n") && text.contains(r#""app":"Tanks""#), "{text}");
        // Both do not fit, and a server is found by its name.
        let beacon = Beacon { app: Some(&name), ..beacon };
        let bytes = beacon.encode(false);
        assert!(bytes.len() <= 512, "{} bytes", bytes.len());
        let read = Announcement::parse(&bytes).unwrap();
        assert_eq!((read.display_name(), read.clean_app()), (clean(&name, 64), None));
        assert!(!String::from_utf8(beacon.encode(true)).unwrap().contains("app"));
    }

    fn reply(addresses: usize, meta: usize) -> Reply<'static> {
        let pairs = (0..meta).map(|number| format!("key{number}={}", "v".repeat(100)));
        Reply {
            nonce: Some("0123456789abcdef"),
            id: "0123456789abcdef",
            name: "\u{1f600}".repeat(64),
            port: 65535,
            addresses: vec![[255; 4].into(); addresses],
            app: Some("Tanks".into()),
            meta: Meta::parse(pairs).unwrap(),
            ..Reply::default()
        }
    }

    #[test]
    fn reply_is_never_larger_than_the_probe_or_1200_bytes() {
        let probe = probe("0123456789abcdef");
        assert_eq!(probe.len(), PROBE_SIZE);
        for (reply, probed) in [(reply(50, 0), probe.len()), (reply(3, 16), 512), (reply(3, 16), 60_000)] {
            let bytes = reply.encode(probed).unwrap();
            assert!(bytes.len() <= probed.min(1200), "{} bytes for {probed}", bytes.len());
            let read = Announcement::parse(&bytes).unwrap();
            assert_eq!((read.port(), read.nonce.as_deref()), (Some(65535), reply.nonce));
        }
        assert_eq!(reply(50, 16).encode(100), None);
    }

    #[test]
    fn reply_omits_addresses_after_the_fourth_then_properties_then_the_rest() {
        let encoded = |reply: Reply<'_>, limit| {
            let read = Announcement::parse(&reply.encode(limit).unwrap()).unwrap();
            let meta = read.meta.unwrap_or_default().0.len();
            (read.addresses.unwrap().len(), meta, read.app.is_some(), read.truncated)
        };
        assert_eq!(encoded(reply(5, 3), 1000), (5, 3, true, None));
        assert_eq!(encoded(reply(30, 3), 1000), (10, 3, true, Some(true)));
        assert_eq!(encoded(reply(30, 16), 1000), (4, 4, true, Some(true)));
        assert_eq!(encoded(reply(2, 16), 520), (2, 0, true, Some(true)));
        assert_eq!(encoded(reply(30, 16), 460), (0, 0, false, Some(true)));
    }

    #[test]
    fn invalid_datagrams_and_ports_are_ignored() {
        for bytes in [&b"\xff"[..], b"", b"[]", b"{}", b"{\"service\":1}", b"{\"service\":\"other\"}"] {
            assert!(Announcement::parse(bytes).is_none());
        }
        let port = |port: &str| {
            let text = format!(r#"{{"service":"websocket_server","port":{port}}}"#);
            Announcement::parse(text.as_bytes()).and_then(|announcement| announcement.port())
        };
        assert_eq!(
            (port("8765.0"), port("65536"), port("0"), port("1.5"), port("-1")),
            (Some(8765), None, None, None, None)
        );
    }

    #[test]
    fn reply_is_encoded_for_every_limit_that_the_smallest_one_fits() {
        let addresses = (0..60).map(|last| IpAddr::from([10, 0, 0, last])).collect();
        let reply = Reply { id: "0123456789abcdef", app: Some("game".into()), addresses, ..Reply::default() };
        let least = serde_json::to_vec(&reply.without_optional()).unwrap().len();
        for limit in 0..least + 200 {
            let encoded = reply.encode(limit);
            assert_eq!(encoded.is_some(), limit >= least, "{limit}");
            assert!(encoded.is_none_or(|bytes| bytes.len() <= limit));
        }
        // Nothing is missing from a reply without optional items.
        let whole = Reply { id: "0123456789abcdef", ..Reply::default() };
        assert!(!whole.without_optional().truncated);
    }
}
