//! Everything that comes in from peers: new sockets, request heads, frames.

use std::io;
use std::net::SocketAddr;

use halloo_proto::Time;
use halloo_proto::authenticator::Challenger;
use halloo_proto::client_request::ClientRequest;
use halloo_proto::connection::Received;
use halloo_proto::defaults::{TURN_BYTES, TURN_TLS_HANDSHAKES};
use halloo_proto::deflate::Inflater;
use halloo_proto::extensions::DeflateOffer;
use halloo_proto::frame::{MAX_CONTROL, MAX_HEADER, Opcode};
use halloo_proto::http::respond;
use halloo_proto::message::Incoming;
use halloo_proto::read_budget::ReadBudget;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use super::admission::{Admission, Eviction};
use super::connection::{Connection, State, Unread};
use super::connections::Connections;
use super::egress::Egress;
use super::event_sink::EventSink;
use super::handshakes::{Handshakes, HeadOutcome, TEXT};
use super::holds::{Holds, Until};
use super::http::Http;
use super::inflate_limits::InflateLimits;
use super::listener::{Accepted, Listener};
use super::tls_queue::TlsQueue;
use crate::discovery::Discovery;
use crate::{Config, LeaveReason, Message};

/// Sockets accepted or refused in one turn before the clients are served again, so that a flood does not delay them.
const ACCEPTS_PER_TURN: usize = 64;

/// Reads from the sockets that are ready, and handles what was received.
pub(super) struct Ingress {
    pub(super) handshakes: Handshakes,
    admission: Admission,
    pub(super) http: Http,
    /// The read buffer that all connections share.
    buffer: Vec<u8>,
    /// Inflates compressed messages, one at a time; present when they may be agreed on.
    inflater: Option<Box<Inflater>>,
    inflate_limits: InflateLimits,
    /// Connections that may have more to read for which the poll does not wake again.
    ready: Vec<usize>,
    /// Bytes that are read from each connection in this turn.
    share: usize,
    /// Connections whose TLS handshake waits for its turn.
    tls_queue: TlsQueue,
    /// Clients that are not read for now.
    holds: Holds,
    /// Whether messages are passed on to other clients.
    relay: bool,
}

impl Ingress {
    pub(super) fn new(config: &Config, challenger: Challenger, http: Http) -> Ingress {
        Ingress {
            handshakes: Handshakes::new(config, challenger),
            admission: Admission::new(config),
            http,
            buffer: vec![0; TURN_BYTES + MAX_HEADER + MAX_CONTROL],
            inflater: config.compression.then(Box::default),
            inflate_limits: InflateLimits::new(config.messages.max_message_bytes),
            ready: Vec::new(),
            share: TURN_BYTES,
            tls_queue: TlsQueue::default(),
            holds: Holds::default(),
            relay: config.relay,
        }
    }

    /// Returns whether connections may have more to read.
    pub(super) fn is_ready(&self) -> bool {
        !self.ready.is_empty() || !self.tls_queue.is_empty()
    }

    /// Returns whether HTTP requests wait for their response.
    pub(super) fn is_responding(&self) -> bool {
        self.http.is_waiting()
    }

    /// Reads from the connection in `slot` again in the next turn.
    pub(super) fn mark_ready(&mut self, slot: usize) {
        self.ready.push(slot);
    }

    /// Begins a turn in which `arrivals` other connections are ready too. Returns the connections to read from again, each
    /// once and in order.
    pub(super) fn begin_turn(&mut self, arrivals: usize) -> Vec<usize> {
        let mut ready = std::mem::take(&mut self.ready);
        ready.sort_unstable();
        ready.dedup();
        self.share = ReadBudget::share(ready.len() + arrivals);
        ready
    }

    /// Returns when [`Ingress::release_held`] is due; it is also due when the application has taken events.
    pub(super) fn next_timeout(&self) -> Option<Time> {
        self.holds.next_timeout()
    }

    /// Reads again from the clients that were held and need not be any longer.
    pub(super) fn release_held(&mut self, connections: &mut Connections, sink: &mut EventSink) {
        let now = connections.now();
        self.ready.extend(self.holds.release(&mut connections.table, sink, now));
    }

    /// Sends some of the HTTP responses that are due.
    pub(super) fn respond_to_some(&mut self, connections: &mut Connections, discovery: &Discovery) {
        // The poll does not wake again for what arrived meanwhile.
        self.ready.extend(self.http.respond_to_some(connections, discovery));
    }

