//! The datagrams of discovery.

use std::net::Ipv4Addr;

use serde::Serialize;

use crate::text::is_harmful;

/// Seconds after which a listener should take a server for stale.
const TTL: u32 = 8;
/// The name in a beacon, so that the datagram stays within 512 bytes even if every character is escaped.
const NAME: usize = 64;

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
            let name = self.name.chars().filter(|&character| !is_harmful(character)).take(NAME).collect();
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
}
