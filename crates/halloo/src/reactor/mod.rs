//! The one thread: it waits for readiness, reads, decides by the pure core, writes, and tells what happened.

mod accepting;
mod addresses;
mod broadcasting;
mod command;
mod compression;
mod connection;
mod connections;
mod leaving;
mod listener;
mod log;
mod pages;
mod reading;
mod reserve;
mod wheel;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use halloo_proto::Time;
use halloo_proto::close::CloseCode;
use halloo_proto::defaults::STOP_TIMEOUT;
use halloo_proto::deflate::Inflater;
use halloo_proto::frame::{MAX_CONTROL, MAX_HEADER};
use halloo_proto::token::Guesses;
use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token};

pub(crate) use command::{Announce, Command, CommandQueue, Submitted};
pub(crate) use connections::Connections;
use reserve::Reserve;

use crate::discovery::Announcing;
use crate::event_queue::{Batch, EventQueue, Packed};
use crate::hub::Hub;
use crate::security::Security;
use crate::shared::Shared;
use crate::tls::Acceptor;
use crate::{ClientId, Config, Event, LeaveReason, Message, StartError};

const WAKER: Token = Token(usize::MAX);
const LISTENER: Token = Token(usize::MAX - 1);
const DISCOVERY: Token = Token(usize::MAX - 2);
const NETWORK: Token = Token(usize::MAX - 3);

/// How long answers are collected before they are written: a batch of quick ones takes less.
const ANSWERING_TIME: Duration = Duration::from_micros(100);

/// Events of a turn that are handed to the application together. To wake it costs two system calls and may stop this
/// thread; to wait for more of them delays the first, by less than waking takes.
const BATCH: usize = 16;

/// Who is told what happens.
pub(crate) enum Sink {
    /// The application takes events from a queue.
    Queue(Arc<EventQueue<Packed>>),
    /// The application is called on this thread.
    Handler(Box<Handler>),
}

/// A handler of events on the reactor thread.
pub(crate) type Handler = dyn FnMut(Event<'_>, &mut Hub<'_>) + Send;

/// Everything the reactor thread owns.
pub(crate) struct Reactor {
    poll: Poll,
    listener: TcpListener,
    commands: Arc<CommandQueue>,
    config: Config,
    epoch: Instant,
    connections: Connections,
    announcing: Announcing,
    sink: Sink,
    /// Read into by every connection in turn.
    buffer: Vec<u8>,
    /// Inflates what clients send compressed, one message at a time.
    inflater: Option<Box<Inflater>>,
    /// Connections that may have more to read although no new edge will say so.
    ready: Vec<usize>,
    /// Who waits for a page.
    pages: VecDeque<usize>,
    /// Events on their way to the queue.
    batch: Packed,
    /// The application does not keep up: nothing is read.
    paused: bool,
    accept_ready: bool,
    /// Sockets that were ever accepted.
    arrivals: u64,
    /// Datagrams may wait on the discovery port.
    probes_ready: bool,
    /// Descriptors have run out: accept again then.
    accept_again: Option<Time>,
    /// Sockets there were when they had run out.
    crowd: usize,
    /// That they have run out was told.
    exhausted: bool,
    reserve: Reserve,
    max_clients: usize,
    /// Present when TLS is spoken, and then nothing else.
    tls: Option<Acceptor>,
    /// Who gave wrong tokens lately.
    guesses: Guesses,
    stopping: Option<Time>,
}

impl Reactor {
    /// Binds the port. Returns what the thread runs, and the queue that others reach it by.
    pub(crate) fn bind(
        mut config: Config,
        sink: Sink,
        first_client: u64,
    ) -> Result<(Reactor, Arc<CommandQueue>, Arc<Shared>), StartError> {
        let poll = Poll::new().map_err(StartError::system("create the poll of the reactor"))?;
        let waker =
            mio::Waker::new(poll.registry(), WAKER).map_err(StartError::system("create the waker of the reactor"))?;
        let mut listener = listener::bind(&config)?;
        if config.access.own_host.is_none() {
            config.access.own_host = gethostname::gethostname().into_string().ok();
        }
        poll.registry()
            .register(&mut listener, LISTENER, Interest::READABLE)
            .map_err(StartError::system("watch the listening socket"))?;
        let port = listener.local_addr().map_err(StartError::system("learn the port"))?.port();
        let tls = Acceptor::of(&config);
        let fingerprint = tls.as_ref().and_then(Acceptor::fingerprint);
        let security = Security { token: config.access.token.clone(), tls: tls.is_some(), fingerprint };
        let shared = Arc::new(Shared::new(config.name.clone(), port, security, first_client));
        let commands = Arc::new(CommandQueue::new(waker));
        let registry = poll.registry().try_clone().map_err(StartError::system("share the poll with discovery"))?;
        let announcing = Announcing::new(&config, &shared, registry, [DISCOVERY, NETWORK]);
        // Whoever asks before the thread has had its first turn is told the same.
        shared.discovery_enabled.store(announcing.is_enabled(), Ordering::Relaxed);
        let mut reactor = Reactor {
            poll,
            listener,
            commands: Arc::clone(&commands),
            epoch: Instant::now(),
            connections: Connections::new(Arc::clone(&shared), &config),
            announcing,
            sink,
            buffer: vec![0; halloo_proto::defaults::TURN_BYTES + MAX_HEADER + MAX_CONTROL],
            inflater: None,
            ready: Vec::new(),
            pages: VecDeque::new(),
            batch: Packed::default(),
            paused: false,
            accept_ready: true,
            arrivals: 0,
            probes_ready: false,
            accept_again: None,
            crowd: 0,
            exhausted: false,
            reserve: Reserve::new(),
            max_clients: accepting::max_clients(&config),
            tls,
            guesses: Guesses::default(),
            stopping: None,
            config,
        };
        if reactor.config.compression {
            reactor.connections.allow_compression();
            reactor.inflater = Some(Box::default());
        }
        Ok((reactor, commands, shared))
    }

