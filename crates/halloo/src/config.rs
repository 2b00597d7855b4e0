//! The settings of a server, each with its default.

use std::io;
use std::net::{IpAddr, Ipv6Addr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use halloo_proto::access::AccessRules;
use halloo_proto::advertised_address::AdvertisedAddress;
use halloo_proto::defaults;
use halloo_proto::interface_filter::InterfaceFilter;
use halloo_proto::limits::{EventQueueLimits, HandshakeLimits, MessageLimits, OutboxLimits};
use halloo_proto::meta::Meta;
use halloo_proto::options;
use halloo_proto::pad_layout::PadLayout;

use crate::Files;
use crate::host_name::default_name;

options! {
    /// The settings of a [`Server`](crate::Server). Start from [`Config::default`] and change what you need, by the setters
    /// or the fields.
    ///
    /// ```
    /// use halloo::{AccessRules, Config, OutboxLimits, SlowClient};
    ///
    /// let config = Config::default()
    ///     .name("Living room")
    ///     .port(0) // any free port
    ///     .access(AccessRules::default().token(halloo::random_token()?))
    ///     .outbox(OutboxLimits::default().when_full(SlowClient::DropOldest));
    /// assert_eq!((config.name.as_str(), config.port), ("Living room", 0));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[derive(Clone, Debug)]
    #[non_exhaustive]
    pub struct Config {
        /// First TCP port to try. If it is in use or forbidden, the nine ports after it are tried, except those that
        /// browsers block. 0 asks the system for a free port. Default: 8765.
        pub port: u16 = defaults::PORT,
        /// Fails if `port` is in use or forbidden, instead of trying the next one. Default: `false`.
        pub strict_port: bool = false,
        /// Address to listen on; `None` for all IPv4 and IPv6 addresses. A loopback address also limits discovery to
        /// this machine. Default: `None`.
        pub bind(into): Option<IpAddr> = None,
        /// A TCP socket to use instead of one that the server opens, such as one from a service manager. Its address takes the
        /// place of `port`, `strict_port` and `bind`. Default: `None`.
        // Shared, because settings can be cloned: servers that are started with them accept from the same socket.
        pub listener(into): Option<Arc<TcpListener>> = None,
        /// Names of the network interfaces to use, such as `wlan0`; `*` stands for any characters. The server is announced
        /// only on these, and connections to the addresses of other interfaces are closed, except loopback. Without a
        /// name, all are used. Default: none.
        pub interfaces: Vec<String> = Vec::new(),
        /// Names of network interfaces not to use, such as `docker*`, in the same form. Default: none.
        pub excluded_interfaces: Vec<String> = Vec::new(),
        /// The address that is announced, instead of those of this machine, to others and in links: for a server in a
        /// container or behind a port that another machine forwards. Multicast DNS still publishes the addresses of this
        /// machine. Default: `None`.
        pub advertise(into): Option<AdvertisedAddress> = None,
        /// The name that people see in a list of servers; at most 64 characters are announced. It is `halloo` on a
        /// machine without a host name. Default: the host name.
        pub name(into): String = default_name(),
        /// The application id, by which browsers and clients can leave out the servers of other programs; at most 64
        /// characters are announced, and they are compared like names. `None` for a server that is found only without
        /// such a filter. Default: `None`.
        pub app(into): Option<String> = None,
        /// The name of the cluster to which this server belongs: clients that search for a server by its name accept any
        /// server of one cluster that has the name, and choose the one with the fewest clients. At most 64 characters are
        /// announced. Default: `None`.
        pub cluster_name(into): Option<String> = None,
        /// What the server says about itself besides its name, such as its map, to programs that list servers. It is
        /// public. [`Server::set_meta`](crate::Server::set_meta) changes it. Default: none.
        pub meta: Meta = Meta::default(),
        /// Announces the server and answers probes. Default: `true`.
        pub discovery: bool = true,
        /// UDP port that beacons are sent to and probes are received on. If it cannot be bound, the nine ports after it
        /// are tried. Default: 8766.
        pub discovery_port: u16 = defaults::DISCOVERY_PORT,
        /// Time between two beacons while no client is connected; at least 100 ms. Default: 2 s.
        // The interval of the reference script.
        pub discovery_interval: Duration = Duration::from_secs(2),
        /// Sends beacons with the four keys of the reference script and nothing else. Default: `false`.
        pub strict_beacon: bool = false,
        /// Publishes the server by multicast DNS while discovery is on, unless other machines cannot reach it. Default:
        /// `true`.
        [cfg(feature = "mdns")]
        pub mdns: bool = true,
        /// The rules for who may connect, such as a token, web origins and public addresses.
        pub access: AccessRules = AccessRules::default(),
        /// The certificate and private key for TLS; `None` for a server without TLS. With TLS, only
        /// `GET /discovery.json` works without encryption, unless `tls_optional` is set. Default: `None`.
        [cfg(feature = "tls")]
        pub tls(into): Option<crate::Identity> = None,
        /// Accepts clients without TLS on the same port, too. Links are without TLS then, except for
        /// [`Server::secure_invitation`](crate::Server::secure_invitation): pages need TLS for the sensors of a phone, and
        /// browsers warn about a self-signed certificate. Default: `false`.
        [cfg(feature = "tls")]
        pub tls_optional: bool = false,
        /// The files to publish on the same port; `None` for the server's own page at `/`. Everyone who reaches the server
        /// can read them, also without the token. Default: `None`.
        pub www(into): Option<Files> = None,
        /// The pad, a game controller for browsers: its layout, with which it is the page at `/`, unless `www` has files.
        /// With `None`, the pad is only at `/_halloo/pad`, with the default layout. Default: `None`.
        pub pad(into): Option<PadLayout> = None,
        /// The subprotocols of the application, the preferred one first (RFC 6455 section 1.9), each of 1 to 64 characters of
        /// a token, such as `json`. The first that a client offers is accepted; a browser that offers some hangs up if none
        /// is. Default: none.
        pub subprotocols: Vec<String> = Vec::new(),
        /// Passes each message of a client on to the other clients in its rooms, or to all others if it is in no room. The
        /// application receives it, too. Default: `false`.
        pub relay: bool = false,
        /// Maximum number of rooms. A client that would open another one is refused with 503. Default: 10,000.
        // Bounds what clients that invent names can use; a room with one member takes about 220 bytes.
        pub max_rooms: usize = 10_000,
        /// Maximum number of rooms that one client is in. Default: 64.
        pub max_rooms_per_client: usize = 64,
        /// Maximum number of clients; `None` for the file descriptor limit minus 64. Default: `None`.
        pub max_clients(into): Option<usize> = None,
        /// Maximum number of clients from one address; loopback is exempt. Default: 64.
        // A phone has a few tabs, and a classroom behind one address has sixty.
        pub max_clients_per_address: usize = 64,
        /// Limits on connections whose handshake is not complete.
        pub handshakes: HandshakeLimits = HandshakeLimits::default(),
        /// Limits on what one client sends.
        pub messages: MessageLimits = MessageLimits::default(),
        /// Maximum bytes of the partial messages of all clients together, but at least two messages of the largest
        /// allowed size. When exceeded, the client with the largest partial message is closed with 1013. Default:
        /// 64 MiB.
        pub max_partial_bytes_total: usize = 64 * 1024 * 1024,
        /// Compresses messages in both directions with clients that offer it (permessage-deflate, RFC 7692). Each
        /// message is compressed independently, so a connection needs no more memory and a broadcast is compressed
        /// once. Default: `false`.
        // On a local network, compression mostly costs more time than it saves.
        pub compression: bool = false,
        /// Limits on the messages that wait for one client, and what happens when they are exceeded.
        pub outbox: OutboxLimits = OutboxLimits::default(),
        /// Maximum bytes that wait for all clients together; a broadcast counts once. When exceeded, the client with
        /// the largest outbox is closed with 1013. Default: 64 MiB.
        pub max_outbox_bytes_total: usize = 64 * 1024 * 1024,
        /// Maximum time in which a client accepts none of the bytes that wait for it; then its connection is dropped.
        /// Default: 10 s.
        pub write_timeout: Duration = defaults::WRITE_TIMEOUT,
        /// Maximum time for a client to reply to a close frame; then its connection is dropped. Default: 3 s.
        pub close_timeout: Duration = defaults::CLOSE_TIMEOUT,
        /// Time without received bytes after which a client is pinged; after three times as long, its connection is
        /// dropped. Zero turns both off. Default: 5 s.
        pub heartbeat: Duration = defaults::HEARTBEAT,
        /// Limits on the events that wait for the application. When exceeded, the server stops reading from its
        /// clients.
        pub event_queue: EventQueueLimits = EventQueueLimits::default(),
    }
}

impl Config {
    /// Returns the filter for the interfaces to use.
    pub(crate) fn interface_filter(&self) -> InterfaceFilter {
        InterfaceFilter::new(&self.interfaces, &self.excluded_interfaces)
    }

    /// Sets the port and the address to those of `listener`, if there is one.
    pub(crate) fn adopt_listener_address(&mut self) -> io::Result<()> {
        if let Some(listener) = &self.listener {
            let address = listener.local_addr()?;
            self.port = address.port();
            // An IPv6 socket for all addresses accepts IPv4 too, as the server's own does.
            self.bind = Some(address.ip()).filter(|ip| *ip != IpAddr::V6(Ipv6Addr::UNSPECIFIED));
        }
        Ok(())
    }

    /// Returns whether every client must use TLS.
    pub(crate) fn requires_tls(&self) -> bool {
        #[cfg(feature = "tls")]
        return self.tls.is_some() && !self.tls_optional;
        #[cfg(not(feature = "tls"))]
        false
    }

    /// Returns the settings of a server for this machine only, on a free port and without discovery: for tests and for
    /// programs that talk to each other.
    pub fn local() -> Config {
        Config { port: 0, bind: Some(IpAddr::from([127, 0, 0, 1])), discovery: false, ..Config::default() }
    }
}
