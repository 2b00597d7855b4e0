//! An open connection to a server: moves bytes between the socket, the core's state machine and the application.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use halloo_proto::Time;
use halloo_proto::close::{CloseCode, Violation};
use halloo_proto::connection::{Action, Connection as WebSocket, ConnectionConfig, DropReason, End, Received};
use halloo_proto::defaults::TURN_BYTES;
use halloo_proto::frame::{self, Opcode};
use halloo_proto::outbox::{Frames, Outbox};
use halloo_proto::read_budget::ReadBudget;
use halloo_proto::read_pauses::ReadPauses;
use halloo_proto::setting_names::SettingNames;

use super::connected_socket::ConnectedSocket;
use super::event::ClientEvent;
use super::mask_keys::MaskKeys;
use super::shared::Shared;
use crate::Message;
use crate::writing::{MIN_RECORDED_WRITE, write_backlog};

/// Bytes of messages that go into one write; also the capacity that the buffer for them keeps.
const CORK: usize = 64 * 1024;

/// Control frames that wait at most while the socket is blocked.
const MAX_WAITING_CONTROLS: u32 = 100;

/// What a connection borrows from the driver while it acts.
pub(super) struct Turn<'a> {
    pub(super) pauses: ReadPauses,
    pub(super) config: &'a ConnectionConfig,
    pub(super) setting_names: SettingNames,
    pub(super) shared: &'a Shared,
    pub(super) mask_keys: &'a mut MaskKeys,
    pub(super) events: &'a mut VecDeque<ClientEvent>,
}

/// How a connection ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) code: CloseCode,
    pub(super) reason: String,
    /// The application closed it.
    pub(super) wanted: bool,
}

#[derive(Debug)]
pub(super) struct Connection {
    socket: ConnectedSocket,
    websocket: WebSocket,
    outbox: Outbox,
    memory: Arc<AtomicUsize>,
    /// Control frames that were queued while the socket was blocked.
    waiting_controls: u32,
    /// The socket may have bytes to read for which the poll does not wake again.
    readable: bool,
    /// How it ends, once that is decided.
    ended: Option<Ended>,
    batch: Vec<Message<'static>>,
}

impl Connection {
    /// Returns a connection whose handshake is complete.
    pub(super) fn new(socket: ConnectedSocket, now: Time) -> Connection {
        Connection {
            socket,
            websocket: WebSocket::open(false, now),
            outbox: Outbox::default(),
            memory: Arc::default(),
            waiting_controls: 0,
            readable: true,
            ended: None,
            batch: Vec::new(),
        }
    }

    /// Handles the bytes that came behind the handshake, and sends a ping to measure the round trip.
    pub(super) fn begin(&mut self, early: &mut [u8], turn: &mut Turn<'_>) -> Result<(), Ended> {
        if !turn.config.heartbeat.is_zero() {
            self.websocket.handle_ping_sent(turn.pauses.now());
            self.send_control(Opcode::Ping, b"", turn)?;
        }
        self.handle_frames(early, turn)
    }

    pub(super) fn is_readable(&self) -> bool {
        self.readable
    }

    /// Returns whether messages can be written now.
    pub(super) fn takes_messages(&self) -> bool {
        self.websocket.is_open() && !self.outbox.is_blocked()
    }

    /// Returns the number of messages that would be lost with the connection.
    pub(super) fn unsent(&self) -> u64 {
        self.outbox.unsent()
    }

    /// Handles the readiness of the socket.
    pub(super) fn handle_ready(&mut self, event: &mio::event::Event, now: Time) -> Result<(), Ended> {
        if event.token() != self.socket.token {
            return Ok(());
        }
        self.readable |= event.is_readable() || event.is_read_closed() || event.is_error();
        if event.is_writable() { self.handle_writable(now) } else { Ok(()) }
    }

    /// Writes what waits for the socket, which may accept bytes again.
    fn handle_writable(&mut self, now: Time) -> Result<(), Ended> {
        self.socket.stream.handle_writable().map_err(|error| self.lost(&error))?;
        if !self.outbox.is_blocked() {
            return Ok(());
        }
        let written = write_backlog(&mut self.socket.stream, &mut self.outbox).map_err(|error| self.lost(&error))?;
        if written > 0 {
            self.outbox.handle_blocked(now);
            self.websocket.handle_drained(written, now);
        }
        if !self.outbox.is_blocked() {
            self.waiting_controls = 0;
            self.outbox.reset(CORK);
        }
        Ok(())
    }

