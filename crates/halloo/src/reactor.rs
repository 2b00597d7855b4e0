//! The server's thread: it waits for readiness, reads, passes the input to the core, writes, and emits events.

mod command_queue;
mod drain_waiters;
mod event_shares;
mod event_sink;
mod hub;

mod admission;
mod file_reader;
mod handshakes;
mod holds;
mod http;
mod inflate_limits;
mod ingress;
mod listener;
mod listening_socket;
mod local_names;
#[cfg(any(windows, test))]
mod shared_ports;
mod spare_descriptor;
mod tls_queue;
mod unmet_subprotocols;

mod connection;
mod connection_table;
mod connections;
mod http_request;
mod pending;
mod transfer;

mod address_counts;
mod broadcast;
mod broadcast_buffer;
mod budgets;
mod bus;
mod deadline_queue;
mod egress;
mod keyed_connections;
mod membership;
mod outboxes;
mod rooms;
mod timers;

#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use halloo_proto::Time;
use halloo_proto::defaults::{MAX_WAIT, STOP_TIMEOUT};
use halloo_proto::name::is_blank;
use halloo_proto::subprotocols::is_subprotocol;
use halloo_proto::text::escape;
use mio::{Events, Poll, Token};

#[cfg(feature = "cluster")]
pub(crate) use command_queue::LinkCommand;
pub(crate) use command_queue::{Command, CommandQueue, DiscoveryCommand, PagesCommand, RoomCommand, Submitted};
use connections::Connections;
pub(crate) use drain_waiters::DrainWaiter;
pub(crate) use event_sink::{EventTarget, Handler};
pub use hub::Hub;

use drain_waiters::DrainWaiters;
use event_sink::EventSink;
use http::Http;
use ingress::Ingress;
use listener::Listener;

use crate::discovery::Discovery;
use crate::security::{Security, new_challenger};
use crate::shared::Shared;
use crate::{Config, Event, StartError};

const WAKER: Token = Token(usize::MAX);
const LISTENER: Token = Token(usize::MAX - 1);
const DISCOVERY: Token = Token(usize::MAX - 2);
const NETWORK: Token = Token(usize::MAX - 3);
const MDNS: Token = Token(usize::MAX - 4);

/// How long the replies of the application are collected before they are written: a batch of quick ones takes less.
const REPLY_WINDOW: Duration = Duration::from_micros(100);
/// Added to each timeout, so that the clock has passed the deadline when the poll returns.
const TIMEOUT_SLACK: Duration = Duration::from_micros(500);

/// Everything the reactor thread owns.
pub(crate) struct Reactor {
    poll: Poll,
    epoch: Instant,
    commands: Arc<CommandQueue>,
    listener: Listener,
    ingress: Ingress,
    connections: Connections,
    discovery: Discovery,
    sink: EventSink,
    drain_waiters: DrainWaiters,
    /// Datagrams may wait on the discovery port.
    probes_ready: bool,
    /// Packets may wait on the sockets of multicast DNS.
    mdns_ready: bool,
    /// When a stopping server ends at the latest; `None` while it does not stop.
    stopping: Option<Time>,
}

impl Reactor {
    /// Binds the port. Returns the reactor for its thread, and the command queue and the state that other threads share
    /// with it.
    pub(crate) fn bind(
        mut config: Config,
        target: EventTarget,
        first_client: u64,
    ) -> Result<(Reactor, Arc<CommandQueue>, Arc<Shared>), StartError> {
        if is_blank(&config.name) {
            return Err(StartError::BlankName);
        }
        if config.app.as_deref().is_some_and(is_blank) {
            return Err(StartError::BlankApp);
        }
        if let Some(name) = config.subprotocols.iter().find(|name| !is_subprotocol(name)) {
            return Err(StartError::Subprotocol { name: escape(name, 100) });
        }
        let poll = Poll::new().map_err(StartError::system("create the poll of the reactor"))?;
        let waker =
            mio::Waker::new(poll.registry(), WAKER).map_err(StartError::system("create the waker of the reactor"))?;
        let listener = Listener::bind(&config, poll.registry(), LISTENER)?;
        if config.access.own_host.is_none() {
            config.access.own_host = gethostname::gethostname().into_string().ok();
        }
        let port = listener.port().map_err(StartError::system("read the port of the listening socket"))?;
        let challenger = new_challenger().map_err(StartError::system("get random numbers"))?;
        let commands = Arc::new(CommandQueue::new(waker));
        let http = Http::start(&config, &commands).map_err(StartError::system("start the thread that reads files"))?;
        let ingress = Ingress::new(&config, challenger.clone(), http);
        let security = Security {
            token: config.access.token.clone(),
            requires_tls: ingress.handshakes.requires_tls(),
            offers_tls: ingress.handshakes.offers_tls(),
            fingerprint: ingress.handshakes.fingerprint(),
        };
        let local_name = Arc::clone(&ingress.handshakes.local_names.published);
        let shared = Arc::new(Shared::new(&config, port, security, challenger, local_name, first_client));
        let registry = || poll.registry().try_clone().map_err(StartError::system("share the poll with discovery"));
        let registries = [registry()?, registry()?];
        let discovery = Discovery::new(&config, &shared, registries, [DISCOVERY, NETWORK, MDNS]);
        // The status before the first turn of the thread is correct, too.
        shared.discovery_enabled.store(discovery.is_enabled(), Ordering::Relaxed);
        let reactor = Reactor {
            poll,
            epoch: Instant::now(),
            commands: Arc::clone(&commands),
            listener,
            ingress,
            connections: Connections::new(Arc::clone(&shared), &config),
            discovery,
            sink: EventSink::new(target, config.event_queue),
            drain_waiters: DrainWaiters::default(),
            probes_ready: false,
            mdns_ready: false,
            stopping: None,
        };
        Ok((reactor, commands, shared))
    }

