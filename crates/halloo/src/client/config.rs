//! What can be set, and what it is when it is not.

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
    /// What the server wants to be given; `None` for the one in the fragment of the address, if there is one. It is
    /// sent to whatever answers as the target: without TLS, give it with an address rather than a name.
    pub token: Option<Token>,
    /// The certificate that the server has to have. With it, TLS is spoken whatever the address says, and nobody else is
    /// trusted; `None` for the one in the fragment of the address, or else for whom the system vouches for.
    pub fingerprint: Option<Fingerprint>,
    /// Whether to try again when nobody is there or the connection ends. Without it, one attempt is all.
    pub reconnect: bool,
    /// How long to go on trying; without a limit by default.
    pub retry_limit: RetryLimit,
    /// Limits on what the server sends.
    pub messages: MessageLimits,
    /// How much may wait to be sent, and what happens beyond: [`SlowClient::DropOldest`] forgets what has waited
    /// longest, the other two refuse the new message with [`Delivery::Backpressure`](crate::Delivery::Backpressure).
    /// A single message larger than the limit is taken when nothing else waits.
    pub outbox: OutboxLimits,
    /// Silence after which the server is pinged; after three times as long it is taken for dead. Zero turns the
    /// heartbeat off.
    pub heartbeat: Duration,
    /// How a server is looked for by its name: one that was given so, and one that has moved.
    pub search: Search,
    /// Limits on the events that wait for the application; beyond either, the client stops reading and stops
    /// reconnecting.
    pub event_queue: EventQueueLimits,
}

impl ClientConfig {
    /// The defaults, for a connection to `target`.
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