    /// Reads once and handles all of it.
    pub(super) fn read(&mut self, buffer: &mut [u8], turn: &mut Turn<'_>) -> Result<(), Ended> {
        let kept = self.websocket.restore(buffer);
        let mut budget = ReadBudget::default();
        match self.socket.stream.read(&mut buffer[kept..kept + TURN_BYTES], &mut budget) {
            Ok(0) => Err(self.end(CloseCode::Abnormal, "the server closed the connection")),
            Ok(count) => {
                self.websocket.handle_bytes(turn.pauses.now());
                self.handle_frames(&mut buffer[..kept + count], turn)
            }
            Err(error) => {
                self.websocket.keep(&buffer[..kept]);
                match error.kind() {
                    // More may wait behind records that decrypt to nothing.
                    io::ErrorKind::WouldBlock => self.readable = !budget.may_read(),
                    io::ErrorKind::Interrupted => {}
                    _ => return Err(self.lost(&error)),
                }
                Ok(())
            }
        }
    }

    /// Writes what waits, as far as the socket accepts it.
    pub(super) fn write(&mut self, turn: &mut Turn<'_>) -> Result<(), Ended> {
        if self.outbox.is_blocked() {
            return Ok(());
        }
        if self.websocket.is_open() {
            self.cork_messages(turn)?;
        }
        let length = self.outbox.cork().len();
        if length > 0 {
            let written = self.socket.stream.write_some(self.outbox.cork());
            let written = written.map_err(|error| self.lost(&error))?;
            if written >= MIN_RECORDED_WRITE {
                self.websocket.handle_written(written, turn.pauses.now());
            }
            if written == length {
                self.outbox.reset(CORK);
            } else {
                self.outbox.block_cork(written, &self.memory);
                self.outbox.handle_blocked(turn.pauses.now());
            }
        }
        if self.websocket.poll_shutdown(self.outbox.is_empty(), turn.config, turn.pauses.now()) {
            // An error means that the server is gone already, which the next read finds out.
            let _ = self.socket.stream.shutdown();
        }
        Ok(())
    }

    fn cork_messages(&mut self, turn: &mut Turn<'_>) -> Result<(), Ended> {
        let space = CORK.saturating_sub(self.outbox.bytes());
        turn.shared.take_messages(space, &mut self.batch);
        for message in self.batch.drain(..) {
            let opcode = if message.text().is_some() { Opcode::Text } else { Opcode::Binary };
            let key = turn.mask_keys.next().map_err(|error| Ended::lost(&error))?;
            frame::encode(self.outbox.cork(), opcode, message.bytes(), Some(key));
        }
        Ok(())
    }

    /// Begins the close handshake.
    pub(super) fn close(&mut self, code: CloseCode, reason: &str, turn: &mut Turn<'_>) -> Result<(), Ended> {
        if self.websocket.close(turn.config, turn.pauses.now()) {
            self.send_close_frame(code, reason, turn)?;
            self.ended = Some(Ended { code, reason: reason.to_owned(), wanted: true });
        }
        Ok(())
    }

    /// Does what is due.
    pub(super) fn handle_timeout(&mut self, turn: &mut Turn<'_>) -> Result<(), Ended> {
        let next = self.next_timeout(turn.config, &turn.pauses);
        if self.outbox.is_blocked() && next.is_some_and(|next| turn.pauses.now() >= next) {
            // The system wakes the poll only when much of its buffer is free, which may take longer than the write timeout.
            self.handle_writable(turn.pauses.now())?;
        }
        let blocked_since = self.outbox.blocked_since();
        while let Some(action) = self.websocket.handle_timeout(turn.config, &turn.pauses, blocked_since) {
            match action {
                Action::Ping => self.send_control(Opcode::Ping, b"", turn)?,
                Action::Pong => self.send_control(Opcode::Pong, b"", turn)?,
                Action::End(violation) => return self.handle_end(End::Violation(violation), turn),
                Action::Drop(reason) => {
                    let reason = describe(reason, turn.config);
                    return Err(self.end(CloseCode::Abnormal, &reason));
                }
            }
        }
        Ok(())
    }

    /// Returns when something is due.
    pub(super) fn next_timeout(&self, config: &ConnectionConfig, pauses: &ReadPauses) -> Option<Time> {
        let next = self.websocket.poll_timeout(config, pauses, self.outbox.blocked_since());
        (next != Time::NEVER).then_some(next)
    }

