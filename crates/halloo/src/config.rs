//! What can be set, and what it is when it is not.

use std::net::IpAddr;
use std::time::Duration;

use halloo_proto::access::AccessRules;
use halloo_proto::defaults;
use halloo_proto::message::MessageLimits;
use halloo_proto::outbox::{OutboxLimits, SlowClient};
use halloo_proto::upgrade::HandshakeLimits;

/// The settings of a [`Server`](crate::Server). Start from [`Config::default`] and change what you need.
///
/// ```
/// let mut config = halloo::Config::default();
/// config.name = "Living room".into();
/// config.port = 0; // any free port
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// First TCP port to try; the nine after it follow when it is in use. 0 asks the system for a free one.
    pub port: u16,
    /// Makes a busy `port` an error instead of trying the next.
    pub strict_port: bool,
    /// Address to listen on; `None` for all, IPv4 and IPv6. A loopback address also keeps discovery on this machine.
    pub bind: Option<IpAddr>,
    /// The name people see in a list of servers; at most 64 characters are announced.
    pub name: String,
    /// Whether to announce and to answer probes.
    pub discovery: bool,
    /// UDP port that beacons go to and probes come to; the nine after it are tried when it cannot be bound.
    pub discovery_port: u16,
    /// Between two beacons, while no client is connected; at least 100 ms.
    pub discovery_interval: Duration,
    /// Beacons with the four keys of the reference script and nothing else.
    pub strict_beacon: bool,
    /// Whether to publish the server by multicast DNS while discovery is on, unless it is for this machine only.
    #[cfg(feature = "mdns")]
    pub mdns: bool,
    /// Who may connect, besides programs on private networks.
    pub access: AccessRules,
    /// The certificate and key to speak TLS by; `None` speaks plain. With one, nothing is spoken in the clear but the
    /// answer to `GET /discovery.json`.
    #[cfg(feature = "tls")]
    pub tls: Option<crate::Identity>,
    /// Most clients at a time; `None` for as many as file descriptors allow, less 64.
    pub max_clients: Option<usize>,
    /// Most clients from one address; loopback is exempt.
    pub max_clients_per_address: usize,
    /// Limits on whoever has connected and is no client yet.
    pub handshakes: HandshakeLimits,
    /// Limits on what one client sends.
    pub messages: MessageLimits,
    /// Bytes of unfinished messages of all clients together, but at least two whole ones; beyond, the largest is cut off.
    pub under_way_total: usize,
    /// Whether clients that offer it may compress what they send, and get what they are sent compressed
    /// (permessage-deflate, RFC 7692). Off by default: on a local network it mostly costs more time than it saves. Each
    /// message is compressed by itself, so that a connection costs no more memory and a broadcast is compressed once.
    pub compression: bool,
    /// Limits on what waits for one client, and what happens beyond.
    pub outbox: OutboxLimits,
    /// Bytes that may wait for all clients together, a broadcast counted once; beyond, the largest queue is cut.
    pub outbox_total: usize,
    /// How long a client may take nothing of what waits for it; then its connection is given up.
    pub write_time: Duration,
    /// How long a client has to answer a close; then its connection is given up.
    pub close_time: Duration,
    /// Silence after which a client is pinged; after three times as long it is gone. Zero turns the heartbeat off.
    pub heartbeat: Duration,
    /// Events that wait for the application before the server stops reading from its clients.
    pub event_queue: usize,
    /// The same in bytes of message.
    pub event_queue_bytes: usize,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            port: defaults::PORT,
            strict_port: false,
            bind: None,
            name: String::from("halloo"),
            discovery: true,
            discovery_port: defaults::DISCOVERY_PORT,
            discovery_interval: defaults::DISCOVERY_INTERVAL,
            strict_beacon: false,
            #[cfg(feature = "mdns")]
            mdns: true,
            access: AccessRules::default(),
            #[cfg(feature = "tls")]
            tls: None,
            max_clients: None,
            max_clients_per_address: defaults::CLIENTS_PER_ADDRESS,
            handshakes: HandshakeLimits::default(),
            messages: MessageLimits::default(),
            under_way_total: defaults::UNDER_WAY_TOTAL,
            compression: false,
            outbox: OutboxLimits {
                messages: defaults::OUTBOX_MESSAGES,
                bytes: defaults::OUTBOX_BYTES,
                policy: SlowClient::default(),
            },
            outbox_total: defaults::OUTBOX_TOTAL,
            write_time: defaults::WRITE_TIME,
            close_time: defaults::CLOSE_TIME,
            heartbeat: defaults::HEARTBEAT,
            event_queue: defaults::EVENT_QUEUE,
            event_queue_bytes: defaults::EVENT_QUEUE_BYTES,
        }
    }
}

impl Config {
    /// A server for programs on this machine only, on a free port and unannounced: for tests and private pipes.
    pub fn local() -> Config {
        Config { port: 0, bind: Some(IpAddr::from([127, 0, 0, 1])), discovery: false, ..Config::default() }
    }
}
