//! How a connection ends: agreed, cut off, broken or timed out. Each client leaves exactly once.

use std::io;
use std::time::Duration;

use halloo_proto::Time;
use halloo_proto::close::CloseCode;
use halloo_proto::frame::{self, Opcode};
use halloo_proto::heartbeat::KeepaliveAction;
use halloo_proto::message::Receiver;
use halloo_proto::outbox::Frames;
use halloo_proto::text::escape;

use super::connection::{Connection, Phase};
use super::connections::Connections;
use crate::{Event, LeaveReason};

/// How soon to look again at a message that is overdue while nothing is read.
const OVERDUE: Duration = Duration::from_secs(1);

impl Connections {
    /// Closes a client from our side: it is no client from now on, and has its time to agree.
    pub(crate) fn close(&mut self, slot: usize, code: CloseCode, text: &str, reason: LeaveReason) {
        if !self.table.get(slot).is_some_and(Connection::is_open) {
            return;
        }
        self.catch_up(slot);
        // What was sent to all may have been too much for it.
        if !self.table.get(slot).is_some_and(Connection::is_open) {
            return;
        }
        self.say_close(slot, code, text);
        self.leave(slot, code, reason);
        self.table[slot].phase = Phase::Closing(self.end_of_closing());
        self.schedule(slot);
    }

    /// Ends a connection whose peer cannot be understood or has closed: says `code`, flushes, and waits for its end.
    pub(crate) fn end(&mut self, slot: usize, code: CloseCode, text: &str, reason: LeaveReason) {
        self.say_close(slot, code, text);
        self.leave(slot, code, reason);
        self.finish(slot);
    }

    /// Nothing more is said: flush, half-close, read to the end.
    pub(crate) fn finish(&mut self, slot: usize) {
        let end = self.end_of_closing();
        let connection = &mut self.table[slot];
        connection.phase = Phase::Ending { until: end, heard: 0 };
        // Nothing that comes is looked at any more.
        (connection.receiver, connection.unread) = (Receiver::default(), None);
        self.under_way -= u64::from(std::mem::take(&mut connection.under_way));
        self.schedule(slot);
        self.settle(slot);
    }

    /// How long the peer has from now on to agree that this is the end.
    pub(super) fn end_of_closing(&self) -> Time {
        self.now + self.close_timeout
    }

    fn say_close(&mut self, slot: usize, code: CloseCode, text: &str) {
        let mut bytes = Vec::new();
        frame::encode_close(&mut bytes, code, text, None);
        if self.table[slot].is_blocked() {
            let frames = Frames::new(&bytes, &self.account);
            if let Some(outbox) = &mut self.table[slot].outbox {
                outbox.push_last(&frames);
            }
        } else {
            self.cork(slot).extend_from_slice(&bytes);
        }
    }

    /// The server fails: as far as it goes without waiting, every client gets a close frame instead of a reset.
    pub(crate) fn abandon(&mut self) {
        let mut bytes = Vec::new();
        frame::encode_close(&mut bytes, CloseCode::InternalError, "server failed", None);
        for (_, connection) in self.table.iter_mut().filter(|(_, connection)| connection.is_open()) {
            // Who cannot be told now is not.
            let _ = connection.abandon(&bytes);
        }
    }

    /// The connection broke.
    pub(crate) fn lose(&mut self, slot: usize, error: &io::Error) {
        self.remove(slot, LeaveReason::Lost(error.to_string()));
    }

    /// Takes a connection out of the table and closes its socket.
    pub(crate) fn remove(&mut self, slot: usize, reason: LeaveReason) {
        if self.table.contains(slot) {
            self.leave(slot, CloseCode::Abnormal, reason);
            let connection = self.table.remove(slot);
            self.addresses.depart(connection.peer.ip());
            self.under_way -= u64::from(connection.under_way);
        }
    }