    fn handle_frames(&mut self, bytes: &mut [u8], turn: &mut Turn<'_>) -> Result<(), Ended> {
        let mut input = bytes;
        while let Some(received) = self.websocket.receive(&mut input, turn.config, &turn.pauses) {
            match received {
                Received::Text(text) => turn.emit(Message::Text(text)),
                Received::Binary(bytes) => turn.emit(Message::Binary(bytes)),
                Received::Ping(payload) => self.send_control(Opcode::Pong, payload, turn)?,
                // Compression is not offered, so nothing arrives compressed.
                Received::Ignored | Received::Compressed { .. } => {}
                Received::End(end) => return self.handle_end(end, turn),
            }
        }
        turn.shared.set_latency(self.websocket.latency_micros());
        Ok(())
    }

    fn handle_end(&mut self, end: End<'_>, turn: &mut Turn<'_>) -> Result<(), Ended> {
        let (code, sent, reason) = match end {
            End::ClosedByPeer(code, reason) => (code, "", reason.to_owned()),
            End::Violation(Violation { code, ref reason }) => {
                if self.outbox.is_blocked() {
                    turn.shared.count_dropped(self.outbox.cut());
                }
                (code, reason.as_str(), add_advice(reason, code, turn.setting_names))
            }
            End::Agreed => return Ok(()),
        };
        self.send_close_frame(code, sent, turn)?;
        self.ended = Some(Ended { code, reason, wanted: false });
        Ok(())
    }

    fn send_close_frame(&mut self, code: CloseCode, reason: &str, turn: &mut Turn<'_>) -> Result<(), Ended> {
        let key = turn.mask_keys.next().map_err(|error| Ended::lost(&error))?;
        let mut bytes = Vec::new();
        frame::encode_close(&mut bytes, code, reason, Some(key));
        self.append(&bytes);
        Ok(())
    }

    fn send_control(&mut self, opcode: Opcode, payload: &[u8], turn: &mut Turn<'_>) -> Result<(), Ended> {
        if self.waiting_controls >= MAX_WAITING_CONTROLS {
            // The server does not read them now, and its next ping asks again.
            return Ok(());
        }
        let key = turn.mask_keys.next().map_err(|error| Ended::lost(&error))?;
        let mut bytes = Vec::new();
        frame::encode(&mut bytes, opcode, payload, Some(key));
        self.append(&bytes);
        Ok(())
    }

    /// Adds a control frame behind what the socket has not accepted yet.
    fn append(&mut self, bytes: &[u8]) {
        if self.outbox.is_blocked() {
            self.outbox.push_last(&Frames::new(bytes, &self.memory));
            self.waiting_controls += 1;
        } else {
            self.outbox.cork().extend_from_slice(bytes);
        }
    }

    /// Returns the end that was decided earlier, or this one.
    fn end(&mut self, code: CloseCode, reason: &str) -> Ended {
        self.ended.take().unwrap_or_else(|| Ended { code, reason: reason.to_owned(), wanted: false })
    }

    fn lost(&mut self, error: &io::Error) -> Ended {
        self.ended.take().unwrap_or_else(|| Ended::lost(error))
    }
}

/// Returns the reason why this client closed the connection, and the setting that would have allowed what the server did.
fn add_advice(reason: &str, code: CloseCode, names: SettingNames) -> String {
    match code {
        CloseCode::TooBig => format!("{reason}; increase {}", names.name("max_message_bytes")),
        _ => reason.to_owned(),
    }
}

fn describe(reason: DropReason, config: &ConnectionConfig) -> String {
    match reason {
        DropReason::WriteTimeout => {
            format!("write timeout: the server accepted no data for {} s", config.write_timeout.as_secs_f32())
        }
        DropReason::CloseTimeout => "close timeout: the server did not answer the close frame".to_owned(),
        DropReason::Silent => {
            format!("timeout: the server was silent for {} s", WebSocket::silence_limit(config).as_secs_f32())
        }
    }
}

impl Ended {
    fn lost(error: &io::Error) -> Ended {
        Ended { code: CloseCode::Abnormal, reason: format!("connection lost: {error}"), wanted: false }
    }
}

impl Turn<'_> {
    fn emit(&mut self, message: Message<'_>) {
        self.events.push_back(ClientEvent::MessageReceived { message: message.into_owned() });
    }
}
