//! How a connection ends: agreed, cut off, broken or timed out. Each client leaves exactly once.

use std::io;

use halloo_proto::Time;
use halloo_proto::close::CloseCode;
use halloo_proto::defaults::{CLOSE_TIME, WRITE_TIME};
use halloo_proto::frame::{self, Opcode};
use halloo_proto::heartbeat::Pulse;
use halloo_proto::message::MessageLimits;
use halloo_proto::outbox::Frames;
use halloo_proto::text::escape;

use super::connection::{Connection, Phase};
use super::connections::Connections;
use crate::{Event, LeaveReason};

impl Connections {
    /// Closes a client from our side: it is no client from now on, and has [`CLOSE_TIME`] to agree.
    pub(crate) fn close(&mut self, slot: usize, code: CloseCode, text: &str, reason: LeaveReason) {
        if !self.table.get(slot).is_some_and(Connection::is_open) {
            return;
        }
        self.catch_up(slot);
        // What was sent to all may have been too much for it.
        if !self.table[slot].is_open() {
            return;
        }
        self.say_close(slot, code, text);
        self.leave(slot, code, reason);
        self.table[slot].phase = Phase::Closing;
        self.limit_closing(slot);
    }

    /// Ends a connection whose peer cannot be understood or has closed: says `code`, flushes, and waits for its end.
    pub(crate) fn end(&mut self, slot: usize, code: CloseCode, text: &str, reason: LeaveReason) {
        self.say_close(slot, code, text);
        self.leave(slot, code, reason);
        self.finish(slot);
    }

    /// Nothing more is said: flush, half-close, read to the end.
    pub(crate) fn finish(&mut self, slot: usize) {
        self.table[slot].phase = Phase::Ending;
        self.limit_closing(slot);
        self.settle(slot);
    }

    fn limit_closing(&mut self, slot: usize) {
        self.table[slot].deadline = self.now + CLOSE_TIME;
        self.schedule(slot);
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
            self.addresses.leave(connection.peer.ip(), matches!(connection.phase, Phase::Handshake(_)));
        }
    }

    fn leave(&mut self, slot: usize, code: CloseCode, reason: LeaveReason) {
        if self.table[slot].is_open() {
            self.tell_dropped_of(slot);
            let (client, peer) = (self.table[slot].client, self.table[slot].peer);
            let clients = self.shared.unregister(client);
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
            _ => connection.deadline,
        };
        if connection.blocked_since != Time::NEVER {
            due = due.min(connection.blocked_since + WRITE_TIME);
        }
        if due < connection.wheel_at {
            connection.wheel_at = self.wheel.enter(slot, due);
        }
    }

    /// Looks at every connection whose deadline may have come. `reading` is false while the server itself pauses.
    pub(crate) fn handle_deadlines(&mut self, reading: bool, fragments: &MessageLimits) {
        while let Some((at, slots)) = self.wheel.pop(self.now) {
            for slot in slots {
                if self.table.get(slot).is_some_and(|connection| connection.wheel_at == at) {
                    self.table[slot].wheel_at = Time::NEVER;
                    self.check(slot, reading, fragments);
                }
            }
        }
    }

    fn check(&mut self, slot: usize, reading: bool, limits: &MessageLimits) {
        let (now, interval) = (self.now, self.heartbeat);
        let connection = &mut self.table[slot];
        if connection.blocked_since != Time::NEVER && now - connection.blocked_since >= WRITE_TIME {
            return self.remove(slot, LeaveReason::TimedOut);
        }
        if !connection.is_open() {
            if now >= connection.deadline {
                return self.remove(slot, LeaveReason::TimedOut);
            }
            return self.schedule(slot);
        }
        let mut due = Time::NEVER;
        if reading {
            if connection.receiver.deadline(limits).is_some_and(|deadline| now >= deadline) {
                let rule = "the message took too long to finish";
                return self.end(slot, CloseCode::PolicyViolation, rule, LeaveReason::Violation(rule.into()));
            }
            let since = self.listening_since;
            let mut pulse = connection.heartbeat.poll(now, interval, since);
            if pulse == Pulse::Ping {
                self.control(slot, Opcode::Ping, b"");
                pulse = self.table[slot].heartbeat.poll(now, interval, since);
            }
            match pulse {
                Pulse::Dead => return self.remove(slot, LeaveReason::TimedOut),
                Pulse::Wait(until) => due = until,
                Pulse::Ping => {}
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
