//! The settings of a server, each with its default.

use std::net::IpAddr;
use std::time::Duration;

use halloo_proto::access::AccessRules;
use halloo_proto::defaults;
use halloo_proto::limits::{EventQueueLimits, HandshakeLimits, MessageLimits, OutboxLimits};
use halloo_proto::options;

options! {
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
        /// First TCP port to try; the nine after it follow when it is in use. 0 asks the system for a free one. Default: 8765.
        pub port: u16 = defaults::PORT,
        /// Makes a busy `port` an error instead of trying the next. Default: `false`.
        pub strict_port: bool = false,
        /// Address to listen on; `None` for all, IPv4 and IPv6. A loopback address also keeps discovery on this machine.
        /// Default: `None`.
        pub bind: Option<IpAddr> = None,
        /// The name that people see in a list of servers; at most 64 characters are announced. Default: `halloo`.
        pub name: String = String::from("halloo"),
        /// Announces the server and answers probes. Default: `true`.
        pub discovery: bool = true,
        /// UDP port that beacons are sent to and probes are received on; the nine after it are tried when it cannot be
        /// bound. Default: 8766.
        pub discovery_port: u16 = defaults::DISCOVERY_PORT,
        /// Time between two beacons while no client is connected; at least 100 ms. Default: 2 s.
        // That of the reference script.
        pub discovery_interval: Duration = Duration::from_secs(2),
        /// Sends beacons with the four keys of the reference script and nothing else. Default: `false`.
        pub strict_beacon: bool = false,
        /// Publishes the server by multicast DNS while discovery is on, unless it is for this machine only. Default:
        /// `true`.
        [cfg(feature = "mdns")]
        pub mdns: bool = true,
        /// Who may connect, besides programs on private networks.
        pub access: AccessRules = AccessRules::default(),
        /// The certificate and key for TLS; `None` serves without TLS. With one, only `GET /discovery.json` is answered in
        /// the clear. Default: `None`.
        [cfg(feature = "tls")]
        pub tls: Option<crate::Identity> = None,
        /// Maximum number of clients; `None` for as many as file descriptors allow, less 64. Default: `None`.
        pub max_clients: Option<usize> = None,
        /// Maximum number of clients from one address; loopback is exempt. Default: 64.
        // A phone has a few tabs, and a classroom behind one address has sixty.
        pub max_clients_per_address: usize = 64,
        /// Limits on connections whose handshake is not complete.
        pub handshakes: HandshakeLimits = HandshakeLimits::default(),
        /// Limits on what one client sends.
        pub messages: MessageLimits = MessageLimits::default(),
        /// Bytes of the partial messages of all clients together, but at least two of the largest allowed size; beyond, the
        /// client with the largest is closed with 1013. Default: 64 MiB.
        pub max_partial_bytes_total: usize = 64 * 1024 * 1024,
        /// Lets clients that offer it compress messages both ways (permessage-deflate, RFC 7692). Each message is compressed
        /// independently, so a connection takes no more memory and a broadcast is compressed once. Default: `false`.
        // On a local network, compression mostly costs more time than it saves.
        pub compression: bool = false,
        /// Limits on what waits to be sent to one client, and what happens beyond.
        pub outbox: OutboxLimits = OutboxLimits::default(),
        /// Bytes that wait for all clients together, a broadcast counted once; beyond, the client with the largest outbox is
        /// closed with 1013. Default: 64 MiB.
        pub max_outbox_bytes_total: usize = 64 * 1024 * 1024,
        /// How long a client may accept none of the bytes that wait for it; then its connection is dropped. Default: 10 s.
        pub write_timeout: Duration = defaults::WRITE_TIMEOUT,
        /// How long a client has to answer a close frame; then its connection is dropped. Default: 3 s.
        pub close_timeout: Duration = defaults::CLOSE_TIMEOUT,
        /// Silence after which a client is pinged; after three times as long it is dropped. Zero turns both off. Default:
        /// 5 s.
        pub heartbeat: Duration = defaults::HEARTBEAT,
        /// Limits on the events that wait for the application; beyond, the server stops reading from its clients.
        pub event_queue: EventQueueLimits = EventQueueLimits::default(),
    }
}

impl Config {
    /// Returns the settings of a server for programs on this machine only, on a free port and unannounced: for tests and
    /// private pipes.
    pub fn local() -> Config {
        Config { port: 0, bind: Some(IpAddr::from([127, 0, 0, 1])), discovery: false, ..Config::default() }
    }
}
