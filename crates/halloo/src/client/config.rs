//! The settings of a client, with their defaults.

use std::time::Duration;

use halloo_proto::defaults;
use halloo_proto::fingerprint::Fingerprint;
use halloo_proto::limits::MessageLimits;
use halloo_proto::limits::OutboxLimits;
use halloo_proto::limits::SlowClient;
use halloo_proto::reconnect::RetryLimit;
use halloo_proto::token::Token;

use super::Target;
use crate::{EventQueueLimits, Search};

/// The settings of a [`Client`](crate::Client). Start from [`ClientConfig::new`] and change what you need.
///
/// ```
/// let mut config = halloo::ClientConfig::new("ws://192.168.1.5:8765");
/// config.retry_limit.max_elapsed = Some(std::time::Duration::from_secs(60)); // then it gives up
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClientConfig {
    /// Where to connect to.
    pub target: Target,
    /// The token of the server; `None` for the one in the fragment of the address, if there is one. It is sent to
    /// whatever answers as the target: without TLS, use it with an address rather than a name.
    pub token: Option<Token>,
    /// The fingerprint of the server's certificate. With it, TLS is used whatever the address says, and no other
    /// certificate is trusted. `None` for the one in the fragment of the address, or else for the certificates that
    /// the system trusts.
    pub fingerprint: Option<Fingerprint>,
    /// Reconnects when the connection fails or ends; otherwise there is one attempt. Default: `true`.
    pub reconnect: bool,
    /// When to give up. Default: never.
    pub retry_limit: RetryLimit,
    /// Limits on what the server sends.
    pub messages: MessageLimits,
    /// Limits on what waits to be sent. Beyond, [`SlowClient::DropOldest`] drops what has waited longest, and the
    /// other two refuse the new message with [`Delivery::Backpressure`](crate::Delivery::Backpressure). A single
    /// message larger than the limit is queued when nothing else waits. Default: 16,384 messages, 16 MiB,
    /// [`SlowClient::DropNewest`].
    pub outbox: OutboxLimits,
    /// Silence after which the server is pinged; after three times as long the connection is dropped. Zero turns both
    /// off. Default: 5 s.
    pub heartbeat: Duration,
    /// How a server is searched for by its name: one that was given by name, and one that has moved.
    pub search: Search,
    /// Limits on the events that wait for the application; beyond either, the client stops reading and stops
    /// reconnecting.
    pub event_queue: EventQueueLimits,
}

impl ClientConfig {
    /// Returns the defaults for a connection to `target`.
    pub fn new(target: impl Into<Target>) -> ClientConfig {
        ClientConfig {
            target: target.into(),
            token: None,
            fingerprint: None,
            reconnect: true,
            retry_limit: RetryLimit::default(),
            messages: MessageLimits::default(),
            outbox: OutboxLimits {
                max_bytes: defaults::CLIENT_MAX_OUTBOX_BYTES,
                when_full: SlowClient::DropNewest,
                ..OutboxLimits::default()
            },
            heartbeat: defaults::HEARTBEAT,
            search: Search::default(),
            event_queue: EventQueueLimits::default(),
        }
    }
}
