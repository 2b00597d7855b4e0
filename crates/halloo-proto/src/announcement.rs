//! The datagrams of discovery.

use std::net::Ipv4Addr;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};

use crate::text::is_harmful;

/// Seconds after which a listener should take a server for stale.
const TTL: u32 = 8;
/// The name in a beacon, so that the datagram stays within 512 bytes even if every character is escaped.
pub const NAME: usize = 64;

/// The most of an id that is kept; ours have 16 characters, a UUID without dashes 32.
const ID: usize = 32;

/// `text` without what does not belong in a list, and at most `limit` characters of it.
pub fn clean(text: &str, limit: usize) -> String {
    text.chars().filter(|&character| !is_harmful(character)).take(limit).collect()
}

/// The periodic datagram of a server that nobody is connected to.
#[derive(Clone, Debug)]
pub struct Beacon<'a> {
    /// The address to connect to, on the network that the datagram is sent to.
    pub ip: Ipv4Addr,
    /// The WebSocket port.
    pub port: u16,
    /// Whole seconds of Unix time.
    pub timestamp: u64,
    /// Random for each start of a server.
    pub id: &'a str,
    /// What people call the server.
    pub name: &'a str,
}

/// The keys of the reference script, in its order.
#[derive(Serialize)]
struct Contract<'a> {
    service: &'a str,
    ip: Ipv4Addr,
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
    ttl: u32,
}

impl Beacon<'_> {
    /// The datagram, at most 512 bytes; `strict` leaves only the reference script's four keys.
    ///
    /// ```
    /// # use halloo_proto::announcement::Beacon;
    /// let beacon = Beacon { ip: [192, 168, 1, 5].into(), port: 8765, timestamp: 1726521140, id: "a1", name: "den" };
    /// assert_eq!(
    ///     beacon.encode(true),
    ///     br#"{"service":"websocket_server","ip":"192.168.1.5","port":8765,"timestamp":1726521140}"#
    /// );
    /// ```
    pub fn encode(&self, strict: bool) -> Vec<u8> {
        let service = "websocket_server";
        let contract = Contract { service, ip: self.ip, port: self.port, timestamp: self.timestamp };
        let encoded = if strict {
            serde_json::to_vec(&contract)
        } else {
            let name = clean(self.name, NAME);
            serde_json::to_vec(&Extended { contract, v: 2, id: self.id, name, ttl: TTL })
        };
        // Plain structs of numbers and strings always have a JSON form.
        encoded.unwrap_or_default()
    }
}

/// The datagram of a server that stops.
pub fn goodbye(id: &str) -> Vec<u8> {
    serde_json::json!({ "service": "websocket_server_bye", "v": 2, "id": id }).to_string().into_bytes()
}

/// Bytes of a probe: as many as the largest reply may have, so that nobody can use a server to amplify.
pub const PROBE_SIZE: usize = 512;

/// The datagram that asks who is there; replies repeat `nonce`.
pub fn probe(nonce: &str) -> Vec<u8> {
    let head = format!(r#"{{"service":"websocket_server_probe","v":2,"nonce":"{nonce}","pad":""#);
    let padding = PROBE_SIZE.saturating_sub(head.len() + 2);
    format!(r#"{head}{}"}}"#, ".".repeat(padding)).into_bytes()
}

/// What a server tells about itself when it is asked, and on `/discovery.json`.
#[derive(Clone, Debug, Serialize)]
pub struct Reply<'a> {
    /// Always `websocket_server_reply`.
    pub service: &'static str,
    /// The version of this protocol.
    pub v: u32,
    /// The probe's nonce; left out on `/discovery.json`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<&'a str>,
    /// Random for each start of a server.
    pub id: &'a str,
    /// What people call the server.
    pub name: String,
    /// The address on the asker's network.
    pub ip: Ipv4Addr,
    /// The WebSocket port.
    pub port: u16,
    /// All addresses, best first.
    pub addresses: Vec<Ipv4Addr>,
    /// How many clients are connected.
    pub clients: usize,
    /// Whether a token is needed.
    pub auth: bool,
    /// Whether it speaks TLS.
    pub tls: bool,
}

impl Reply<'_> {
    /// The datagram, at most `limit` bytes; addresses are left out from the last on until it fits.
    pub fn encode(&self, limit: usize) -> Option<Vec<u8>> {
        let mut reply = self.clone();
        loop {
            let bytes = serde_json::to_vec(&reply).ok()?;
            if bytes.len() <= limit {
                return Some(bytes);
            }
            reply.addresses.pop()?;
        }
    }
}

