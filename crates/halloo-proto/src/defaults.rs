//! Constants that cannot be set, and defaults that both ends share, each with its reason. The default of a setting stands
//! beside it: in [`limits`](crate::limits) and in the configuration of the library.

use std::time::Duration;

/// The WebSocket port: that of the reference script, so existing clients find it.
pub const PORT: u16 = 8765;
/// The discovery port: that of the reference script.
pub const DISCOVERY_PORT: u16 = 8766;

/// Time for a handshake: a phone on bad Wi-Fi needs one or two seconds, a slowloris attack takes as long as it may.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// Characters of the shortest token that a person may choose: random ones have 22, and a few words have as many.
pub const MIN_TOKEN_LENGTH: usize = 16;
/// Wrong tokens from one address that are checked in a row (loopback exempt): mistyping takes three.
pub const MAX_WRONG_TOKENS: u32 = 10;
/// Time after which one more is checked.
pub const WRONG_TOKEN_INTERVAL: Duration = Duration::from_secs(1);

/// Bytes of the smallest message that is compressed: a shorter one fits into one packet anyway, and repeats little.
pub const MIN_COMPRESSED_BYTES: usize = 128;

/// Commands of other threads that wait for the reactor before `send` returns `Backpressure`.
pub const COMMAND_QUEUE: usize = 65_536;
/// The same in bytes.
pub const COMMAND_QUEUE_BYTES: usize = 64 * 1024 * 1024;
/// A write without progress: the peer's window is closed and its user gone.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// Silence after which the peer is pinged.
pub const HEARTBEAT: Duration = Duration::from_secs(5);
/// Silence, in heartbeats, after which the peer is dead: 15 s, which a loading game survives.
pub const HEARTBEATS_TO_DEATH: u32 = 3;
/// Time from our close frame to the peer's.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);
/// The same when a server or client stops: the application waits for it, and a peer that is there answers in milliseconds.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(1);

/// Read budget: bytes read from one connection in one turn before the others are served.
pub const TURN_BYTES: usize = 64 * 1024;
/// Read budget: messages of one connection handled in one turn. 64 KiB of the smallest would be 9,000, and delay the others
/// by most of a millisecond. 64 KiB of messages of 64 bytes fit into one turn, because each turn costs a write.
pub const TURN_MESSAGES: usize = 1024;

/// Read budget: bytes of one connection inflated in one turn, to the end of the message. 64 KiB that are compressed to the
/// utmost would delay the others by tens of milliseconds.
pub const TURN_INFLATED: usize = 1024 * 1024;

/// HTTP responses sent in one turn: the status of many clients is long, and the others wait meanwhile.
pub const TURN_RESPONSES: usize = 4;

/// Bytes that wait while a client of ours is not connected: sixteen of the largest messages, because a program has few
/// clients where a server has thousands.
pub const CLIENT_MAX_OUTBOX_BYTES: usize = 16 * 1024 * 1024;
/// The longest delay before the first attempt to reconnect: a restarted program is there sooner.
pub const FIRST_RETRY_DELAY: Duration = Duration::from_millis(100);
/// The longest delay between attempts: a person who waits sees it reconnect at once.
pub const MAX_RETRY_DELAY: Duration = Duration::from_secs(5);
/// A connection that lasted this long was stable: delays start anew.
pub const STABLE_AFTER: Duration = Duration::from_secs(10);
/// Delay before the next address of a server is tried beside the last one (RFC 8305 section 5).
pub const NEXT_ADDRESS_DELAY: Duration = Duration::from_millis(250);
