//! The client's thread: it waits for sockets, deadlines and commands, and drives the connector or the connection.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use halloo_proto::Time;
use halloo_proto::close::CloseCode;
use halloo_proto::connection::ConnectionConfig;
use halloo_proto::defaults::{CLOSE_TIMEOUT, MAX_WAIT, STOP_TIMEOUT, TURN_BYTES, WRITE_TIMEOUT};
use halloo_proto::frame::{MAX_CONTROL, MAX_HEADER, Role};
use halloo_proto::read_pauses::ReadPauses;
use halloo_proto::reconnect::is_final_code;
use halloo_proto::text::escape;
use mio::{Events, Poll, Token, Waker};

use super::config::ClientConfig;
use super::connection::{Connection, Ended, Turn};
use super::connector::{ConnectOutcome, ConnectTurn, Connector};
use super::event::ClientEvent;
use super::failure::Failure;
use super::mask_keys::MaskKeys;
use super::shared::Shared;
use crate::ConnectError;
use crate::event_queue::EventQueue;

const WAKER: Token = Token(usize::MAX);

/// Everything that the client's thread owns.
pub(super) struct Driver {
    poll: Poll,
    shared: Arc<Shared>,
    queue: Arc<EventQueue<VecDeque<ClientEvent>>>,
    config: ClientConfig,
    /// The part of `config` that the core's state machine needs.
    rules: ConnectionConfig,
    epoch: Instant,
    now: Time,
    /// While it is paused, the event queue is full: nothing is read, and no attempt to connect starts.
    pauses: ReadPauses,
    mask_keys: MaskKeys,
    connector: Connector,
    /// The open connection. Without one, the connector is at work.
    connection: Option<Box<Connection>>,
    buffer: Vec<u8>,
    /// Events of this turn, which are not in the queue yet.
    events: VecDeque<ClientEvent>,
    /// Close when all messages are sent.
    closing: Option<(CloseCode, String)>,
    /// Stop when the connection is closed, at this time at the latest.
    stopping: Option<Time>,
}

/// How the client's thread ends.
#[derive(Debug)]
pub(super) enum End {
    /// The application closed or stopped the client.
    Closed,
    /// The client gave up, for this reason.
    GaveUp(Failure),
}

impl Driver {
    pub(super) fn new(
        config: ClientConfig,
        queue: Arc<EventQueue<VecDeque<ClientEvent>>>,
    ) -> Result<(Driver, Arc<Shared>), ConnectError> {
        let rules = ConnectionConfig {
            role: Role::Client,
            messages: config.messages,
            heartbeat: config.heartbeat,
            write_timeout: WRITE_TIMEOUT,
            close_timeout: CLOSE_TIMEOUT,
        };
        let connector = Connector::new(&config)?;
        let poll = Poll::new().map_err(ConnectError::system("create the client's event poll"))?;
        let waker = Waker::new(poll.registry(), WAKER).map_err(ConnectError::system("create the client's waker"))?;
        let shared = Arc::new(Shared::new(waker, config.outbox));
        let driver = Driver {
            poll,
            shared: Arc::clone(&shared),
            queue,
            config,
            rules,
            epoch: Instant::now(),
            now: Time::ZERO,
            pauses: ReadPauses::default(),
            mask_keys: MaskKeys::new(),
            connector,
            connection: None,
            buffer: vec![0; TURN_BYTES + MAX_HEADER + MAX_CONTROL],
            events: VecDeque::new(),
            closing: None,
            stopping: None,
        };
        Ok((driver, shared))
    }

