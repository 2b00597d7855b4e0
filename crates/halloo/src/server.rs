//! The handle of a running server.

mod links;
mod pages;

use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use halloo_proto::close::CloseCode;
use halloo_proto::meta::Meta;
use halloo_proto::room;

use crate::doctor::{self, ServerFacts};
use crate::error::{ignoring_panics, panic_message};
use crate::event_queue::{EventQueue, PackedEvents};
use crate::event_receiver::EventReceiver;
use crate::reactor::{
    Command, CommandQueue, DiscoveryCommand, DrainWaiter, EventTarget, Hub, Reactor, RoomCommand, Submitted,
};
use crate::server_addresses::ServerAddresses;
use crate::shared::Shared;
use crate::{
    ClientId, ClientStatus, Config, Delivery, Diagnosis, Event, Fingerprint, Message, RoomError, RoomStatus,
    StartError, Status, Stopped, Token,
};

/// A running server: one thread that listens, announces itself and serves until this is dropped.
///
/// ```
/// use halloo::{Config, Event, Server};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = Server::start(Config::local())?; // `Config::default()` announces it on the network
/// println!("listening on {}", server.url());
/// # server.stop();
/// for event in server.events() {
///     if let Event::MessageReceived { client, message } = event {
///         println!("Received: {message}");
///         server.send(client, message)?;
///     }
/// }
/// server.send_to_all("Hello from server!").ok();
///
/// let status = server.status();
/// println!("Server running: {}", status.server_running);
/// println!("Connected clients: {}", status.connected_clients);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    commands: Arc<CommandQueue>,
    receiver: EventReceiver<PackedEvents>,
    addresses: ServerAddresses,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts a server whose events are taken with [`Server::events`], [`Server::try_event`], [`Server::wait_event`]
    /// or [`Server::event`]. It listens when this returns.
    ///
    /// # Errors
    /// [`StartError::Bind`] when no port of the range can be bound.
    pub fn start(config: Config) -> Result<Server, StartError> {
        Server::launch(config, None, 1)
    }

    /// Starts a server that calls `handler` on its own thread for every event: the fastest way to reply, for handlers
    /// that never block.
    ///
    /// ```
    /// use halloo::{Config, Event, Server};
    ///
    /// let echo = Server::start_with(Config::local(), |event, hub| {
    ///     if let Event::MessageReceived { client, message } = event {
    ///         hub.send(client, message).ok();
    ///     }
    /// })?;
    /// # Ok::<(), halloo::StartError>(())
    /// ```
    ///
    /// # Errors
    /// As [`Server::start`].
    pub fn start_with<H>(config: Config, handler: H) -> Result<Server, StartError>
    where
        H: FnMut(Event<'_>, &mut Hub<'_>) + Send + 'static,
    {
        Server::launch(config, Some(Box::new(handler)), 1)
    }

    fn launch(
        mut config: Config,
        handler: Option<Box<crate::reactor::Handler>>,
        first: u64,
    ) -> Result<Server, StartError> {
        let queue = Arc::new(EventQueue::new(config.event_queue));
        let target = handler.map_or_else(|| EventTarget::Queue(Arc::clone(&queue)), EventTarget::Handler);
        config.adopt_listener_address().map_err(StartError::Listener)?;
        let addresses = ServerAddresses::new(&config);
        let (mut reactor, commands, shared) = Reactor::bind(config, target, first)?;
        let (thread_shared, thread_commands, thread_queue) =
            (Arc::clone(&shared), Arc::clone(&commands), Arc::clone(&queue));
        let run = move || {
            let outcome = catch_unwind(AssertUnwindSafe(|| reactor.run()));
            thread_shared.running.store(false, Ordering::Relaxed);
            thread_shared.discovery_active.store(false, Ordering::Relaxed);
            let failure = match outcome {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(format!("cannot wait for the network: {error}")),
                Err(panic) => Some(panic_message("server", panic.as_ref())),
            };
            match failure {
                None => ignoring_panics(|| tracing::info!("server stopped")),
                Some(message) => {
                    ignoring_panics(|| tracing::error!(name: "server failed", "the server failed: {message}"));
                    ignoring_panics(|| reactor.abandon());
                    // Before the event, so that its receiver sees this state.
                    thread_shared.forget_clients();
                    let mut last = PackedEvents::default();
                    last.push(Event::ServerFailed { message });
                    thread_queue.push(&mut last);
                }
            }
            // Closed before the reactor is dropped, so that no caller waits for a result in vain.
            thread_commands.close();
            ignoring_panics(|| drop(reactor));
            thread_shared.forget_clients();
            thread_queue.close();
        };
        tracing::info!(name: "server started", "server started on port {}", shared.port);
        let builder = std::thread::Builder::new().name("halloo".into());
        let thread = builder.spawn(run).map_err(StartError::system("start the server's thread"))?;
        let resume = Arc::clone(&commands);
        let receiver = EventReceiver::new(queue, move || {
            // The command always fits, and a reactor that is gone has nothing to resume.
            resume.submit(Command::Resume);
        });
        Ok(Server { shared, commands, receiver, addresses, thread: Some(thread) })
    }

    /// Stops this server and starts another in its place, with an event queue. Client ids continue.
    ///
    /// # Errors
    /// As [`Server::start`]; the old server is stopped in any case.
    pub fn restart(&mut self, config: Config) -> Result<(), StartError> {
        self.shutdown();
        let next = self.shared.first_client + self.shared.joined.load(Ordering::Relaxed);
        *self = Server::launch(config, None, next)?;
        Ok(())
    }

    /// Stops the server without waiting: clients are closed with 1001, and the events end after the last one. Dropping
    /// the server does the same and waits for it.
    pub fn stop(&self) {
        self.commands.submit(Command::Stop);
    }

    fn shutdown(&mut self) {
        self.stop();
        if let Some(thread) = self.thread.take() {
            // The thread catches its panics, so there is nothing to learn from its end.
            let _ = thread.join();
        }
    }

    /// Returns the TCP port.
    pub fn port(&self) -> u16 {
        self.shared.port
    }

    /// Returns the id that distinguishes this server from all others, and from itself before a restart: random, and
    /// new at each start.
    pub fn id(&self) -> &str {
        self.shared.challenger.id()
    }

    /// Returns the UDP port on which probes are received; 0 when discovery was off at the start.
    pub fn discovery_port(&self) -> u16 {
        self.shared.discovery_port.load(Ordering::Relaxed)
    }

    /// Returns the token that clients must send, if one is set.
    pub fn token(&self) -> Option<&Token> {
        self.shared.security.token.as_ref()
    }

    /// Returns the fingerprint that clients pin, if the certificate is self-signed.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        self.shared.security.fingerprint
    }

    /// Returns the address at which other devices most likely reach this machine; see [`local_ip`](crate::local_ip).
    pub fn local_ip(&self) -> IpAddr {
        self.shared.local_ip()
    }

    /// Returns the name of this machine in multicast DNS, such as `living-room.local`: `None` until it has been
    /// claimed, about a second after the start, and while discovery is off.
    #[cfg(feature = "mdns")]
    pub fn local_name(&self) -> Option<String> {
        self.shared.local_name.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Sends one message to one client. Does not block. [`Delivery::Backpressure`] means that too many commands wait for the
    /// server: try again later. What the client does not read in time is up to its outbox.
    ///
    /// # Errors
    /// [`Stopped`] if the server has stopped.
    pub fn send<'m>(&self, client: ClientId, message: impl Into<Message<'m>>) -> Result<Delivery, Stopped> {
        if !self.shared.is_reachable(client) && self.shared.running.load(Ordering::Relaxed) {
            return Ok(Delivery::NotConnected);
        }
        self.submit(Command::Send(client, message.into().encode()))
    }

    /// Sends one message to every connected client. Does not block; see [`Server::send`].
    ///
    /// # Errors
    /// [`Stopped`] if the server has stopped.
    pub fn send_to_all<'m>(&self, message: impl Into<Message<'m>>) -> Result<Delivery, Stopped> {
        self.submit(Command::SendToAll(message.into().encode()))
    }

    /// Sends one message to every client in a room. Does not block. For each client, it stays in order with what the same
    /// thread sends by [`Server::send`] and [`Server::send_to_all`]. It is no error if the room has no members.
    ///
    /// # Errors
    /// [`RoomError::Name`] if no room can have this name, [`RoomError::Stopped`] if the server has stopped.
    pub fn send_to_room<'m>(&self, room: &str, message: impl Into<Message<'m>>) -> Result<Delivery, RoomError> {
        room::check(room)?;
        Ok(self.submit(Command::SendToRoom(room.to_owned(), message.into().encode()))?)
    }

    /// Adds a client to a room, which exists as long as it has members. A client also joins a room by connecting to the path
    /// `/room/NAME`, unless the name begins with `_`: such a room is only joined by this call. A client that is in the room
    /// already stays in it.
    ///
    /// Waits for the server for one turn at most, so that the client is in the room when this returns. On the server's own
    /// thread it returns at once, and an error is only logged: handlers use [`Hub::join`].
    ///
    /// ```
    /// use halloo::{Client, Config, Event, Server};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Server::start(Config::local())?;
    /// let client = Client::connect(server.url() + "/?team=red")?;
    /// if let Some(Event::ClientJoined { client, request, .. }) = server.events().next() {
    ///     server.join(client, &request.query_value("team").unwrap_or_default())?;
    /// }
    /// server.send_to_room("red", "welcome")?;
    /// assert_eq!(server.rooms()[0].room, "red");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`RoomError`] if no room can have this name (1 to 64 bytes), the client is not connected, it is in too many rooms,
    /// there are too many rooms, too many commands wait, or the server has stopped.
    pub fn join(&self, client: ClientId, room: &str) -> Result<(), RoomError> {
        room::check(room)?;
        self.change_rooms(RoomCommand::Join(client, room.to_owned()))
    }

    /// Removes a client from a room; also from the one that its path joined. Waits like [`Server::join`]. It is no error
    /// if the client is not in the room.
    ///
    /// # Errors
    /// [`RoomError`] as with [`Server::join`], apart from the limits.
    pub fn leave(&self, client: ClientId, room: &str) -> Result<(), RoomError> {
        room::check(room)?;
        self.change_rooms(RoomCommand::Leave(client, room.to_owned()))
    }

    fn change_rooms(&self, command: RoomCommand) -> Result<(), RoomError> {
        let (reply, response) = std::sync::mpsc::sync_channel(1);
        // Without a receiver, the server logs the error.
        let response = Some(response).filter(|_| !self.is_on_reactor());
        match self.commands.submit(Command::Room(command, reply)) {
            Submitted::Queued => response.map_or(Ok(()), |response| response.recv().unwrap_or(Err(Stopped.into()))),
            Submitted::Full => Err(RoomError::Busy),
            Submitted::Closed => Err(Stopped.into()),
        }
    }

    /// Returns every room that has members with their number, ordered by name. Waits like [`Server::status`].
    pub fn rooms(&self) -> Vec<RoomStatus> {
        self.status().extras.rooms
    }

    fn submit(&self, command: Command) -> Result<Delivery, Stopped> {
        match self.commands.submit(command) {
            Submitted::Queued => Ok(Delivery::Queued),
            Submitted::Full => Ok(Delivery::Backpressure),
            Submitted::Closed => Err(Stopped),
        }
    }

    /// Disconnects a client with a close code (1000, or 3000 to 4999 for your own) and a reason of at most 123 bytes.
    ///
    /// Returns [`Delivery::Backpressure`] when too many commands wait for the server: try again later.
    ///
    /// # Errors
    /// [`Stopped`] if the server has stopped.
    pub fn disconnect(&self, client: ClientId, code: impl Into<CloseCode>, reason: &str) -> Result<Delivery, Stopped> {
        if !self.shared.is_reachable(client) && self.shared.running.load(Ordering::Relaxed) {
            return Ok(Delivery::NotConnected);
        }
        self.submit(Command::Disconnect(client, code.into(), reason.to_owned()))
    }

    /// Sends a beacon now, if discovery is on.
    pub fn broadcast_now(&self) {
        self.control_discovery(DiscoveryCommand::SendBeacon);
    }

    /// Stops beacons and replies to probes until [`Server::start_service_discovery`].
    pub fn stop_service_discovery(&self) {
        self.control_discovery(DiscoveryCommand::Stop);
    }

    /// Resumes discovery.
    pub fn start_service_discovery(&self) {
        self.control_discovery(DiscoveryCommand::Start);
    }

    /// Returns the application id, if there is one.
    pub fn app(&self) -> Option<&str> {
        self.shared.app.as_deref()
    }

    /// Returns what the server says about itself: [`Config::meta`], until [`Server::set_meta`] replaces it.
    pub fn meta(&self) -> Meta {
        self.shared.meta().clone()
    }

    /// Replaces what the server says about itself, such as its number of players. Browsers know the new properties a few
    /// seconds later.
    ///
    /// ```
    /// let server = halloo::Server::start(halloo::Config::local())?;
    /// let mut meta = server.meta();
    /// meta.insert("players", "3")?;
    /// server.set_meta(meta);
    /// assert_eq!(server.meta().get("players"), Some("3"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_meta(&self, meta: Meta) {
        let is_same = std::mem::replace(&mut *self.shared.meta(), meta.clone()) == meta;
        if !is_same {
            self.control_discovery(DiscoveryCommand::UpdateMeta);
        }
    }

    fn control_discovery(&self, command: DiscoveryCommand) {
        if self.commands.submit(Command::Discovery(command)) == Submitted::Full {
            tracing::warn!(?command, "too many commands wait for the server, so this one is dropped; try again later");
        }
    }

    /// Blocks until the socket of `client` has accepted everything that was sent to it, for at most `timeout`, and returns
    /// whether it has. Call it between large messages, so that they do not fill the outbox of a slow client. Returns early
    /// if the client leaves or the server stops, and at once in a handler, which must not block.
    ///
    /// ```
    /// # let server = halloo::Server::start(halloo::Config::local())?;
    /// # let (client, photos) = (halloo::ClientId(1), [vec![0; 1_000_000]]);
    /// for photo in photos {
    ///     server.send(client, photo)?;
    ///     if !server.wait_drained(client, std::time::Duration::from_secs(60)) {
    ///         break;
    ///     }
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait_drained(&self, client: ClientId, timeout: Duration) -> bool {
        let (reply, response) = std::sync::mpsc::sync_channel(1);
        let waiting = Arc::new(());
        let waiter = DrainWaiter { client, reply, is_waiting: Arc::downgrade(&waiting) };
        !self.is_on_reactor()
            && self.commands.submit(Command::WaitDrained(waiter)) == Submitted::Queued
            && response.recv_timeout(timeout).unwrap_or(false)
    }

    /// Links this server with others: what it sends to all, to rooms and to clients of other nodes is also taken from the
    /// returned [`Link`](crate::Link), and what is passed to that is delivered to its clients. A second link takes the place of the
    /// first. It ends when the server restarts.
    ///
    /// # Errors
    /// [`Stopped`] if the server has stopped.
    #[cfg(feature = "cluster")]
    pub fn link(&self) -> Result<crate::Link, Stopped> {
        let queue = Arc::new(crate::link::LinkQueue::default());
        let attach = crate::reactor::LinkCommand::Attach(Arc::clone(&queue));
        self.submit(Command::Link(attach))?;
        Ok(crate::Link::new(queue, Arc::clone(&self.commands), Arc::clone(&self.shared)))
    }

    fn is_on_reactor(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| thread.thread().id() == std::thread::current().id())
    }

    /// Returns the status of the server with each of its clients.
    ///
    /// Waits for the reactor for one turn at most. On the reactor thread itself, after the end, or when too many
    /// commands wait, it returns at once and without the list of clients.
    pub fn status(&self) -> Status {
        let (reply, response) = std::sync::mpsc::sync_channel(1);
        if !self.is_on_reactor()
            && self.commands.submit(Command::Status(reply)) == Submitted::Queued
            && let Ok(status) = response.recv()
        {
            return status;
        }
        self.shared.status()
    }

    /// Returns the status of one client; `None` if it is not connected. It costs as much with ten thousand clients as with
    /// one. Waits like [`Server::status`], and returns `None` where that returns no list of clients.
    ///
    /// ```
    /// use halloo::{Client, Config, Event, Server};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Server::start(Config::local())?;
    /// let client = Client::connect(server.url() + "/room/red")?;
    /// if let Some(Event::ClientJoined { client, .. }) = server.events().next() {
    ///     assert_eq!(server.client_status(client).map(|status| status.rooms), Some(vec!["red".to_owned()]));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn client_status(&self, client: ClientId) -> Option<ClientStatus> {
        self.shared.slot(client)?;
        let (reply, response) = std::sync::mpsc::sync_channel(1);
        let is_asked =
            !self.is_on_reactor() && self.commands.submit(Command::ClientStatus(client, reply)) == Submitted::Queued;
        if is_asked { response.recv().ok().flatten() } else { None }
    }

    /// Returns the status without the list of clients and without waiting for the reactor: for a display that is
    /// redrawn often.
    pub fn summary(&self) -> Status {
        self.shared.status()
    }

    /// Finds out why this server is not found: does what [`crate::diagnose`] does, and also checks where this server
    /// is bound, whether its discovery is on, and whether it was found. Takes about a second.
    pub fn diagnose(&self) -> Diagnosis {
        // The reactor responds after it has executed the commands before this one.
        let status = self.status();
        doctor::diagnose_server(Some(&ServerFacts {
            id: self.id(),
            bind: self.addresses.bind,
            running: status.server_running,
            discovery: status.discovery_enabled,
            discovery_port: self.discovery_port(),
            clients: status.connected_clients,
        }))
    }

    /// Returns the number of events that wait to be taken.
    pub fn waiting_events(&self) -> usize {
        self.receiver.len()
    }

    /// Returns the events as they come, blocking for each; ends when the server has stopped.
    pub fn events(&self) -> impl Iterator<Item = Event<'static>> + '_ {
        self.receiver.iter()
    }

    /// Returns the next event if there is one, for a loop that must not block.
    pub fn try_event(&self) -> Option<Event<'static>> {
        self.receiver.try_next()
    }

    /// Waits for the next event, at most for `timeout`.
    pub fn wait_event(&self, timeout: Duration) -> Option<Event<'static>> {
        self.receiver.next_timeout(timeout)
    }

    /// Awaits the next event on any executor; `None` when the server has stopped.
    pub async fn event(&self) -> Option<Event<'static>> {
        self.receiver.next().await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shutdown();
    }
}