    /// Nobody who has not finished his handshake becomes a client any more.
    pub(crate) fn drop_guests(&mut self) {
        let guests = self.table.iter().filter(|(_, connection)| matches!(connection.phase, Phase::Handshake(_)));
        for slot in guests.map(|(slot, _)| slot).collect::<Vec<_>>() {
            self.remove(slot, LeaveReason::ServerStopped);
        }
    }

    /// Counts what the client's unfinished message takes; when all of them take too much, the largest is given up.
    pub(crate) fn weigh_message(&mut self, slot: usize) {
        let Some(connection) = self.table.get_mut(slot) else { return };
        let now = u32::try_from(connection.receiver.under_way()).unwrap_or(u32::MAX);
        self.under_way = self.under_way - u64::from(connection.under_way) + u64::from(now);
        connection.under_way = now;
        let allowed = self.max_partial_bytes_total.max(self.messages.max_message_bytes.saturating_mul(2)) as u64;
        // One of the largest that are allowed is no attack, whatever its buffer grew to.
        if now == 0 || self.under_way <= allowed {
            return;
        }
        let largest = self.table.iter().max_by_key(|(_, connection)| connection.under_way);
        match largest.map(|(slot, connection)| (slot, connection.is_open())) {
            Some((slot, true)) => {
                let rule = "too much is under way from all clients; try again later";
                self.end(slot, CloseCode::TryAgainLater, rule, LeaveReason::Violation(rule.into()));
            }
            // It left already, and yet sends on.
            Some((slot, false)) => self.remove(slot, LeaveReason::TimedOut),
            None => {}
        }
    }

    fn leave(&mut self, slot: usize, code: CloseCode, reason: LeaveReason) {
        if self.table[slot].is_open() {
            self.tell_dropped_of(slot);
            self.count_compressed(slot, false);
            let (client, peer) = (self.table[slot].client, self.table[slot].peer);
            let clients = self.shared.unregister(client);
            self.addresses.leave(peer.ip());
            let why = Some(escape(&reason.to_string(), 200)).filter(|why| !why.is_empty());
            let why = why.map_or_else(String::new, |why| format!(": {why}"));
            tracing::info!("client {client} at {peer} left{why} ({code}); {clients} connected");
            self.events.push_back(Event::ClientLeft { client, code, reason, clients });
        }
    }

    /// Enters the connection in the wheel for its next deadline, unless an earlier look is due anyway.
    pub(crate) fn schedule(&mut self, slot: usize) {
        let interval = self.heartbeat;
        let connection = &mut self.table[slot];
        let mut due = match connection.phase {
            Phase::Open if interval.is_zero() => Time::NEVER,
            Phase::Open => self.now + interval,
            _ => connection.phase.deadline(),
        };
        if let Some(since) = connection.blocked_since() {
            due = due.min(since + self.write_timeout);
        }
        if let Some(deadline) =
            connection.receiver.deadline(&self.messages, self.pauses.since()).filter(|_| connection.is_open())
        {
            // One that is over was not judged, for the server itself does not read; it is looked at again soon.
            due = due.min(if deadline > self.now { deadline } else { self.now + OVERDUE });
        }
        if due < connection.wheel_at {
            connection.wheel_at = self.wheel.enter(slot, due);
        }
    }

    /// Looks at every connection whose deadline may have come. `reading` is false while the server itself pauses.
    pub(crate) fn handle_deadlines(&mut self, reading: bool) {
        while let Some((at, slots)) = self.wheel.pop(self.now) {
            for slot in slots {
                if self.table.get(slot).is_some_and(|connection| connection.wheel_at == at) {
                    self.table[slot].wheel_at = Time::NEVER;
                    self.check(slot, reading);
                }
            }
        }
    }

