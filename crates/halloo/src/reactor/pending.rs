//! What is kept of a connection only until its handshake is complete.

use std::time::Duration;

use halloo_proto::Time;
use halloo_proto::defaults::{KEEP_ALIVE_TIMEOUT, MAX_KEEP_ALIVE_REQUESTS};
use halloo_proto::http::After;

use super::http_request::HttpRequest;
use super::transfer::Transfer;

/// A connection that is no WebSocket yet: its request head is arriving, or an HTTP response is being sent.
#[derive(Debug)]
pub(super) struct Pending {
    /// The received part of the request head, or what follows a request whose response is not complete.
    pub(super) head: Vec<u8>,
    /// The ordinal of this socket. It orders sockets that were accepted at the same time, because slots are reused.
    pub(super) arrival: u64,
    /// The HTTP request that waits for its response, once the head is complete and unless it is a WebSocket handshake.
    pub(super) request: Option<HttpRequest>,
    /// The response that is being sent.
    pub(super) transfer: Option<Transfer>,
    /// When the head must be complete. While a response is being sent, it is in the past, and the older it is, the sooner
    /// the connection makes room for others.
    pub(super) deadline: Time,
    /// Whether its TLS handshake waits for its turn.
    pub(super) awaits_tls: bool,
    /// Whether a response was sent and nothing of another request has arrived.
    pub(super) is_idle: bool,
    /// Whether `head` has bytes that were not looked at, because they arrived together with an earlier request.
    pub(super) has_pipelined: bool,
    /// Number of HTTP requests so far.
    requests: u32,
}

impl Pending {
    pub(super) fn new(arrival: u64, deadline: Time) -> Pending {
        Pending {
            head: Vec::new(),
            arrival,
            request: None,
            transfer: None,
            deadline,
            awaits_tls: false,
            is_idle: false,
            has_pipelined: false,
            requests: 0,
        }
    }

    /// Returns whether bytes are read: not while a request waits for its response, or for the end of it.
    pub(super) fn awaits_request(&self) -> bool {
        self.request.is_none() && self.transfer.is_none()
    }

    /// Handles the first bytes of another request on a kept connection, whose head must be complete by `deadline`.
    pub(super) fn handle_bytes(&mut self, deadline: Time) {
        if std::mem::take(&mut self.is_idle) {
            self.deadline = deadline;
        }
    }

    /// Keeps `request`, and the bytes behind it if the connection can stay open for them.
    pub(super) fn accept(&mut self, mut request: HttpRequest, behind: &[u8]) {
        self.requests += 1;
        if self.requests >= MAX_KEEP_ALIVE_REQUESTS {
            request.after = After::Close;
        }
        self.head = if request.after == After::KeepAlive { behind.to_vec() } else { Vec::new() };
        self.request = Some(request);
    }

    /// Waits for another request after a complete response, for a while. What has arrived of it has until `deadline`.
    pub(super) fn await_next(&mut self, now: Time, deadline: Time) {
        self.transfer = None;
        self.has_pipelined = !self.head.is_empty();
        self.is_idle = !self.has_pipelined;
        self.deadline = if self.is_idle { now + KEEP_ALIVE_TIMEOUT } else { deadline };
    }

    /// Returns when the peer is given up, whose socket has accepted nothing since `blocked_since`.
    pub(super) fn poll_timeout(&self, blocked_since: Option<Time>, write_timeout: Duration) -> Time {
        match (&self.transfer, blocked_since) {
            (None, _) => self.deadline,
            (Some(_), Some(since)) => since + write_timeout,
            (Some(transfer), None) => transfer.deadline(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(10);

    fn at(seconds: u64) -> Time {
        Time::ZERO + Duration::from_secs(seconds)
    }

    #[test]
    fn kept_connection_waits_ten_seconds_and_then_as_long_as_a_new_one() {
        let mut pending = Pending::new(1, at(5));
        assert_eq!(pending.poll_timeout(None, TIMEOUT), at(5));
        pending.await_next(at(20), at(25));
        assert!(pending.is_idle && pending.awaits_request());
        assert_eq!(pending.poll_timeout(None, TIMEOUT), at(30));
        pending.handle_bytes(at(32));
        assert_eq!(pending.poll_timeout(None, TIMEOUT), at(32));
        pending.handle_bytes(at(40));
        assert_eq!(pending.poll_timeout(None, TIMEOUT), at(32), "more bytes do not extend it");
        pending.head = b"GET".to_vec();
        pending.await_next(at(50), at(55));
        assert!(!pending.is_idle && pending.has_pipelined);
        assert_eq!(pending.poll_timeout(None, TIMEOUT), at(55));
    }

    #[test]
    fn response_has_as_long_as_the_socket_accepts_bytes_and_the_disk_delivers_them() {
        let mut pending = Pending::new(1, at(5));
        pending.transfer = Some(Transfer::new(1, After::KeepAlive, None));
        assert_eq!(pending.poll_timeout(None, TIMEOUT), Time::NEVER);
        assert_eq!(pending.poll_timeout(Some(at(20)), TIMEOUT), at(30));
        let Some(transfer) = &mut pending.transfer else { panic!() };
        transfer.await_disk(at(20));
        assert_eq!(pending.poll_timeout(None, TIMEOUT), at(50));
    }

    #[test]
    fn last_request_of_a_connection_closes_it() {
        let mut pending = Pending::new(1, at(5));
        for number in 1..=MAX_KEEP_ALIVE_REQUESTS {
            let route = halloo_proto::routes::find("/", true);
            let after = After::KeepAlive;
            let (origin, proof, query, waits, file) = (None, None, None, None, None);
            let request = HttpRequest { route, head_only: false, origin, proof, query, waits, file, after };
            pending.accept(request, b"more");
            let is_last = number == MAX_KEEP_ALIVE_REQUESTS;
            let request = pending.request.take().unwrap();
            assert_eq!((request.after == After::Close, pending.head.is_empty()), (is_last, is_last));
        }
    }
}
