//! From readiness to messages: one read a turn, everything in it handled, one write.

use std::io::{self, Read};
use std::sync::atomic::Ordering;

use halloo_proto::access::Denied;
use halloo_proto::close::{CloseCode, Violation};
use halloo_proto::defaults::{TURN_BYTES, TURN_INFLATED, TURN_MESSAGES};
use halloo_proto::frame::{Opcode, Role};
use halloo_proto::http::respond;
use halloo_proto::message::Incoming;
use halloo_proto::text::escape;
use halloo_proto::upgrade::{Refusal, Verdict, Visitor, read_head};

use super::connection::{PageRequest, Phase, Unread};
use super::{Reactor, tell_message};
use crate::http::{self, Route};
use crate::{LeaveReason, Message};

/// The first byte of TLS: a record of the handshake (RFC 8446 section 5.1).
const TLS: u8 = 0x16;
/// What the answers that are sentences are.
pub(super) const TEXT: &str = "text/plain; charset=utf-8";

impl Reactor {
    /// Reads once from a connection that may have something, and handles all of it.
    pub(super) fn handle_readable(&mut self, slot: usize) {
        if self.paused {
            // No new edge will come for what waits already.
            self.ready.push(slot);
            return;
        }
        let Some(connection) = self.connections.table.get_mut(slot) else { return };
        if let Some(unread) = connection.unread.take() {
            self.handle_unread(slot, unread);
            self.connections.flush(slot);
            return self.publish_many();
        }
        if connection.is_deaf() || connection.waits_for_page() {
            return;
        }
        let kept = connection.receiver.restore(&mut self.buffer);
        let end = kept + TURN_BYTES;
        let count = loop {
            match connection.stream.read(&mut self.buffer[kept..end]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                outcome => break outcome,
            }
        };
        match count {
            Ok(0) => return self.connections.remove(slot, LeaveReason::Lost("the peer hung up".into())),
            Ok(count) => {
                connection.heartbeat.handle_bytes(self.connections.now);
                // A full buffer, or a system whose edges need the read that finds nothing, means: look again.
                // After a short read the socket is drained (epoll(7)) and the next edge tells of more, but an end of
                // file that came with this very edge would not be told again.
                let edges_lack = !cfg!(any(target_os = "linux", target_os = "android"));
                if count == TURN_BYTES || edges_lack || connection.stream.has_ended() {
                    self.ready.push(slot);
                }
                self.handle_bytes(slot, kept + count);
                self.look_for_the_end(slot);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => connection.receiver.keep(&self.buffer[..kept]),
            Err(error) => self.connections.lose(slot, &error),
        }
        self.connections.flush(slot);
        self.publish_many();
    }

    /// An ending connection is read to its end at once, for its last edge may have come.
    pub(super) fn look_for_the_end(&mut self, slot: usize) {
        let ending = |c: &super::connection::Connection| matches!(c.phase, Phase::Ending { .. } | Phase::Closing(_));
        if self.connections.table.get(slot).is_some_and(ending) {
            self.ready.push(slot);
        }
    }

    fn handle_bytes(&mut self, slot: usize, length: usize) {
        let mut buffer = std::mem::take(&mut self.buffer);
        match &mut self.connections.table[slot].phase {
            Phase::Open | Phase::Closing(_) => self.handle_frames(slot, &mut buffer[..length]),
            Phase::Ending { heard, .. } => *heard = heard.saturating_add(u32::try_from(length).unwrap_or(u32::MAX)),
            Phase::Handshake(handshake) if handshake.head.is_empty() => self.handle_head(slot, &mut buffer[..length]),
            Phase::Handshake(handshake) => {
                let mut head = std::mem::take(&mut handshake.head);
                head.extend_from_slice(&buffer[..length]);
                self.handle_head(slot, &mut head);
            }
        }
        self.buffer = buffer;
    }

    fn handle_head(&mut self, slot: usize, bytes: &mut [u8]) {
        let peer = self.connections.table[slot].peer;
        if self.tls.is_some() && !self.connections.table[slot].stream.is_secure() && bytes.first() == Some(&TLS) {
            return self.begin_tls(slot, bytes);
        }
        let may_guess = self.guesses.allows(peer.ip(), self.connections.now);
        match read_head(bytes, Visitor { ip: peer.ip(), may_guess }, &self.config.access, &self.config.handshakes) {
            // What is told without TLS is what is shouted into the network anyway, and that TLS is wanted.
            verdict if self.speaks_wrongly(slot, &verdict) => {
                let response = respond(400, TEXT, &[], format!("{}\n", Refusal::Plain).as_bytes(), false);
                tracing::warn!("{peer} was refused: {}", Refusal::Plain);
                self.refuse(slot, &response);
            }
            Verdict::Incomplete => {
                if let Phase::Handshake(handshake) = &mut self.connections.table[slot].phase {
                    handshake.head = bytes.to_vec();
                }
            }
            Verdict::Refuse { reason, response } => {
                let why = escape(&reason.to_string(), 300);
                match reason {
                    // The ten that came before were told.
                    Refusal::Denied(Denied::TooManyGuesses) => tracing::debug!("{peer} was refused: {why}"),
                    _ => tracing::warn!("{peer} was refused: {why}"),
                }
                if reason == Refusal::Denied(Denied::TokenWrong) {
                    self.guesses.handle_wrong(peer.ip(), self.connections.now);
                }
                self.refuse(slot, &response);
            }
            Verdict::Page { path, head_only, origin } => {
                self.await_page(slot, PageRequest { path, head_only, origin });
            }
            Verdict::Accept { head, mut response, deflate } => {
                if let Some(why) = self.no_room(peer.ip()) {
                    tracing::warn!("{peer} was refused: {why}");
                    let body = format!("{why}\n");
                    return self.refuse(slot, &respond(503, TEXT, &[], body.as_bytes(), false));
                }
                if let Some(offer) = deflate.filter(|_| self.config.compression) {
                    offer.accept_in(&mut response);
                    let connection = &mut self.connections.table[slot];
                    connection.inflated = true;
                    connection.compressed = offer.takes_compressed();
                }
                self.connections.answer(slot, &response);
                if !self.connections.table.contains(slot) {
                    return;
                }
                self.connections.join(slot);
                self.tell_events();
                self.handle_frames(slot, &mut bytes[head..]);
            }
        }
    }

    /// The bytes are the beginning of TLS.
    fn begin_tls(&mut self, slot: usize, bytes: &[u8]) {
        let Some(tls) = &self.tls else { return };
        let connection = &mut self.connections.table[slot];
        let begun = tls.accept(bytes).and_then(|session| {
            connection.stream.secure(session);
            connection.stream.handle_writable()
        });
        if let Err(error) = begun {
            self.connections.lose(slot, &error);
        }
    }

    /// Whether this came in the clear and may not.
    fn speaks_wrongly(&self, slot: usize, verdict: &Verdict) -> bool {
        let plain = self.tls.is_some() && !self.connections.table[slot].stream.is_secure();
        let harmless = match verdict {
            Verdict::Incomplete => true,
            Verdict::Page { path, .. } => matches!(http::route(path), Route::Discovery),
            Verdict::Accept { .. } | Verdict::Refuse { .. } => false,
        };
        plain && !harmless
    }

    fn refuse(&mut self, slot: usize, response: &[u8]) {
        self.connections.shared.refused.fetch_add(1, Ordering::Relaxed);
        self.last_words(slot, response);
    }

    pub(super) fn last_words(&mut self, slot: usize, response: &[u8]) {
        // No handshake any more: what the peer still sends is not looked at.
        self.connections.table[slot].phase = Phase::Ending { until: self.connections.end_of_closing(), heard: 0 };
        self.connections.answer(slot, response);
        if self.connections.table.contains(slot) {
            self.connections.finish(slot);
        }
    }

    /// Goes on with what an earlier turn left over.
    fn handle_unread(&mut self, slot: usize, mut unread: Box<Unread>) {
        let left = self.handle_some_frames(slot, &mut unread.bytes[unread.start..]);
        unread.start = unread.bytes.len() - left;
        if let Some(connection) = self.connections.table.get_mut(slot) {
            if left > 0 {
                connection.unread = Some(unread);
            }
            // Also when all was looked at: an edge may have come meanwhile, and been answered by this.
            self.ready.push(slot);
        }
    }

    /// Handles the frames of a read; what is too much for one turn is kept.
    fn handle_frames(&mut self, slot: usize, bytes: &mut [u8]) {
        let left = self.handle_some_frames(slot, bytes);
        if left == 0 {
            return;
        }
        if let Some(connection) = self.connections.table.get_mut(slot) {
            let rest = bytes[bytes.len() - left..].to_vec();
            connection.unread = Some(Box::new(Unread { bytes: rest, start: 0 }));
            self.ready.push(slot);
        }
    }

    fn handle_some_frames(&mut self, slot: usize, bytes: &mut [u8]) -> usize {
        let left = self.handle_turn(slot, bytes);
        self.connections.weigh_message(slot);
        left
    }

    /// Handles at most [`TURN_MESSAGES`] and [`TURN_INFLATED`], and answers how many bytes are left.
    fn handle_turn(&mut self, slot: usize, bytes: &mut [u8]) -> usize {
        self.connections.heard = slot;
        let mut input = bytes;
        let mut inflated = 0;
        let (now, pauses) = (self.connections.now, self.connections.pauses);
        for _ in 0..TURN_MESSAGES {
            let Some(connection) = self.connections.table.get_mut(slot) else { return 0 };
            let open = connection.is_open();
            if !open && !matches!(connection.phase, Phase::Closing(_)) {
                return 0;
            }
            let mut next =
                connection.receiver.next(&mut input, Role::Server, connection.inflated, &self.config.messages, pauses);
            if let Ok(Some(Incoming::Compressed { text, payload })) = &next
                && let Some(inflater) = &mut self.inflater
            {
                let message = inflater.message(*text, payload, self.config.messages.max_message_bytes);
                inflated += message.as_ref().map_or(0, Incoming::bytes);
                next = message.map(Some);
            }
            let message = match next {
                Ok(Some(Incoming::Text(text))) => Message::Text(text),
                Ok(Some(Incoming::Binary(bytes))) => Message::Binary(bytes),
                Ok(Some(Incoming::Close(code, text))) => {
                    let text = text.to_owned();
                    self.handle_close(slot, code, text);
                    return 0;
                }
                Ok(Some(Incoming::Pong(_))) => {
                    connection.heartbeat.handle_pong(now);
                    continue;
                }
                // Nothing comes compressed that was not agreed on, and then there is an inflater.
                Ok(Some(Incoming::Compressed { .. })) => continue,
                Ok(Some(Incoming::Ping(payload))) => {
                    if open {
                        self.connections.control(slot, Opcode::Pong, payload);
                    }
                    continue;
                }
                Ok(None) => {
                    connection.receiver.keep(input);
                    if connection.receiver.deadline(&self.config.messages, pauses.since()).is_some() {
                        self.connections.schedule(slot);
                    }
                    return 0;
                }
                Err(Violation { code, reason }) => {
                    let told = LeaveReason::Violation(reason.clone());
                    self.connections.end(slot, code, &reason, told);
                    return 0;
                }
            };
            if open {
                let client = connection.client;
                self.connections.received += 1;
                tell_message(&mut self.sink, &mut self.batch, &mut self.connections, client, message);
                self.tell_events();
            }
            if inflated >= TURN_INFLATED {
                break;
            }
        }
        input.len()
    }

    fn handle_close(&mut self, slot: usize, code: CloseCode, text: String) {
        if self.connections.table[slot].is_open() {
            self.connections.end(slot, code, "", LeaveReason::Closed(text));
        } else {
            self.connections.finish(slot);
        }
    }
}