    /// Runs until stopped.
    pub(crate) fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        let mut commands = Vec::new();
        self.tell_discovery();
        loop {
            let timeout = self.timeout();
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            let now = Time::ZERO + self.epoch.elapsed();
            self.connections.now = now;
            let held_up = self.connections.pauses.handle_turn(now, timeout, self.connections.heartbeat);
            let mut ready = std::mem::take(&mut self.ready);
            ready.sort_unstable();
            ready.dedup();
            for slot in ready {
                self.handle_readable(slot);
            }
            for event in &events {
                match event.token() {
                    WAKER => {}
                    LISTENER => self.accept_ready = true,
                    DISCOVERY => self.probes_ready = true,
                    NETWORK => self.announcing.handle_network(self.connections.now),
                    Token(slot) => {
                        if event.is_writable() {
                            self.connections.handle_writable(slot);
                        }
                        if event.is_readable() || event.is_read_closed() || event.is_error() {
                            self.handle_readable(slot);
                        }
                        if event.is_read_closed() {
                            // The end came with this edge, behind what was read just now; no other edge will tell it.
                            self.ready.push(slot);
                        }
                    }
                }
            }
            self.make_pages();
            self.handle_commands(&mut commands);
            if self.probes_ready {
                self.probes_ready = self.announcing.handle_readable(self.connections.now);
            }
            self.accept();
            self.connections.handle_deadlines(!self.paused && !held_up);
            self.announce();
            self.settle_turn();
            if self.stopping.is_some_and(|end| self.connections.now >= end || self.connections.table.is_empty()) {
                self.announcing.goodbye();
                return Ok(());
            }
        }
    }

    /// After a failure: tells every client that can be told at once, before the sockets are closed.
    pub(crate) fn abandon(&mut self) {
        self.connections.abandon();
    }

    /// Writes what the turn produced and tells what that caused, until nothing is left.
    fn settle_turn(&mut self) {
        // Once a turn, or a handler that answers drops with messages would never let the turn end. While the queue is
        // full, drops are only counted, or an application that sends and does not listen would fill the memory.
        self.connections.flush_all();
        if !self.paused {
            self.connections.tell_dropped();
        }
        loop {
            self.connections.flush_all();
            if self.connections.events.is_empty() {
                break;
            }
            self.tell_events();
        }
        self.publish();
    }

    /// The same after a read, once there is enough to wake the application for. Not only at the end of the turn, so that a
    /// full queue stops one of the next reads and not the next thousand.
    fn publish_many(&mut self) {
        if self.batch.len() >= BATCH || matches!(self.sink, Sink::Handler(_)) {
            self.publish();
        }
    }

    /// Hands the counts and events so far to the application; when its queue is full now, reading pauses.
    fn publish(&mut self) {
        self.connections.publish_counts();
        if let Sink::Queue(queue) = &self.sink
            && self.batch.len() > 0
            && queue.push(&mut self.batch)
        {
            self.paused = true;
            self.connections.pauses.pause();
        }
    }

    fn timeout(&self) -> Option<Duration> {
        let unfinished = !self.ready.is_empty() || self.connections.is_dropping() || self.accepts_more();
        let served = self.probes_ready || !self.pages.is_empty();
        if served || (unfinished && !self.paused) || !self.commands.may_sleep() {
            return Some(Duration::ZERO);
        }
        // Who stops announces nothing more.
        let announcing = self.announcing.next_timeout().filter(|_| self.stopping.is_none());
        let deadlines = [self.connections.wheel.next(), announcing, self.accept_again, self.stopping];
        let next = deadlines.into_iter().flatten().min()?;
        Some(next - (Time::ZERO + self.epoch.elapsed()) + Duration::from_micros(500))
    }

    /// Handles what other threads ask for, with `commands` empty before and after.
    fn handle_commands(&mut self, commands: &mut Vec<Command>) {
        let start = Instant::now();
        loop {
            self.commands.take(commands);
            if commands.is_empty() {
                return;
            }
            for command in commands.drain(..) {
                self.handle_command(command);
            }
            // An application that answers a batch of events wakes this thread with its first answer, and may be stopped by
            // that where both share a core. It is let go on, for what it still says goes out with the same writes.
            let answering = matches!(&self.sink, Sink::Queue(queue) if queue.is_in_hand());
            if !answering || start.elapsed() >= ANSWERING_TIME {
                return;
            }
            std::thread::yield_now();
        }
    }

    fn handle_command(&mut self, command: Command) {
        let now = self.connections.now;
        match command {
            Command::Send(client, frame) => {
                self.connections.send_encoded(client, &frame);
            }
            Command::SendToAll(frame) => self.connections.send_encoded_to_all(&frame),
            Command::Disconnect(client, code, text) => {
                if let Some(slot) = self.connections.shared.slot(client) {
                    let reason = LeaveReason::Disconnected(text.clone());
                    self.connections.close(slot, code, &text, reason);
                }
            }
            Command::Announce(announce) => {
                match announce {
                    Announce::Start => self.announcing.start(now),
                    Announce::Stop => self.announcing.stop(),
                    Announce::Now => self.announcing.broadcast_now(now),
                }
                // Whoever asks for the status next sees what was asked for before.
                self.tell_discovery();
            }
            Command::Status(reply) => {
                // Whoever asked may have gone; then nobody misses the answer.
                let _ = reply.send(self.status());
            }
            Command::Resume => {
                self.paused = false;
                self.connections.pauses.resume();
            }
            Command::Stop => {
                for slot in self.connections.open_slots() {
                    self.connections.close(slot, CloseCode::GoingAway, "server stopped", LeaveReason::ServerStopped);
                }
                self.connections.drop_guests();
                self.paused = false;
                self.connections.pauses.resume();
                self.stopping = Some(now + STOP_TIMEOUT);
            }
        }
    }

    fn status(&mut self) -> crate::Status {
        self.connections.publish_counts();
        let mut status = self.connections.shared.status();
        status.extras.clients = self.connections.statuses();
        status
    }

    /// Passes on what joining, leaving and sending caused.
    fn tell_events(&mut self) {
        while let Some(event) = self.connections.events.pop_front() {
            self.tell(event);
        }
    }

    fn tell(&mut self, event: Event<'_>) {
        tell(&mut self.sink, &mut self.batch, &mut self.connections, event);
    }

    fn announce(&mut self) {
        // The clients that a stop sends away are no reason to call for others.
        if self.stopping.is_some() {
            return;
        }
        let now = self.connections.now;
        self.announcing.handle_clients(self.connections.shared.clients(), now);
        self.announcing.handle_timeout(now);
        if let Some(addresses) = self.announcing.poll_addresses() {
            self.connections.events.push_back(Event::AddressesChanged { addresses });
        }
        self.tell_discovery();
    }

    /// Publishes the state of discovery, and tells when it changed.
    fn tell_discovery(&mut self) {
        let shared = &self.connections.shared;
        let active = self.announcing.is_active();
        let enabled = self.announcing.is_enabled();
        let was_enabled = shared.discovery_enabled.swap(enabled, Ordering::Relaxed);
        if shared.discovery_active.swap(active, Ordering::Relaxed) != active {
            self.connections.events.push_back(Event::DiscoveryChanged { active });
        } else if enabled == was_enabled {
            return;
        }
        match (active, enabled) {
            (true, _) => tracing::info!("announcing until somebody connects"),
            (false, true) => tracing::info!("silent while somebody is connected"),
            (false, false) => tracing::info!("discovery is off"),
        }
    }
}