/// A datagram of discovery as it arrives: every key is optional, and passed over when it is unknown or, beyond those
/// of the contract, of the wrong type.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Announcement {
    /// What kind of datagram it is.
    pub service: String,
    /// Of a probe, and of the replies to it.
    #[serde(deserialize_with = "if_it_fits")]
    pub nonce: Option<String>,
    /// Of a server since version 2.
    #[serde(deserialize_with = "if_it_fits")]
    pub id: Option<String>,
    /// What people call the server.
    #[serde(deserialize_with = "if_it_fits")]
    pub name: Option<String>,
    /// The WebSocket port; a float when a Godot script sent it.
    pub port: Option<f64>,
    /// How many clients are connected.
    #[serde(deserialize_with = "if_it_fits")]
    pub clients: Option<f64>,
    /// Of a beacon: seconds without news after which the server is stale.
    #[serde(deserialize_with = "if_it_fits")]
    pub ttl: Option<f64>,
    /// Of a reply: all addresses of the server, best first.
    #[serde(deserialize_with = "if_it_fits")]
    pub addresses: Option<Vec<String>>,
    /// Whether a token is needed.
    #[serde(deserialize_with = "if_it_fits")]
    pub auth: Option<bool>,
    /// Whether the server speaks TLS.
    #[serde(deserialize_with = "if_it_fits")]
    pub tls: Option<bool>,
}

impl Announcement {
    /// Reads a datagram; `None` for anything that is not one of ours.
    pub fn parse(bytes: &[u8]) -> Option<Announcement> {
        let announcement: Announcement = serde_json::from_slice(bytes).ok()?;
        announcement.service.starts_with("websocket_server").then_some(announcement)
    }

    /// The port, when it is one.
    pub fn port(&self) -> Option<u16> {
        let port = self.port?;
        // The comparison leaves whole numbers in the range of a port, so the conversion loses nothing.
        ((1.0..=65535.0).contains(&port) && port.fract() == 0.0).then_some(port as u16)
    }

    /// The name, fit for display and at most 64 characters.
    pub fn display_name(&self) -> String {
        clean(self.name.as_deref().unwrap_or_default(), NAME)
    }

    /// The id, fit for display and at most 32 bytes; `None` when there is none to tell servers apart by.
    pub fn clean_id(&self) -> Option<String> {
        let id: String = self.id.as_deref()?.chars().filter(char::is_ascii_graphic).take(ID).collect();
        (!id.is_empty()).then_some(id)
    }
}

fn if_it_fits<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Option<T>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beacon_starts_with_the_contract_and_fits() {
        let name = "\u{1f600}\"\n".repeat(100);
        let id = "0123456789abcdef";
        let beacon = Beacon { ip: [255; 4].into(), port: 65535, timestamp: u64::MAX, id, name: &name };
        let bytes = beacon.encode(false);
        assert!(bytes.len() <= 512, "{} bytes", bytes.len());
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.starts_with(r#"{"service":"websocket_server","ip":"255.255.255.255","port":65535,"timestamp":"#));
        assert!(!text.contains("\\n"));
    }

    #[test]
    fn a_reply_is_never_larger_than_the_probe() {
        let probe = probe("0123456789abcdef");
        assert_eq!(probe.len(), PROBE_SIZE);
        let asked = Announcement::parse(&probe).unwrap();
        let reply = Reply {
            service: "websocket_server_reply",
            v: 2,
            nonce: asked.nonce.as_deref(),
            id: "0123456789abcdef",
            name: "\u{1f600}".repeat(64),
            ip: [255; 4].into(),
            port: 65535,
            addresses: vec![[255; 4].into(); 50],
            clients: 1000,
            auth: false,
            tls: false,
        };
        let bytes = reply.encode(probe.len()).unwrap();
        assert!(bytes.len() <= probe.len());
        let read = Announcement::parse(&bytes).unwrap();
        assert_eq!((read.port(), read.nonce.as_deref()), (Some(65535), Some("0123456789abcdef")));
        assert_eq!(reply.encode(100), None);
    }

    #[test]
    fn garbage_and_odd_numbers() {
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
}