    /// Accepts the sockets that wait, as many as a turn allows.
    pub(super) fn accept(&mut self, listener: &mut Listener, registry: &Registry, connections: &mut Connections) {
        listener.handle_timeout(connections.table.len(), connections.now());
        let mut refused = 0;
        for _ in 0..ACCEPTS_PER_TURN {
            match listener.accept(connections.table.len(), connections.now()) {
                Accepted::Socket(stream, peer) => self.admit(stream, peer, registry, connections),
                Accepted::Nothing => break,
                Accepted::NeedsDescriptor => {
                    if listener
                        .take_waiting()
                        .map(|(stream, peer)| self.admit(stream, peer, registry, connections))
                        .is_some()
                    {
                        continue;
                    }
                    match self.admission.evict_for_descriptor(connections) {
                        Eviction::Impossible => {
                            connections.count_refused();
                            listener.refuse_waiting();
                            refused += 1;
                        }
                        Eviction::Slot(slot) => evict(slot, connections),
                        Eviction::Later => {
                            return listener.retry_later(connections.table.len(), connections.now());
                        }
                    }
                }
            }
        }
        if refused > 0 {
            listener.retry_later(connections.table.len(), connections.now());
        }
    }

    fn admit(&mut self, mut stream: TcpStream, peer: SocketAddr, registry: &Registry, connections: &mut Connections) {
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        let slot = connections.table.next_slot();
        let registered = registry.register(&mut stream, Token(slot), Interest::READABLE | Interest::WRITABLE);
        let refused = self
            .admission
            .refuse_interface(stream.local_addr())
            .or_else(|| self.admission.refuse_socket(peer.ip(), &self.handshakes.access, connections));
        let refusal = match (refused, &registered) {
            (Some(reason), _) => Some(reason),
            (None, Err(error)) => Some(error.to_string()),
            (None, Ok(())) => None,
        };
        if let Some(reason) = refusal {
            tracing::info!("{peer} was refused: {reason}");
            return connections.count_refused();
        }
        // Otherwise small messages wait up to 200 ms for an acknowledgement. It fails on a dead socket only.
        let _ = stream.set_nodelay(true);
        let deadline = self.admission.handshake_deadline(connections.now());
        let connection = Connection::new(stream, peer, slot, self.admission.next_arrival(), deadline);
        let others = connections.add(connection);
        for slot in self.admission.evict_for(peer.ip(), others, connections) {
            evict(slot, connections);
        }
    }

    /// Reads once from the connection in `slot` and handles the bytes. If they belong to a TLS handshake, it waits for its
    /// turn.
    pub(super) fn handle_readable(&mut self, slot: usize, connections: &mut Connections, sink: &mut EventSink) {
        if connections.egress.pauses.is_paused() {
            // The poll does not wake again for what already waits.
            return self.ready.push(slot);
        }
        let now = connections.now();
        let Some(connection) = connections.table.get_mut(slot) else { return };
        if !self.must_wait(connection, sink, now) {
            self.read(slot, connections, sink);
        }
    }

    /// Returns whether `connection` is not to be read now. It is read later without being ready again.
    fn must_wait(&mut self, connection: &mut Connection, sink: &EventSink, now: Time) -> bool {
        if connection.is_open() {
            if !connection.held {
                if sink.is_share_exceeded(connection) {
                    self.holds.add(connection, Until::EventsTaken);
                } else if let Some(time) = self.inflate_limits.blocked_until(connection.client, now) {
                    self.holds.add(connection, Until::Time(time));
                }
            }
            return connection.held;
        }
        let (slot, ip) = (connection.slot as usize, connection.ip());
        let awaits_tls = self.handshakes.awaits_tls(connection);
        let Some(pending) = connection.pending().filter(|_| awaits_tls) else { return false };
        if !std::mem::replace(&mut pending.awaits_tls, true) {
            self.tls_queue.push(ip, slot);
        }
        true
    }

    /// Continues the TLS handshakes whose turn it is.
    pub(super) fn continue_tls(&mut self, connections: &mut Connections, sink: &mut EventSink) {
        if connections.egress.pauses.is_paused() {
            return;
        }
        let mut continued = 0;
        while continued < TURN_TLS_HANDSHAKES
            && let Some(slot) = self.tls_queue.pop()
        {
            let pending = connections.table.get_mut(slot).and_then(Connection::pending);
            // Connections that are gone cost nothing, or a flood of them would delay the others.
            if pending.is_some_and(|pending| std::mem::take(&mut pending.awaits_tls)) {
                self.read(slot, connections, sink);
                connections.track_pending(slot);
                continued += 1;
            }
        }
    }

