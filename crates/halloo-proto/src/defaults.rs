//! Constants that are not configurable, and defaults that server and client share, each with its reason. The default of
//! a setting is declared with the setting: in [`limits`](crate::limits) and in the configuration of the library.

use std::time::Duration;

/// The WebSocket port, the same as that of the reference script, so that existing clients find it.
pub const PORT: u16 = 8765;
/// The discovery port, the same as that of the reference script.
pub const DISCOVERY_PORT: u16 = 8766;

/// Time for a handshake: a phone on bad Wi-Fi needs one or two seconds, and a slowloris attack uses all of it.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes of a client's part of a TLS handshake: that of a browser has less than 2 KiB. The default size of a request head,
/// which waits in the same way.
pub const MAX_TLS_HANDSHAKE_BYTES: usize = 16 * 1024;

/// Bytes of all incomplete request heads and TLS handshakes together, which cost a peer nothing: 500 clients that arrive at
/// once have less than 1 MiB of them. Beyond that, the largest is dropped.
pub const MAX_PENDING_BYTES_TOTAL: usize = 8 * 1024 * 1024;

/// Minimum length of a chosen token, in characters: random tokens have 22, and a few words are as long.
pub const MIN_TOKEN_LENGTH: usize = 16;
/// Number of wrong tokens in a row from one address that are checked (loopback is exempt): typing errors cause about
/// three.
pub const MAX_WRONG_TOKENS: u32 = 10;
/// Time after which one more wrong token is checked.
pub const WRONG_TOKEN_INTERVAL: Duration = Duration::from_secs(1);

/// Bytes of the smallest message that is compressed: a smaller one fits into one packet anyway, and has few
/// repetitions.
pub const MIN_COMPRESSED_BYTES: usize = 128;

/// Maximum number of commands from other threads that wait for the reactor; beyond that, `send` returns `Backpressure`.
pub const COMMAND_QUEUE: usize = 65_536;
/// The same in bytes.
pub const COMMAND_QUEUE_BYTES: usize = 64 * 1024 * 1024;
/// Maximum time without progress of a write; after that, the peer is considered gone.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// Silence after which the peer is pinged.
pub const HEARTBEAT: Duration = Duration::from_secs(5);
/// Heartbeats of silence after which the peer is considered dead: 15 s by default, enough for a game that blocks while
/// it loads.
pub const MAX_SILENT_HEARTBEATS: u32 = 3;
/// Bytes per second of the slowest link over which a peer may be silent longer, because its answer waits behind what was
/// sent to it.
pub const SLOW_LINK_BYTES_PER_SECOND: usize = 8 * 1024;
/// How much longer that is at most.
pub const MAX_TRANSIT: Duration = Duration::from_secs(30);
/// Time for the peer to respond to a close frame.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);
/// Time for a closing peer to accept what is sent before the close frame, as long as it accepts bytes: a message of 1 MiB
/// at 18 KiB/s.
pub const MAX_CLOSE_FLUSH: Duration = Duration::from_secs(60);
/// The time to respond to a close frame when a server or client stops: the application waits for it, and a live peer responds within milliseconds.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(1);

/// The longest wait for the network that is asked of the system, which refuses years on some platforms.
pub const MAX_WAIT: Duration = Duration::from_secs(24 * 3600);

/// Read budget: bytes read from one connection in a turn before the others are served. With TLS, encrypted ones.
pub const TURN_BYTES: usize = 64 * 1024;
/// Read budget: bytes read from all connections together in a turn, as long as each gets [`MIN_TURN_BYTES`]: few
/// milliseconds of work, so that a client does not wait for hundreds of others that send all the time.
pub const TURN_BYTES_TOTAL: usize = 8 * 1024 * 1024;
/// Read budget: bytes that may be read from one connection however many are ready. Smaller reads cost more system calls
/// than they save time.
pub const MIN_TURN_BYTES: usize = 8 * 1024;
/// Read budget: the bytes as which a TLS record counts besides those it has. An empty one takes as long to decrypt as some
/// hundred bytes of a large one, so 64 KiB of empty records would delay the other connections by a millisecond.
pub const TLS_RECORD_COST: usize = 256;
/// Read budget: messages of one connection handled in a turn. 64 KiB of the smallest messages would be 9,000, and would
/// delay the other connections by almost a millisecond. 64 KiB of 64-byte messages fit into one turn, because each turn
/// costs a write.
pub const TURN_MESSAGES: usize = 1024;