    /// Runs until the application closes the client, or the client gives up.
    pub(super) fn run(&mut self) -> End {
        let mut ready = Events::with_capacity(16);
        loop {
            let timeout = self.poll_timeout();
            match self.poll.poll(&mut ready, timeout) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                    return End::GaveUp(format!("cannot wait for the network: {error}").into());
                }
                _ => {}
            }
            self.now = Time::ZERO + self.epoch.elapsed();
            self.pauses.handle_turn(self.now, timeout, self.config.heartbeat);
            let outcome = self.turn(&ready);
            self.publish_events();
            if let Err(end) = outcome {
                return end;
            }
        }
    }

    /// Returns how long to wait for the network.
    fn poll_timeout(&self) -> Option<Duration> {
        let next = match &self.connection {
            None => self.connector.poll_timeout(self.pauses.is_paused()),
            Some(connection) => {
                let can_write = connection.takes_messages() && self.shared.has_messages();
                if can_write || (connection.is_readable() && !self.pauses.is_paused()) {
                    return Some(Duration::ZERO);
                }
                connection.next_timeout(&self.rules, &self.pauses)
            }
        };
        let next = next.into_iter().chain(self.stopping).min()?;
        // Slightly later than due, so that the deadline has passed by then.
        Some((next - (Time::ZERO + self.epoch.elapsed())).min(MAX_WAIT) + Duration::from_micros(500))
    }

    fn turn(&mut self, ready: &Events) -> Result<(), End> {
        self.handle_commands()?;
        for event in ready.iter().filter(|event| event.token() != WAKER) {
            self.handle_ready(event)?;
        }
        self.handle_timeout()?;
        self.read_and_write()?;
        let nothing_to_send = self.closing.is_some() && !self.shared.has_messages();
        if (nothing_to_send || self.stopping.is_some()) && !self.has_peer() {
            return Err(End::Closed);
        }
        if self.stopping.is_some_and(|deadline| self.now >= deadline) { Err(End::Closed) } else { Ok(()) }
    }

    fn handle_commands(&mut self) -> Result<(), End> {
        let commands = self.shared.take_commands();
        if commands.resume {
            self.resume();
        }
        if commands.close.is_some() {
            self.closing = commands.close;
        }
        if commands.stop {
            if !self.has_peer() {
                return Err(End::Closed);
            }
            self.closing.get_or_insert((CloseCode::GoingAway, String::new()));
            self.shared.drop_queued();
            self.stopping = Some(self.now + STOP_TIMEOUT);
            self.resume();
        }
        match commands.lookup {
            Some(result) => self.connect(|connector, turn| connector.handle_lookup(result, turn)),
            None => Ok(()),
        }
    }

    fn handle_ready(&mut self, event: &mio::event::Event) -> Result<(), End> {
        match &mut self.connection {
            None => self.connect(|connector, turn| connector.handle_ready(event.token(), turn)),
            Some(connection) => {
                let outcome = connection.handle_ready(event, self.now);
                outcome.or_else(|ended| self.handle_disconnected(ended))
            }
        }
    }

    fn handle_timeout(&mut self) -> Result<(), End> {
        if self.connection.is_none() {
            let paused = self.pauses.is_paused();
            return self.connect(|connector, turn| connector.handle_timeout(paused, turn));
        }
        self.with_connection(|connection, _, turn| connection.handle_timeout(turn))
    }

    fn read_and_write(&mut self) -> Result<(), End> {
        self.with_connection(|connection, buffer, turn| {
            if !turn.pauses.is_paused() && connection.is_readable() {
                connection.read(buffer, turn)?;
            }
            connection.write(turn)
        })?;
        let all_sent = !self.shared.has_messages();
        match &self.connection {
            Some(connection) if all_sent && connection.takes_messages() => {}
            _ => return Ok(()),
        }
        let Some((code, reason)) = self.closing.clone() else { return Ok(()) };
        self.with_connection(|connection, _, turn| {
            connection.close(code, &reason, turn)?;
            connection.write(turn)
        })
    }

    /// Moves the events of this turn to the queue. If it is full then, the client pauses.
    fn publish_events(&mut self) {
        if self.stopping.is_some() {
            // The application does not take them any more.
            return self.events.clear();
        }
        if !self.pauses.is_paused() {
            let messages = self.shared.take_unreported_drops();
            self.events.extend((messages > 0).then_some(ClientEvent::MessagesDropped { messages }));
        }
        if !self.events.is_empty() && self.queue.push(&mut self.events).paused {
            self.pauses.pause();
        }
    }

    fn resume(&mut self) {
        self.pauses.resume();
    }

    /// Returns `true` if there is a server to close the connection with. During the handshake it may already count us as
    /// connected.
    fn has_peer(&self) -> bool {
        self.connection.is_some() || self.connector.has_peer()
    }

    /// Lets the connector take a step, and handles the outcome of an attempt.
    fn connect(
        &mut self,
        step: impl FnOnce(&mut Connector, &mut ConnectTurn<'_>) -> Option<ConnectOutcome>,
    ) -> Result<(), End> {
        let mut turn = ConnectTurn {
            now: self.now,
            registry: self.poll.registry(),
            mask_keys: &mut self.mask_keys,
            buffer: &mut self.buffer,
            shared: &self.shared,
        };
        match step(&mut self.connector, &mut turn) {
            None => Ok(()),
            Some(ConnectOutcome::Connected { socket, mut early, url, subprotocol }) => {
                self.shared.set_connected(Some(url.clone()));
                self.events.push_back(ClientEvent::Connected { url, subprotocol });
                self.connection = Some(Box::new(Connection::new(socket, self.now)));
                self.with_connection(|connection, _, turn| connection.begin(&mut early, turn))
            }
            Some(ConnectOutcome::Failed { reason, retry_in }) => {
                self.events.push_back(ClientEvent::AttemptFailed { reason, retry_in });
                Ok(())
            }
            Some(ConnectOutcome::GaveUp(failure)) => Err(End::GaveUp(failure)),
        }
    }

    /// Lets the connection, if there is one, take a step, and handles its end.
    fn with_connection(
        &mut self,
        step: impl FnOnce(&mut Connection, &mut [u8], &mut Turn<'_>) -> Result<(), Ended>,
    ) -> Result<(), End> {
        let Some(connection) = &mut self.connection else { return Ok(()) };
        let mut turn = Turn {
            pauses: self.pauses,
            config: &self.rules,
            setting_names: self.config.setting_names,
            shared: &self.shared,
            mask_keys: &mut self.mask_keys,
            events: &mut self.events,
        };
        step(connection, &mut self.buffer, &mut turn).or_else(|ended| self.handle_disconnected(ended))
    }

    fn handle_disconnected(&mut self, ended: Ended) -> Result<(), End> {
        let Ended { code, reason, wanted } = ended;
        let escaped = escape(&reason, 200);
        tracing::debug!(%code, reason = escaped, "disconnected");
        if let Some(connection) = self.connection.take() {
            self.shared.count_dropped(connection.unsent());
        }
        self.shared.set_connected(None);
        let wanted = wanted || (self.closing.is_some() && !self.shared.has_messages());
        let reconnect = self.config.reconnect;
        let is_final = is_final_code(code);
        let retry = !wanted && reconnect && !self.connector.handle_closed(code, self.now);
        let retry_in = self.connector.handle_disconnected(retry, self.now, &mut self.mask_keys);
        self.events.push_back(ClientEvent::Disconnected { code, reason, retry_in });
        match retry_in {
            Some(_) => Ok(()),
            None if wanted || !(is_final || reconnect) => Err(End::Closed),
            None if escaped.is_empty() => Err(End::GaveUp(format!("the connection was closed with {code}").into())),
            None => Err(End::GaveUp(format!("the connection was closed with {code}: {escaped}").into())),
        }
    }
}
