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
    pub max_partial_bytes_total: usize,
    /// Whether clients that offer it may compress what they send, and get what they are sent compressed
    /// (permessage-deflate, RFC 7692). Off by default: on a local network it mostly costs more time than it saves. Each
    /// message is compressed by itself, so that a connection costs no more memory and a broadcast is compressed once.
    pub compression: bool,
    /// Limits on what waits for one client, and what happens beyond.
    pub outbox: OutboxLimits,
    /// Bytes that may wait for all clients together, a broadcast counted once; beyond, the largest queue is cut.
    pub max_outbox_bytes_total: usize,
    /// How long a client may take nothing of what waits for it; then its connection is given up.
    pub write_timeout: Duration,
    /// How long a client has to answer a close; then its connection is given up.
    pub close_timeout: Duration,
    /// Silence after which a client is pinged; after three times as long it is gone. Zero turns the heartbeat off.
    pub heartbeat: Duration,
    /// Limits on the events that wait for the application; beyond either, the server stops reading from its clients.
    pub event_queue: EventQueueLimits,
}

/// Limits on the events that wait for the application, whichever is reached first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventQueueLimits {
    /// Events. Default: 65,536.
    pub max_events: usize,
    /// Bytes of message payload in those events. Default: 64 MiB.
    pub max_bytes: usize,
}

impl Default for EventQueueLimits {
    fn default() -> EventQueueLimits {
        EventQueueLimits { max_events: defaults::EVENT_QUEUE_MAX_EVENTS, max_bytes: defaults::EVENT_QUEUE_MAX_BYTES }
    }
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
            max_clients_per_address: defaults::MAX_CLIENTS_PER_ADDRESS,
            handshakes: HandshakeLimits::default(),
            messages: MessageLimits::default(),
            max_partial_bytes_total: defaults::MAX_PARTIAL_BYTES_TOTAL,
            compression: false,
            outbox: OutboxLimits {
                max_messages: defaults::MAX_OUTBOX_MESSAGES,
                max_bytes: defaults::MAX_OUTBOX_BYTES,
                when_full: SlowClient::default(),
            },
            max_outbox_bytes_total: defaults::MAX_OUTBOX_BYTES_TOTAL,
            write_timeout: defaults::WRITE_TIMEOUT,
            close_timeout: defaults::CLOSE_TIMEOUT,
            heartbeat: defaults::HEARTBEAT,
            event_queue: EventQueueLimits::default(),
        }
    }
}

impl Config {
    /// A server for programs on this machine only, on a free port and unannounced: for tests and private pipes.
    pub fn local() -> Config {
        Config { port: 0, bind: Some(IpAddr::from([127, 0, 0, 1])), discovery: false, ..Config::default() }
    }
}
