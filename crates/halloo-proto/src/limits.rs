//! Limits on the resources that one peer can use.

use std::time::Duration;

use crate::{defaults, options};

options! {
    /// Limits on a connection until its handshake is complete.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct HandshakeLimits {
        /// Time from accepting the socket to the end of the handshake. Default: 5 s.
        pub timeout: Duration = defaults::HANDSHAKE_TIMEOUT,
        /// Bytes of a request head, at most 64 KiB, the size of one read. Default: 16 KiB.
        // Browsers send a host the cookies of all its ports, so `localhost` collects those of every project.
        pub max_head_bytes: usize = 16 * 1024,
        /// Headers in a request head. Default: 64.
        // Browsers send about fifteen.
        pub max_headers: usize = 64,
        /// Pending connections in total; beyond that, the oldest is closed. Default: 1,024.
        // 500 clients may arrive at once.
        pub max_pending: usize = 1024,
        /// Pending connections from one address; loopback is exempt. Default: 32.
        // A page opens a few at a time.
        pub max_pending_per_address: usize = 32,
    }
}

options! {
    /// Limits on what one peer sends. Exceeding one closes the connection.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct MessageLimits {
        /// Bytes of a message (close code 1009). Default: 1 MiB.
        // Large enough for a photo, small enough that a bug of a client does not exhaust memory.
        pub max_message_bytes: usize = 1024 * 1024,
        /// Frames of a message (close code 1008). Default: 1,024.
        // More of them serve only to make the receiver work.
        pub max_fragments: u32 = 1024,
        /// Time in which no byte of a partial message arrives (close code 1013). Default: 15 s.
        pub stall_timeout: Duration = Duration::from_secs(15),
        /// Bytes per second that a partial message brings on average after its first `stall_timeout` (close code 1013);
        /// 0 for no minimum. Default: 1 KiB.
        // The slowest links in use are ten times as fast, and a message of 1 MiB still ends after 17 minutes.
        pub min_bytes_per_second: u32 = 1024,
        /// Pings per second that are answered, after a burst of twice as many; the others are ignored. Pongs count, too.
        /// Ten times as many are a flood (close code 1008). Default: 50.
        // A heartbeat needs one every five seconds, and a latency display may send one a frame.
        pub max_control_frames_per_second: u32 = 50,
    }
}

options! {
    /// Limits on the messages that wait to be sent to one peer, whichever is reached first.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct OutboxLimits {
        /// Messages. Default: 16,384.
        // Four minutes at 60 messages a second, so a short stall of a phone loses nothing.
        pub max_messages: usize = 16_384,
        /// Bytes, frame headers included. Default: 8 MiB.
        // Several of the largest messages that are accepted by default, so that some sent at once do not end a client.
        pub max_bytes: usize = 8 * 1024 * 1024,
        /// What happens when a limit is reached. Default: [`SlowClient::Disconnect`].
        pub when_full: SlowClient = SlowClient::Disconnect,
    }
}

options! {
    /// Limits on the events that wait for the application, whichever is reached first. A server stops reading from a
    /// client earlier: when it alone has a quarter of the events or a 64th of the bytes (at least 64 KiB, at most 1 MiB).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct EventQueueLimits {
        /// Events. Default: 65,536.
        // One second of traffic from a hundred busy clients.
        pub max_events: usize = 65_536,
        /// Bytes of message payload in those events. Default: 64 MiB.
        pub max_bytes: usize = 64 * 1024 * 1024,
    }
}

/// What happens when messages are sent to a client faster than it accepts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SlowClient {
    /// Close the connection with 1013: the client reconnects and starts over. For state that must not have gaps.
    #[default]
    Disconnect,
    /// Drop the messages that have waited longest. For values that supersede each other, such as positions.
    DropOldest,
    /// Drop the new message.
    DropNewest,
}
