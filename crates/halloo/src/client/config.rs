//! The settings of a client, with their defaults.

use std::time::Duration;

use halloo_proto::defaults;
use halloo_proto::fingerprint::Fingerprint;
use halloo_proto::limits::{MessageLimits, OutboxLimits, SlowClient};
use halloo_proto::reconnect::RetryLimit;
use halloo_proto::setters;
use halloo_proto::setting_names::SettingNames;
use halloo_proto::token::Token;

use super::target::Target;
use crate::{EventQueueLimits, Search};

setters! {
    /// The settings of a [`Client`](crate::Client). Start from [`ClientConfig::new`] and change what you need.
    ///
    /// ```
    /// let mut config = halloo::ClientConfig::new("ws://192.168.1.5:8765").reconnect(false);
    /// config.search.browser.local = true; // fields work too
    /// ```
    #[derive(Clone, Debug)]
    #[non_exhaustive]
    pub struct ClientConfig {
        /// The server to connect to.
        pub target(into): Target,
        /// The access token of the server. Default: `None`, for the token in the fragment of the address, if there is one.
        ///
        /// Without TLS, the client does not send it: client and server prove to each other that they know it
        /// ([`proof`](halloo_proto::proof)). A server without this token is not the target.
        pub token(into): Option<Token>,
        /// The fingerprint of the server's certificate. With it, the client uses TLS even if the address says otherwise, and
        /// trusts no other certificate. Default: `None`, for the fingerprint in the fragment of the address if there is one,
        /// and otherwise the certificates that the operating system trusts.
        pub fingerprint(into): Option<Fingerprint>,
        /// The room to join, by the path `/room/NAME` in place of that of the address; see
        /// [`Server::join`](crate::Server::join). Default: `None`, for the path of the address.
        pub room(into): Option<String>,
        /// The subprotocols to offer, the preferred one first; see [`Config::subprotocols`](crate::Config::subprotocols).
        /// [`ClientEvent::Connected`](crate::ClientEvent::Connected) says which one the server chose. Default: none.
        pub subprotocols: Vec<String>,
        /// Whether to retry after a failed attempt and to reconnect after a connection. If `false`, the client makes a single
        /// attempt. Default: `true`.
        pub reconnect: bool,
        /// When to give up. Default: never.
        pub retry_limit: RetryLimit,
        /// Limits on messages from the server.
        pub messages: MessageLimits,
        /// Limits on messages that are waiting to be sent. When the queue is full, [`SlowClient::DropOldest`] drops the oldest
        /// messages; the other policies refuse the new one with [`Delivery::Backpressure`](crate::Delivery::Backpressure).
        /// An empty queue accepts a message of any size. Default: 16,384 messages, 16 MiB, [`SlowClient::DropNewest`].
        pub outbox: OutboxLimits,
        /// How long the server may be silent before the client pings it. After three times as long, the client disconnects.
        /// Zero turns the heartbeat off. Default: 5 s.
        pub heartbeat: Duration,
        /// How errors spell the settings that would help. Default: as fields in Rust.
        pub setting_names: SettingNames,
        /// How to search for a server that is known by its name or that moved.
        pub search: Search,
        /// Limits on events that the application has not taken. When they are reached, the client stops reading and
        /// connecting until the application takes events.
        pub event_queue: EventQueueLimits,
    }
}

impl ClientConfig {
    /// Returns the default settings for a connection to `target`.
    pub fn new(target: impl Into<Target>) -> ClientConfig {
        ClientConfig {
            target: target.into(),
            token: None,
            fingerprint: None,
            room: None,
            subprotocols: Vec::new(),
            reconnect: true,
            retry_limit: RetryLimit::default(),
            messages: MessageLimits::default(),
            outbox: OutboxLimits {
                max_bytes: defaults::CLIENT_MAX_OUTBOX_BYTES,
                when_full: SlowClient::DropNewest,
                ..OutboxLimits::default()
            },
            heartbeat: defaults::HEARTBEAT,
            setting_names: SettingNames::default(),
            search: Search::default(),
            event_queue: EventQueueLimits::default(),
        }
    }
}
