//! Every default of halloo, each with its reason.

use std::time::Duration;

/// The WebSocket port; the reference script's, so existing clients find it.
pub const PORT: u16 = 8765;
/// The discovery port; the reference script's.
pub const DISCOVERY_PORT: u16 = 8766;
/// Between two beacons; the reference script's.
pub const DISCOVERY_INTERVAL: Duration = Duration::from_secs(2);

/// From accept to the end of the handshake: a phone on a bad Wi-Fi needs one or two seconds, a slowloris wants for ever.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// A request head; browsers with large cookies stay below 4 KiB on a host of the local network.
pub const MAX_HEAD_BYTES: usize = 8 * 1024;
/// Headers in a request; browsers send about fifteen.
pub const MAX_HEADERS: usize = 64;
/// Sockets that have not finished the handshake, in all: 500 clients may arrive at once.
pub const MAX_PENDING: usize = 1024;
/// The same from one address (loopback exempt): a page opens a handful at a time.
pub const MAX_PENDING_PER_ADDRESS: usize = 32;
/// Clients from one address (loopback exempt): a phone has a few tabs, a classroom behind one address has sixty.
pub const MAX_CLIENTS_PER_ADDRESS: usize = 64;

/// The shortest token that a person may choose: random ones have 22 characters, words soon have as many.
pub const TOKEN_LENGTH: usize = 16;
/// Wrong tokens of one address that are looked at in a row (loopback exempt): somebody who mistypes needs three.
pub const TOKEN_GUESSES: u32 = 10;
/// After which one more is looked at.
pub const TOKEN_GUESS_TIME: Duration = Duration::from_secs(1);

/// One incoming message: a photo of a phone fits, a mistake does not exhaust memory.
pub const MAX_MESSAGE_BYTES: usize = 1024 * 1024;
/// Frames in one message: more is an attack on the per-frame cost, not a message.
pub const MAX_FRAGMENTS: u32 = 1024;
/// From the first frame of a message to its last byte.
pub const FRAGMENT_TIMEOUT: Duration = Duration::from_secs(15);
/// Messages under way of all clients together, in bytes: sixty-four of the largest.
pub const MAX_PARTIAL_BYTES_TOTAL: usize = 64 * 1024 * 1024;
/// Control frames a second, with a burst of twice as many: a heartbeat needs one in five seconds.
pub const MAX_CONTROL_FRAMES_PER_SECOND: u32 = 50;

/// The smallest message that is worth compressing: a shorter one fits in one packet anyway, and has little to repeat.
pub const COMPRESS_FROM: usize = 128;

/// Events that wait for the application before reading pauses: a second of a hundred busy clients.
pub const EVENT_QUEUE_MAX_EVENTS: usize = 65_536;
/// The same in bytes.
pub const EVENT_QUEUE_MAX_BYTES: usize = 64 * 1024 * 1024;
/// Commands of other threads that wait for the reactor before `send` answers `Backpressure`.
pub const COMMAND_QUEUE: usize = 65_536;
/// The same in bytes.
pub const COMMAND_QUEUE_BYTES: usize = 64 * 1024 * 1024;
/// Messages waiting for one client: four minutes at 60 a second, so a short stall of a phone loses nothing.
pub const MAX_OUTBOX_MESSAGES: usize = 16_384;
/// The same in bytes.
pub const MAX_OUTBOX_BYTES: usize = 1024 * 1024;
/// All outboxes together; a broadcast counts once.
pub const MAX_OUTBOX_BYTES_TOTAL: usize = 64 * 1024 * 1024;
/// A write that gets nowhere: the peer's window is shut and its user gone.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// Silence after which a client is pinged.
pub const HEARTBEAT: Duration = Duration::from_secs(5);
/// Silence, in heartbeats, after which a client is dead: 15 s, which a loading game survives.
pub const HEARTBEATS_TO_DEATH: u32 = 3;
/// From our close frame to the peer's.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);
/// The same when a server or client stops: the application waits for it, and those who are there agree in milliseconds.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(1);

/// Bytes read from one connection in one turn before the others are served.
pub const TURN_BYTES: usize = 64 * 1024;
/// Messages handled of one connection in one turn: 64 KiB of the smallest would be 9,000, and most of a millisecond for
/// all others. 64 KiB of messages of 64 bytes stay one turn, for each turn costs a write.
pub const TURN_MESSAGES: usize = 1024;

/// Bytes of one connection inflated in one turn, to the end of the message: what 64 KiB that were compressed to the utmost
/// stand for would hold up all others for tens of milliseconds.
pub const TURN_INFLATED: usize = 1024 * 1024;

/// Pages made in one turn: the status of many clients is long, and all others wait meanwhile.
pub const TURN_PAGES: usize = 4;

/// What waits for the server while a client of ours is away, in bytes: sixteen of the largest messages, for a program has
/// few clients where a server has thousands.
pub const CLIENT_MAX_OUTBOX_BYTES: usize = 16 * 1024 * 1024;
/// The longest pause before the first attempt to come back: a restarted program is there in less.
pub const RETRY_FIRST: Duration = Duration::from_millis(100);
/// The longest pause at all: somebody who waits in front of it sees it come back at once.
pub const RETRY_LONGEST: Duration = Duration::from_secs(5);
/// A connection that lived so long was a good one, and the pauses start anew.
pub const STABLE_AFTER: Duration = Duration::from_secs(10);
/// Before the next address of a server is tried beside the last one (RFC 8305 section 5).
pub const NEXT_ADDRESS_DELAY: Duration = Duration::from_millis(250);