    fn check(&mut self, slot: usize, reading: bool) {
        let (now, interval) = (self.now, self.heartbeat);
        let connection = &mut self.table[slot];
        if connection.blocked_since().is_some_and(|since| now - since >= self.write_timeout) {
            return self.remove(slot, LeaveReason::TimedOut);
        }
        if !connection.is_open() {
            if now >= connection.phase.deadline() {
                return self.remove(slot, LeaveReason::TimedOut);
            }
            return self.schedule(slot);
        }
        let mut due = Time::NEVER;
        if reading {
            if connection.receiver.deadline(&self.messages, self.pauses.since()).is_some_and(|deadline| now >= deadline)
            {
                let rule = "the message took too long to finish";
                return self.end(slot, CloseCode::PolicyViolation, rule, LeaveReason::Violation(rule.into()));
            }
            let since = self.pauses.since();
            let mut pulse = connection.heartbeat.poll(now, interval, since);
            if pulse == KeepaliveAction::Ping {
                self.control(slot, Opcode::Ping, b"");
                // What was sent to all before the ping may have shown that it is gone.
                let Some(connection) = self.table.get_mut(slot) else { return };
                pulse = connection.heartbeat.poll(now, interval, since);
            }
            match pulse {
                KeepaliveAction::Dead => return self.remove(slot, LeaveReason::TimedOut),
                KeepaliveAction::Wait(until) => due = until,
                KeepaliveAction::Ping => {}
            }
        }
        let connection = &mut self.table[slot];
        if due == Time::NEVER && !interval.is_zero() {
            due = now + interval;
        }
        if due != Time::NEVER {
            connection.wheel_at = self.wheel.enter(slot, due);
        }
        self.schedule(slot);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::{TcpListener, TcpStream};
    use std::sync::Arc;

    use halloo_proto::Time;
    use halloo_proto::defaults::{FRAGMENT_TIMEOUT, HANDSHAKE_TIMEOUT, HEARTBEAT};
    use halloo_proto::frame::Role;

    use super::*;
    use crate::shared::Shared;

    /// Others than by default, to see that they hold.
    const WRITE_TIMEOUT: Duration = Duration::from_secs(8);
    const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
    const START: Time = Time::from_micros(1_000_000_000);

    /// One connection on a clock that the test winds.
    struct Stage {
        connections: Connections,
        slot: usize,
        peer: TcpStream,
    }

    impl Stage {
        fn new(heartbeat: Duration) -> Stage {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (stream, addr) = listener.accept().unwrap();
            stream.set_nonblocking(true).unwrap();
            let mut config = crate::Config::default();
            (config.heartbeat, config.write_timeout, config.close_timeout) = (heartbeat, WRITE_TIMEOUT, CLOSE_TIMEOUT);
            let shared = Arc::new(Shared::new("test".into(), 1, Default::default(), 1));
            let mut connections = Connections::new(shared, &config);
            connections.now = START;
            let stream = mio::net::TcpStream::from_std(stream);
            let slot = connections.table.insert(Connection::new(stream, addr, 1, START, START + HANDSHAKE_TIMEOUT));
            connections.schedule(slot);
            Stage { connections, slot, peer }
        }

        fn client(heartbeat: Duration) -> Stage {
            let mut stage = Stage::new(heartbeat);
            stage.connections.join(stage.slot);
            stage
        }

        /// Winds the clock on, waking as the reactor would, until `done`; answers when that was.
        fn wind_until(&mut self, reading: bool, done: impl Fn(&Connections) -> bool) -> Option<Duration> {
            while !done(&self.connections) {
                self.connections.now = self.connections.wheel.next()?.max(self.connections.now);
                if self.connections.now - START > Duration::from_secs(3600) {
                    return None;
                }
                self.connections.handle_deadlines(reading);
                self.connections.flush_all();
            }
            Some(self.connections.now - START)
        }

        fn gone(&mut self) -> Option<Duration> {
            let slot = self.slot;
            self.wind_until(true, |connections| !connections.table.contains(slot))
        }

        fn left(&self) -> Vec<&LeaveReason> {
            let events = self.connections.events.iter();
            let reasons = events.filter_map(|event| match event {
                Event::ClientLeft { reason, .. } => Some(reason),
                _ => None,
            });
            reasons.collect()
        }

        /// A first frame of a message arrives, and nothing behind it.
        fn begin_message(&mut self) {
            let mut bytes = [0x01, 0x81, 0, 0, 0, 0, b'x'];
            let limits = crate::Config::default().messages;
            let connection = &mut self.connections.table[self.slot];
            let nothing = connection.receiver.next(&mut &mut bytes[..], Role::Server, false, &limits, START);
            assert_eq!(nothing, Ok(None));
            self.connections.schedule(self.slot);
        }
    }

    /// At or just after `expected`: deadlines are rounded up to 50 ms.
    fn is_due(at: Option<Duration>, expected: Duration) {
        assert!(at.is_some_and(|at| (expected..=expected + Duration::from_millis(50)).contains(&at)), "{at:?}");
    }

    #[test]
    fn a_handshake_that_never_comes() {
        for heartbeat in [HEARTBEAT, Duration::ZERO] {
            let mut stage = Stage::new(heartbeat);
            is_due(stage.gone(), HANDSHAKE_TIMEOUT);
            assert!(stage.left().is_empty(), "it was no client");
        }
    }

    #[test]
    fn a_client_that_is_silent() {
        let mut stage = Stage::client(HEARTBEAT);
        is_due(stage.gone(), 3 * HEARTBEAT);
        assert_eq!(stage.left(), [&LeaveReason::TimedOut]);
        let mut told = Vec::new();
        stage.peer.read_to_end(&mut told).unwrap();
        assert_eq!(told, [0x89, 0], "one ping");
        assert_eq!(Stage::client(Duration::ZERO).gone(), None, "without a heartbeat nobody is asked");
    }

    #[test]
    fn a_silence_while_the_server_does_not_read() {
        let mut stage = Stage::client(HEARTBEAT);
        stage.begin_message();
        assert_eq!(stage.wind_until(false, |connections| connections.shared.clients() == 0), None);
    }

    #[test]
    fn a_message_that_never_ends() {
        // The fragments must end in time however seldom the heart beats.
        for heartbeat in [HEARTBEAT, Duration::from_secs(600), Duration::ZERO] {
            let mut stage = Stage::client(heartbeat);
            stage.begin_message();
            // Its pulse is heard all the while.
            stage.connections.table[stage.slot].heartbeat.handle_bytes(START + HEARTBEAT);
            let ended = stage.wind_until(true, |connections| connections.shared.clients() == 0);
            is_due(ended, FRAGMENT_TIMEOUT);
            assert!(matches!(stage.left()[..], [LeaveReason::Violation(rule)] if rule.contains("too long")));
            is_due(stage.gone(), FRAGMENT_TIMEOUT + CLOSE_TIMEOUT);
        }
    }

    #[test]
    fn a_close_that_nobody_answers() {
        let mut stage = Stage::client(Duration::ZERO);
        stage.connections.close(stage.slot, CloseCode::Normal, "", LeaveReason::Disconnected("out".into()));
        is_due(stage.gone(), CLOSE_TIMEOUT);
        assert_eq!(stage.left(), [&LeaveReason::Disconnected("out".into())]);
    }

    #[test]
    fn a_write_that_gets_nowhere() {
        for heartbeat in [HEARTBEAT, Duration::ZERO] {
            let mut stage = Stage::client(heartbeat);
            let client = stage.connections.table[stage.slot].client;
            // More than the system keeps for a socket.
            stage.connections.send(client, Opcode::Binary, &vec![0; 63 << 20]);
            stage.connections.flush_all();
            assert!(stage.connections.table[stage.slot].is_blocked());
            is_due(stage.gone(), WRITE_TIMEOUT);
            assert_eq!(stage.left(), [&LeaveReason::TimedOut]);
        }
    }
}