    fn read(&mut self, slot: usize, connections: &mut Connections, sink: &mut EventSink) {
        let now = connections.now();
        let Some(connection) = connections.table.get_mut(slot) else { return };
        if let Some(mut head) = connection.take_pipelined() {
            self.handle_head(slot, &mut head, connections, sink);
            self.ready.push(slot);
            return connections.flush(slot);
        }
        if let Some(unread) = connection.unread.take() {
            self.handle_unread(slot, unread, connections, sink);
            return connections.flush(slot);
        }
        if !connection.wants_read() {
            return;
        }
        let kept = connection.websocket().map_or(0, |websocket| websocket.restore(&mut self.buffer));
        let end = kept + self.share;
        let mut budget = ReadBudget::with_bytes(self.share);
        let count = loop {
            match connection.stream.read(&mut self.buffer[kept..end], &mut budget) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                outcome => break outcome,
            }
        };
        match count {
            Ok(0) => {
                connections.egress.drop(connection, LeaveReason::Lost("the peer closed the connection".into()));
                return;
            }
            Ok(count) => {
                if let Some(websocket) = connection.websocket() {
                    websocket.handle_bytes(now);
                    connections.egress.keyed.handle_bytes(slot, now);
                }
                // Read again after a full buffer, and on systems that only wake the poll after a read found nothing. With
                // epoll, a short read has drained the socket (epoll(7)) and the poll wakes for more, except for an end
                // of file that came with this event.
                let needs_empty_read = !cfg!(any(target_os = "linux", target_os = "android"));
                let may_have_more = count == self.share || !budget.may_read();
                if may_have_more || needs_empty_read || connection.stream.received_close_notify() {
                    self.ready.push(slot);
                }
                self.handle_bytes(slot, kept + count, connections, sink);
                self.mark_end(slot, connections);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if let Some(websocket) = connection.websocket() {
                    websocket.keep(&self.buffer[..kept]);
                }
                if !budget.may_read() {
                    // It was spent on records that decrypt to nothing.
                    self.ready.push(slot);
                }
            }
            Err(error) => connections.egress.handle_io_error(connection, &error),
        }
        connections.flush(slot);
    }

    /// Marks a connection that ends, because the poll may not wake again for it.
    fn mark_end(&mut self, slot: usize, connections: &Connections) {
        if connections.table.get(slot).is_some_and(Connection::is_ending) {
            self.ready.push(slot);
        }
    }

    fn handle_bytes(&mut self, slot: usize, length: usize, connections: &mut Connections, sink: &mut EventSink) {
        let mut buffer = std::mem::take(&mut self.buffer);
        let deadline = self.admission.handshake_deadline(connections.now());
        match connections.table.get_mut(slot).map(|connection| &mut connection.state) {
            Some(State::WebSocket(_)) => self.handle_frames(slot, &mut buffer[..length], connections, sink),
            Some(State::Pending(pending)) if pending.head.is_empty() => {
                pending.handle_bytes(deadline);
                self.handle_head(slot, &mut buffer[..length], connections, sink);
            }
            Some(State::Pending(pending)) => {
                let mut head = std::mem::take(&mut pending.head);
                head.extend_from_slice(&buffer[..length]);
                self.handle_head(slot, &mut head, connections, sink);
            }
            Some(State::Closed) | None => {}
        }
        self.buffer = buffer;
    }

    fn handle_head(&mut self, slot: usize, bytes: &mut [u8], connections: &mut Connections, sink: &mut EventSink) {
        let now = connections.now();
        let Some(connection) = connections.table.get_mut(slot) else { return };
        match self.handshakes.handle_head(connection, bytes, now) {
            HeadOutcome::Incomplete | HeadOutcome::Tls(Ok(())) => {
                connections.with(slot, Egress::schedule);
                connections.track_pending(slot);
            }
            HeadOutcome::Tls(Err(error)) => connections.egress.handle_io_error(connection, &error),
            HeadOutcome::Reply(response) => {
                connections.count_refused();
                connections.with(slot, |egress, connection| egress.respond_and_close(connection, &response));
            }
            HeadOutcome::Http { head, request } => {
                self.http.push(slot, request, &bytes[head..], connections);
                connections.track_pending(slot);
            }
            HeadOutcome::Accept { head, response, deflate, key, request } => {
                if self.open(slot, response, deflate, *request, connections) {
                    connections.egress.keyed.open(slot, key);
                    sink.emit_all(connections);
                    self.handle_frames(slot, &mut bytes[head..], connections, sink);
                }
            }
        }
    }

    /// Completes the handshake of a connection. Returns whether it is a client now.
    fn open(
        &mut self,
        slot: usize,
        mut response: Vec<u8>,
        deflate: Option<DeflateOffer>,
        request: ClientRequest,
        connections: &mut Connections,
    ) -> bool {
        let Some(connection) = connections.table.get(slot) else { return false };
        let peer = connection.peer;
        if let Some(reason) = self.admission.refuse_client(peer.ip(), request.room(), connections) {
            tracing::warn!("{peer} was refused: {reason}");
            connections.count_refused();
            let response = respond(503, TEXT, &[], format!("{reason}\n").as_bytes(), false);
            connections.with(slot, |egress, connection| egress.respond_and_close(connection, &response));
            return false;
        }
        connections.with(slot, |egress, connection| {
            if let Some(offer) = &deflate {
                offer.accept_in(&mut response);
                connection.compressed = offer.takes_compressed();
            }
            egress.join(connection, deflate.is_some(), &response, request);
        });
        connections.table.get(slot).is_some_and(Connection::is_open)
    }

    /// Handles the frames of a read; what exceeds the read budget of the turn is kept.
    fn handle_frames(&mut self, slot: usize, bytes: &mut [u8], connections: &mut Connections, sink: &mut EventSink) {
        let left = self.handle_some_frames(slot, bytes, connections, sink);
        if left == 0 {
            return;
        }
        if let Some(connection) = connections.table.get_mut(slot) {
            let rest = bytes[bytes.len() - left..].to_vec();
            connection.unread = Some(Box::new(Unread { bytes: rest, start: 0 }));
            self.ready.push(slot);
        }
    }

    /// Continues with what an earlier turn left over.
    fn handle_unread(
        &mut self,
        slot: usize,
        mut unread: Box<Unread>,
        connections: &mut Connections,
        sink: &mut EventSink,
    ) {
        let left = self.handle_some_frames(slot, &mut unread.bytes[unread.start..], connections, sink);
        unread.start = unread.bytes.len() - left;
        if let Some(connection) = connections.table.get_mut(slot) {
            if left > 0 {
                connection.unread = Some(unread);
            }
            // Also when nothing is left, because this may have consumed a readiness event.
            self.ready.push(slot);
        }
    }

    /// Handles frames up to the read budget, and returns the number of bytes that are left.
    fn handle_some_frames(
        &mut self,
        slot: usize,
        bytes: &mut [u8],
        connections: &mut Connections,
        sink: &mut EventSink,
    ) -> usize {
        connections.receiving = slot;
        let before = sink.batched();
        let mut input = bytes;
        let mut budget = ReadBudget::default();
        let mut left = 0;
        loop {
            let Connections { table, egress, .. } = connections;
            let Some(connection) = table.get_mut(slot) else { break };
            let client = connection.client;
            let Some(websocket) = connection.websocket() else { break };
            let message = match websocket.receive(&mut input, &egress.config, &egress.pauses) {
                Some(Received::Text(text)) => Some(Message::Text(text)),
                Some(Received::Binary(bytes)) => Some(Message::Binary(bytes)),
                Some(Received::Ping(payload)) => {
                    connections.send_control(slot, Opcode::Pong, payload);
                    None
                }
                Some(Received::Ignored) => None,
                Some(Received::End(end)) => {
                    connections.with(slot, |egress, connection| egress.handle_end(connection, end));
                    break;
                }
                Some(Received::Compressed { text, payload }) => {
                    let Some(inflater) = &mut self.inflater else { break };
                    match inflater.message(text, &payload, egress.config.messages.max_message_bytes) {
                        Ok(message) => {
                            let inflated = message.bytes();
                            let must_wait =
                                self.inflate_limits.spend(client, payload.len(), inflated, egress.pauses.now());
                            budget.spend_inflated(if must_wait { usize::MAX } else { inflated });
                            to_message(message)
                        }
                        Err(violation) => {
                            egress.fail(connection, violation);
                            break;
                        }
                    }
                }
                None => {
                    if websocket.has_partial() {
                        egress.schedule(connection);
                    }
                    break;
                }
            };
            if let Some(message) = message {
                connections.received += 1;
                connections.egress.keyed.count_message(slot);
                if self.relay {
                    connections.relay(slot, &message);
                }
                sink.emit_message(client, message, connections);
                sink.emit_all(connections);
            }
            budget.spend_message();
            if !budget.may_handle() {
                left = input.len();
                break;
            }
        }
        connections.track_partial(slot);
        if let Some(connection) = connections.table.get_mut(slot) {
            sink.charge(before, connection);
        }
        left
    }
}

/// Converts an inflated message to one for the application.
fn to_message(incoming: Incoming<'_>) -> Option<Message<'_>> {
    match incoming {
        Incoming::Text(text) => Some(Message::Text(text)),
        Incoming::Binary(bytes) => Some(Message::Binary(bytes)),
        _ => None,
    }
}

fn evict(slot: usize, connections: &mut Connections) {
    if connections.table.get(slot).is_some_and(|connection| connection.wants_handshake()) {
        connections.count_refused();
    }
    connections.with(slot, |egress, connection| egress.drop(connection, LeaveReason::TimedOut));
    // No caller holds a connection now, and the descriptor is needed.
    connections.reap();
}