/// Read budget: bytes of one connection inflated in a turn, rounded up to a whole message. 64 KiB with the highest
/// compression ratio would delay the other connections by tens of milliseconds.
pub const TURN_INFLATED: usize = 256 * 1024;

/// The ratio that compressed messages may have without a limit: text has three to ten.
pub const INFLATE_RATIO: usize = 16;
/// Beyond this ratio, one client may inflate so many messages of the largest size in a second, after as many at once. It
/// is not read meanwhile.
pub const INFLATED_MESSAGES_PER_SECOND: usize = 4;
/// The same for all clients together: some percent of a core.
pub const TOTAL_INFLATED_MESSAGES_PER_SECOND: usize = 32;
/// How long a client that exceeded the ratio counts as one that shares this total. Other clients do not wait for it.
pub const INFLATE_MEMORY: Duration = Duration::from_secs(10);

/// Reads of TLS handshakes in a turn. One with an ECDSA key takes about 0.15 ms, with an RSA key of 2,048 bits 1 ms.
pub const TURN_TLS_HANDSHAKES: usize = 2;

/// The event queue is shared: a client of which a 64th of its bytes waits is not read until half of that was taken. So a
/// client that floods an application that takes 5 MB/s delays the others by 0.2 s instead of 13 s.
pub const EVENT_SHARES: usize = 64;
/// The largest share, however long the queue is.
pub const MAX_EVENT_SHARE_BYTES: usize = 1024 * 1024;
/// The smallest share: as much as one read.
pub const MIN_EVENT_SHARE_BYTES: usize = TURN_BYTES;
/// The same for the number of events: a quarter of them. Small messages are taken much faster than they are sent, and a
/// client that has to wait for the application costs both a system call.
pub const EVENT_SHARES_OF_COUNT: usize = 4;
/// Bytes up to which the events of one client are accounted for together.
pub const MERGED_EVENT_BYTES: usize = 16 * 1024;

/// Connections of pages that ended, of which the number of received messages is still known, so that the page can send the
/// others again: 60 KB.
pub const MAX_ENDED_CONNECTIONS: usize = 1024;

/// HTTP responses sent in a turn: the status of many clients is long, and the other connections wait meanwhile.
pub const TURN_RESPONSES: usize = 4;
/// Bytes of a file that are read, and written to one connection, at a time: a TLS record, and some 10 µs of work, by which
/// messages may be delayed. Larger slices make downloads faster than any local network, and delay messages by more.
pub const FILE_SLICE_BYTES: usize = 16 * 1024;
/// Slices of files written in a turn, to all connections together. Several would delay messages as one large slice does.
pub const TURN_FILE_SLICES: usize = 1;
/// Reads of files that wait for the disk: as many as there are pending connections by default.
pub const MAX_FILE_JOBS: usize = 1024;
/// Time for the disk to open a file or to read a slice: one that sleeps takes up to ten seconds to start.
pub const FILE_TIMEOUT: Duration = Duration::from_secs(30);
/// Time that a connection stays open after an HTTP response, for further requests: a page has loaded by then.
pub const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// HTTP requests on one connection, so that one that never rests is not kept for ever.
pub const MAX_KEEP_ALIVE_REQUESTS: u32 = 1000;

/// Bytes that a `Client` queues while it is not connected: sixteen messages of the maximum size. That is more than for
/// one client of a server, because a program has few clients, and a server has thousands.
pub const CLIENT_MAX_OUTBOX_BYTES: usize = 16 * 1024 * 1024;
/// Maximum delay before the first attempt to reconnect: a restarted server usually accepts connections by then.
pub const FIRST_RETRY_DELAY: Duration = Duration::from_millis(100);
/// Maximum delay between attempts: short enough that a waiting user sees it reconnect soon.
pub const MAX_RETRY_DELAY: Duration = Duration::from_secs(5);
/// Duration after which a connection counts as stable and the delays are reset.
pub const STABLE_AFTER: Duration = Duration::from_secs(10);
/// Delay before the next address of a server is tried in parallel with the previous ones (RFC 8305 section 5).
pub const NEXT_ADDRESS_DELAY: Duration = Duration::from_millis(250);