    /// Runs until the server stops.
    pub(crate) fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        let mut commands = Vec::new();
        self.publish_discovery();
        loop {
            let timeout = self.timeout();
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            let now = Time::ZERO + self.epoch.elapsed();
            let egress = &mut self.connections.egress;
            egress.pauses.handle_turn(now, timeout, egress.config.heartbeat);
            for slot in self.ingress.begin_turn(events.iter().count()) {
                self.handle_readable(slot);
            }
            events.iter().for_each(|event| self.handle_event(event));
            self.ingress.continue_tls(&mut self.connections, &mut self.sink);
            self.ingress.respond_to_some(&mut self.connections, &self.discovery);
            self.handle_commands(&mut commands);
            self.ingress.release_held(&mut self.connections, &mut self.sink);
            if self.probes_ready {
                self.probes_ready = self.discovery.handle_readable(now);
            }
            if self.mdns_ready {
                self.mdns_ready = self.discovery.handle_mdns(now);
            }
            if !self.is_paused() && self.stopping.is_none() {
                self.ingress.accept(&mut self.listener, self.poll.registry(), &mut self.connections);
            }
            self.connections.handle_deadlines();
            self.handle_discovery();
            self.finish_turn();
            if self.stopping.is_some_and(|end| now >= end || self.connections.table.is_empty()) {
                self.discovery.goodbye();
                return Ok(());
            }
        }
    }

    /// After a failure: sends a close frame to every client that accepts it at once.
    pub(crate) fn abandon(&mut self) {
        self.connections.abandon();
    }

    fn is_paused(&self) -> bool {
        self.connections.egress.pauses.is_paused()
    }

    fn handle_event(&mut self, event: &mio::event::Event) {
        match event.token() {
            WAKER => {}
            LISTENER => self.listener.handle_readable(),
            DISCOVERY => self.probes_ready = true,
            MDNS => self.mdns_ready = true,
            NETWORK => self.discovery.handle_network(self.connections.now()),
            Token(slot) => {
                // Windows reports a reset as the end of both directions, not as an error.
                if event.is_error() || (cfg!(windows) && event.is_write_closed()) {
                    self.connections.handle_reset(slot);
                }
                if event.is_writable() {
                    self.connections.handle_writable(slot);
                }
                if event.is_readable() || event.is_read_closed() || event.is_error() {
                    self.handle_readable(slot);
                }
                if event.is_read_closed() {
                    // The end came with this event, after what was just read; the poll does not wake again for it.
                    self.ingress.mark_ready(slot);
                }
            }
        }
    }

    fn handle_readable(&mut self, slot: usize) {
        self.ingress.handle_readable(slot, &mut self.connections, &mut self.sink);
        if self.sink.is_batch_full() {
            self.publish();
        }
    }

    /// Writes what the turn produced and emits the events that this caused, until nothing is left.
    fn finish_turn(&mut self) {
        // Drops are reported once a turn, or a handler that replies to them with messages would never let the turn end.
        // While the queue is full, drops are only counted, or an application that sends without taking events would fill
        // the memory.
        self.connections.flush_all();
        if !self.is_paused() {
            self.connections.report_drops();
        }
        loop {
            self.connections.flush_all();
            if !self.connections.egress.membership.has_events() {
                break;
            }
            self.sink.emit_all(&mut self.connections);
        }
        self.drain_waiters.reply(&self.connections);
        #[cfg(feature = "cluster")]
        self.connections.finish_linked_turn();
        self.connections.reap();
        self.publish();
    }

    /// Hands the counters and events so far to the application; when its queue is full now, reading pauses.
    fn publish(&mut self) {
        self.connections.publish_counts();
        if self.sink.publish(&mut self.connections.table) {
            self.connections.egress.pauses.pause();
        }
    }

    fn timeout(&self) -> Option<Duration> {
        let has_more = self.ingress.is_ready()
            || self.connections.egress.outboxes.is_dropping()
            || (self.listener.may_accept() && self.stopping.is_none());
        let is_responding = self.ingress.is_responding() || !self.connections.egress.drained.is_empty();
        let is_busy = self.probes_ready || self.mdns_ready || is_responding || (has_more && !self.is_paused());
        if is_busy || !self.commands.may_sleep() {
            return Some(Duration::ZERO);
        }
        // A server that stops announces nothing more.
        let discovery = self.discovery.next_timeout().filter(|_| self.stopping.is_none());
        let deadlines = [
            self.connections.egress.timers.next(),
            discovery,
            self.listener.poll_timeout(),
            self.ingress.next_timeout(),
            self.stopping,
        ];
        let next = deadlines.into_iter().flatten().min()?;
        Some((next - (Time::ZERO + self.epoch.elapsed())).min(MAX_WAIT) + TIMEOUT_SLACK)
    }

    /// Handles the commands of other threads, with `commands` empty before and after.
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
            // An application that replies to a batch of events wakes this thread with its first reply, and may be
            // preempted by it if both share a core. Waiting a little lets its other replies go out with the same writes.
            if !self.sink.is_mid_batch() || start.elapsed() >= REPLY_WINDOW {
                return;
            }
            std::thread::yield_now();
        }
    }

    fn handle_command(&mut self, command: Command) {
        let now = self.connections.now();
        match command {
            Command::Send(client, frame) => {
                self.connections.send_encoded(client, &frame);
            }
            Command::SendToAll(frame) => self.connections.send_encoded_to_all(&frame),
            Command::SendToRoom(room, frame) => self.connections.send_encoded_to_room(&room, &frame),
            Command::Room(command, reply) => {
                let outcome = match &command {
                    RoomCommand::Join(client, room) => self.connections.join_room(*client, room),
                    RoomCommand::Leave(client, room) => self.connections.leave_room(*client, room),
                };
                if let Err(std::sync::mpsc::SendError(Err(error))) = reply.send(outcome) {
                    // A handler, which cannot wait for the result.
                    tracing::warn!("a change of rooms was not made: {error}");
                }
            }
            Command::Disconnect(client, code, text) => {
                self.connections.disconnect(client, code, &text);
            }
            Command::Discovery(command) => {
                match command {
                    DiscoveryCommand::Start => self.discovery.start(now),
                    DiscoveryCommand::Stop => self.discovery.stop(),
                    DiscoveryCommand::SendBeacon => self.discovery.broadcast_now(now),
                    DiscoveryCommand::UpdateMeta => self.discovery.handle_meta_change(now),
                }
                // The next status shows what was requested before it.
                self.publish_discovery();
            }
            Command::Status(reply) => {
                // The caller may have gone, which is no error.
                let _ = reply.send(http::status(&mut self.connections));
            }
            Command::ClientStatus(client, reply) => {
                let _ = reply.send(self.connections.status(client));
            }
            Command::Pages(command, reply) => {
                self.replace_pages(command);
                let _ = reply.send(());
            }
            Command::WaitDrained(waiter) => self.drain_waiters.add(waiter),
            #[cfg(feature = "cluster")]
            Command::Link(command) => {
                if self.connections.handle_link(command) {
                    self.commands.submit(Command::Link(LinkCommand::Receive));
                }
            }
            // Also sent when only clients are held, while the queue is full.
            Command::Resume if self.sink.is_queue_full() => {}
            Command::Resume => self.connections.egress.pauses.resume(),
            Command::Stop => {
                self.connections.close_all();
                self.connections.egress.pauses.resume();
                self.stopping = Some(now + STOP_TIMEOUT);
            }
        }
    }

    fn replace_pages(&mut self, command: PagesCommand) {
        match command {
            PagesCommand::Pad(layout) => self.ingress.http.set_pad(layout.as_deref()),
            PagesCommand::Files(files) => {
                let has_files = files.is_some();
                match self.ingress.http.set_files(files.map(|files| *files)) {
                    Ok(()) => self.ingress.handshakes.has_files = has_files,
                    Err(error) => {
                        tracing::error!("cannot start the thread that reads files, so none is replaced: {error}")
                    }
                }
            }
        }
    }

    /// Sends beacons that are due, and emits an event when the addresses have changed.
    fn handle_discovery(&mut self) {
        // A stopping server is not announced when its clients leave.
        if self.stopping.is_some() {
            return;
        }
        let now = self.connections.now();
        self.discovery.handle_clients(self.connections.shared().clients(), now);
        self.discovery.handle_timeout(now);
        if let Some(addresses) = self.discovery.poll_addresses() {
            self.connections.egress.membership.push_event(Event::AddressesChanged { addresses });
        }
        self.publish_discovery();
    }

    /// Publishes the state of discovery, and emits an event when it changed.
    fn publish_discovery(&mut self) {
        let (active, enabled) = (self.discovery.is_active(), self.discovery.is_enabled());
        let shared = self.connections.shared();
        let was_enabled = shared.discovery_enabled.swap(enabled, Ordering::Relaxed);
        if shared.discovery_active.swap(active, Ordering::Relaxed) != active {
            self.connections.egress.membership.push_event(Event::DiscoveryChanged { active });
        } else if enabled == was_enabled {
            return;
        }
        match (active, enabled) {
            (true, _) => tracing::info!("announcing until a client connects"),
            (false, true) => tracing::info!("silent while a client is connected"),
            (false, false) => tracing::info!("discovery is off"),
        }
    }
}