/// Logs an event as the contract asks, and passes it on. What needs more than the event is logged where it happens.
fn tell(sink: &mut Sink, batch: &mut Packed, connections: &mut Connections, event: Event<'_>) {
    match &event {
        Event::ClientJoined { client, addr, clients } => {
            tracing::info!("client {client} joined from {addr}; {clients} connected");
        }
        Event::MessagesDropped { client, messages } => {
            tracing::warn!("client {client} is too slow; messages dropped: {messages}");
        }
        Event::AddressesChanged { addresses } => {
            let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            tracing::info!("the network has changed; reachable at {}", addresses.join(", "));
        }
        _ => {}
    }
    match sink {
        Sink::Queue(_) => batch.push(event),
        Sink::Handler(handler) => handler(event, &mut Hub { connections }),
    }
}

/// The same for a message, whose event is made where it is needed: most of the time nothing else happens.
#[inline]
fn tell_message(
    sink: &mut Sink,
    batch: &mut Packed,
    connections: &mut Connections,
    client: ClientId,
    message: Message<'_>,
) {
    if tracing::enabled!(tracing::Level::DEBUG) {
        let text = halloo_proto::text::escape(message.text().unwrap_or("(binary)"), 200);
        let bytes = message.bytes().len();
        tracing::debug!(name: "message received", "client {client} sent {bytes} bytes: {text}");
    }
    match sink {
        Sink::Queue(_) => batch.push_message(client, message),
        Sink::Handler(handler) => handler(Event::MessageReceived { client, message }, &mut Hub { connections }),
    }
}
