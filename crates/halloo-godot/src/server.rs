//! A server as a node.

mod pages;

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use godot::classes::{Engine, INode, Node, Object};
use godot::global::Error;
use godot::prelude::*;
use godot::signal::ConnectHandle;
use halloo::{ClientId, Delivery, Event, Message, Meta, RoomError, Server, Stopped};

use crate::emitter::{Emitter, Names};
use crate::frame_budget::FrameBudget;
use crate::options::{FRAME_BUDGET_MS, Options};
use crate::pages::Pages;
use crate::rates::Rates;
use crate::{convert, drain, frame, log, qr};

/// A WebSocket server for the local network that announces itself until a client connects.
///
/// The autoload `WebSocketServer` uses this node. To use it without the autoload, add it to the tree, connect its signals and
/// call `start`. The server runs on its own thread; signals are emitted on the main thread, once per frame, also while the
/// game is paused.
#[derive(GodotClass)]
#[class(base = Node)]
pub(crate) struct HallooServer {
    /// The last server that was started. It is kept after a stop, so that client ids continue at the next start.
    server: Option<Server>,
    /// The object that emits the signals instead of this node.
    receiver: Option<Gd<Object>>,
    frame_budget: Rc<FrameBudget>,
    /// A command was sent whose effect the published status may not contain yet.
    is_status_stale: Cell<bool>,
    /// The error that the server is not running was printed.
    is_stop_reported: Cell<bool>,
    names: Rc<Names>,
    rates: Rates,
    pages: Pages,
    frame_connection: Option<ConnectHandle>,
    base: Base<Node>,
}

#[godot_api]
impl INode for HallooServer {
    fn init(base: Base<Node>) -> Self {
        HallooServer {
            server: None,
            receiver: None,
            frame_budget: Rc::new(FrameBudget::new(Duration::from_secs_f64(FRAME_BUDGET_MS / 1000.0), Instant::now())),
            is_status_stale: Cell::new(false),
            is_stop_reported: Cell::new(false),
            names: Rc::new(Names::new()),
            rates: Rates::default(),
            pages: Pages::default(),
            frame_connection: None,
            base,
        }
    }

    fn enter_tree(&mut self) {
        self.frame_connection = Some(frame::each_frame(&self.to_gd(), HallooServer::frame));
    }

    fn exit_tree(&mut self) {
        frame::disconnect(&mut self.frame_connection);
        // The last events are not emitted, because the receivers of the signals may leave the tree as well.
        self.stop_and_take_events();
        log::print_all();
    }
}

#[godot_api]
impl HallooServer {
    /// Emitted when a client has completed its handshake. Ids start at 1 and are never reused.
    #[signal]
    pub(crate) fn client_joined(id: i64);

    /// Emitted when a client has left, with its close code and reason. `code` is 1006 if there was no close frame.
    #[signal]
    pub(crate) fn client_left(id: i64, code: i64, reason: GString);

    /// Emitted for each message, text or binary. Binary data is decoded as UTF-8.
    #[signal]
    pub(crate) fn model_data_received(data: GString);

    /// Emitted for each text message, with the id of its sender.
    #[signal]
    pub(crate) fn message_received(id: i64, text: GString);

    /// Emitted for each binary message, with the id of its sender.
    #[signal]
    pub(crate) fn binary_received(id: i64, bytes: PackedByteArray);

    /// Emitted once per frame with all text messages of the frame, in order, and the ids of their senders: much faster than
    /// one call per message. If a client joins or leaves in between, the messages before and after it are emitted separately.
    #[signal]
    pub(crate) fn messages_received(ids: PackedInt64Array, texts: PackedStringArray);

    /// Emitted when the server starts or stops announcing itself.
    #[signal]
    pub(crate) fn discovery_changed(active: bool);

    /// Emitted when messages to a client were dropped because it reads too slowly.
    #[signal]
    pub(crate) fn messages_dropped(id: i64, count: i64);

    /// Emitted when the server has failed and stopped; `start` starts it again.
    #[signal]
    pub(crate) fn server_failed(message: GString);

    /// Starts the server; if it is running, stops it first. `options` contains settings by their names in Project Settings >
    /// Halloo, without the prefix `halloo/`. Settings that are missing have their defaults. For an invalid value, an error is
    /// printed and the default is used; with an invalid token, the server is not started.
    ///
    /// Returns OK, ERR_INVALID_PARAMETER if the token is invalid, ERR_ALREADY_IN_USE if all ports are in use, or another error
    /// if the server cannot listen.
    #[func(gd_self)]
    fn start(mut this: Gd<Self>, options: VarDictionary) -> Error {
        if Engine::singleton().is_editor_hint() {
            log::error("the server does not run in the editor; run the project");
            return Error::ERR_UNAVAILABLE;
        }
        let options = Options::read(&options);
        options.errors.iter().for_each(|error| log::error(error));
        log::set_verbosity(options.verbosity);
        let last_events = this.bind().stop_and_take_events();
        if let Some(error) = options.fatal_error {
            HallooServer::emit_all(&this, last_events);
            log::error(&error);
            return Error::ERR_INVALID_PARAMETER;
        }
        let result = this.bind_mut().launch(options);
        HallooServer::emit_all(&this, last_events);
        log::print_some();
        let Err(error) = result else { return Error::OK };
        let (code, text) = convert::start_error(&error);
        log::error(&text);
        code
    }

    /// Stops the server and closes its clients with 1001. Waits for them to complete the close handshake, at most one second.
    /// Messages that were received but not emitted yet are dropped.
    #[func(gd_self)]
    fn stop(this: Gd<Self>) {
        let last_events = this.bind().stop_and_take_events();
        HallooServer::emit_all(&this, last_events);
        log::print_some();
    }

    /// Makes `receiver`, which must have the same signals, emit them instead of this node.
    #[func]
    fn forward_to(&mut self, receiver: Gd<Object>) {
        self.receiver = Some(receiver);
    }

    /// Sends a text message to one client.
    ///
    /// Returns OK, ERR_DOES_NOT_EXIST if the client has left, ERR_BUSY if too much waits for the server, or ERR_UNCONFIGURED if
    /// the server is not running.
    #[func]
    fn send(&self, id: i64, text: GString) -> Error {
        let text = convert::text(&text);
        self.log_sent(&format_args!("client {id}"), &text, text.len());
        self.deliver(|server| server.send(client(id), text))
    }

    /// Sends a binary message to one client. Returns the same errors as `send`.
    #[func]
    fn send_binary(&self, id: i64, bytes: PackedByteArray) -> Error {
        self.log_sent(&format_args!("client {id}"), "(binary)", bytes.len());
        self.deliver(|server| server.send(client(id), bytes.as_slice()))
    }

    /// Sends a text message to all clients. Returns OK, also if there are none, ERR_BUSY if too much waits for the server, or
    /// ERR_UNCONFIGURED if the server is not running.
    #[func]
    fn send_to_all(&self, text: GString) -> Error {
        let text = convert::text(&text);
        self.log_sent(&"all clients", &text, text.len());
        self.deliver(|server| server.send_to_all(text))
    }

    /// Sends a binary message to all clients. Returns the same errors as `send_to_all`.
    #[func]
    fn send_binary_to_all(&self, bytes: PackedByteArray) -> Error {
        self.log_sent(&"all clients", "(binary)", bytes.len());
        self.deliver(|server| server.send_to_all(Message::from(bytes.as_slice())))
    }

    /// Sends a text message to all clients in a room. Returns OK, also if there are none, ERR_INVALID_PARAMETER if no room can
    /// have this name, ERR_BUSY if too much waits for the server, or ERR_UNCONFIGURED if the server is not running.
    #[func]
    fn send_to_room(&self, room: GString, text: GString) -> Error {
        let (room, text) = (convert::text(&room), convert::text(&text));
        self.log_sent(&format_args!("room {room:?}"), &text, text.len());
        self.in_rooms(|server| server.send_to_room(&room, text))
    }

    /// Sends a binary message to all clients in a room. Returns the same errors as `send_to_room`.
    #[func]
    fn send_binary_to_room(&self, room: GString, bytes: PackedByteArray) -> Error {
        let room = convert::text(&room);
        self.log_sent(&format_args!("room {room:?}"), "(binary)", bytes.len());
        self.in_rooms(|server| server.send_to_room(&room, bytes.as_slice()))
    }

    /// Adds a client to a room, whose name has 1 to 64 bytes in UTF-8. A client that is in the room already stays in it. Waits
    /// for the server's thread, for one turn at most.
    ///
    /// Returns OK, ERR_INVALID_PARAMETER if no room can have this name, ERR_DOES_NOT_EXIST if the client has left,
    /// ERR_CANT_ACQUIRE_RESOURCE if `max_rooms` or `max_rooms_per_client` is reached, ERR_BUSY if too much waits for the server,
    /// or ERR_UNCONFIGURED if the server is not running.
    #[func]
    fn join_room(&self, id: i64, room: GString) -> Error {
        self.in_rooms(|server| server.join(client(id), &convert::text(&room)).map(|()| Delivery::Queued))
    }

    /// Removes a client from a room, also from the one that its path joined; has no effect if it is not in the room. Waits
    /// like `join_room` and returns the same errors, apart from ERR_CANT_ACQUIRE_RESOURCE.
    #[func]
    fn leave_room(&self, id: i64, room: GString) -> Error {
        self.in_rooms(|server| server.leave(client(id), &convert::text(&room)).map(|()| Delivery::Queued))
    }

    /// Closes the connection of a client. `code` is 1000, or 3000 to 4999 for codes of the application; `reason` is at most 123
    /// bytes long in UTF-8.
    ///
    /// Returns OK, ERR_INVALID_PARAMETER if the code or the reason is invalid, ERR_DOES_NOT_EXIST if the client has left,
    /// ERR_BUSY if too much waits for the server, or ERR_UNCONFIGURED if the server is not running.
    #[func]
    fn disconnect_client(&self, id: i64, code: i64, reason: GString) -> Error {
        let reason = reason.to_string();
        let Some(code) = convert::close_code(code, &reason) else {
            log::error(
                "cannot disconnect the client: use code 1000 or 3000 to 4999, and a reason of at most 123 bytes",
            );
            return Error::ERR_INVALID_PARAMETER;
        };
        self.is_status_stale.set(true);
        self.deliver(|server| match self.running() {
            Some(_) => server.disconnect(client(id), code, &reason),
            None => Err(Stopped),
        })
    }

    /// Sends a beacon now, also while clients are connected. Has no effect while discovery is stopped.
    #[func]
    fn broadcast_now(&self) -> Error {
        self.request(Server::broadcast_now)
    }

    /// Stops sending beacons and answering probes, until `start_service_discovery` is called or the server is restarted.
    #[func]
    fn stop_service_discovery(&self) -> Error {
        self.request(Server::stop_service_discovery)
    }

    /// Starts discovery again: the server is announced while no client is connected, and answers probes.
    #[func]
    fn start_service_discovery(&self) -> Error {
        self.request(Server::start_service_discovery)
    }

    /// Replaces what the server says about itself in lists of servers: at most 16 properties. A key has 1 to 32 of the characters
    /// A-Z a-z 0-9 _ . -, a value at most 128 bytes in UTF-8. (`set_meta` is a method of every object.)
    ///
    /// Returns OK, ERR_INVALID_PARAMETER if a property is invalid, or ERR_UNCONFIGURED if the server is not running.
    #[func]
    fn set_server_meta(&self, meta: VarDictionary) -> Error {
        match Meta::parse(convert::pairs(&meta)) {
            Ok(meta) => self.request(|server| server.set_meta(meta)),
            Err(error) => {
                log::error(&format!("cannot change the properties of the server: {error}"));
                Error::ERR_INVALID_PARAMETER
            }
        }
    }

    /// Returns the status of the server: the six keys of the contract, and the extras under `halloo`.
    #[func]
    fn get_status(&self) -> VarDictionary {
        match &self.server {
            Some(server) if self.is_status_stale.replace(false) => convert::status(&server.status()),
            Some(server) => convert::status(&server.summary()),
            None => convert::no_status(),
        }
    }

    /// Returns a dictionary for each client: `id`, `address`, `latency_ms` (-1 before the first heartbeat), and the numbers of
    /// `waiting` and `dropped` messages.
    #[func]
    fn get_clients(&self) -> Array<VarDictionary> {
        let status = self.running().map(Server::status);
        status.iter().flat_map(|status| &status.extras.clients).map(convert::client).collect()
    }

    /// Returns what a client said when it connected: `id`, `address`, `path`, `query` (decoded), `subprotocols` that it offered,
    /// `subprotocol` that was chosen, `origin` and `user_agent`; and `rooms` that it is in. Empty if the client has left.
    #[func]
    fn get_client(&self, id: i64) -> VarDictionary {
        let status = self.running().and_then(|server| server.client_status(client(id)));
        status.as_ref().map(convert::client_request).unwrap_or_default()
    }

    /// Returns the number of clients in each room by its name, ordered by name. A room exists while a client is in it.
    #[func]
    fn get_rooms(&self) -> VarDictionary {
        self.running().map(|server| convert::rooms(&server.rooms())).unwrap_or_default()
    }

    /// Returns the `ws://` URLs of the server: first the loopback address, then the others, the best one for other machines
    /// first. Empty if the server is not running.
    #[func]
    fn get_urls(&self) -> PackedStringArray {
        let urls = self.running().map(Server::urls).unwrap_or_default();
        urls.iter().map(GString::from).collect()
    }

    /// Returns the URL of the page that a phone opens in its browser, without secrets; empty if the server is not running.
    #[func]
    fn get_page_url(&self) -> GString {
        let url = self.running().map(Server::page_url);
        GString::from(&url.unwrap_or_default())
    }

    /// Returns the link to share, for example as a QR code: the page with the token and the certificate fingerprint, if there
    /// are any. It grants access. Empty if the server is not running.
    #[func]
    fn get_invitation(&self) -> GString {
        let url = self.running().map(Server::invitation);
        GString::from(&url.unwrap_or_default())
    }

    /// Returns the QR code of `text` as a square image with one byte per module, 0 or 255; empty if the text is too long.
    #[func]
    fn get_qr_modules(text: GString) -> PackedByteArray {
        qr::modules(&text.to_string())
    }

    /// Returns the id of the server in its beacons, which is new at each start; empty before the first start.
    #[func]
    fn get_id(&self) -> GString {
        GString::from(self.server.as_ref().map_or("", Server::id))
    }

    /// Returns the number of events that are waiting for a later frame.
    #[func]
    fn get_waiting_events(&self) -> i64 {
        self.waiting_events() as i64
    }

    /// Extends `frame_budget_ms` in this frame, when a handler has done work that takes this time whether it handles few or many
    /// messages: it saves nothing if messages wait for the next frame.
    #[func]
    fn extend_frame_budget(&self, microseconds: i64) {
        self.frame_budget.exempt(Duration::from_micros(u64::try_from(microseconds).unwrap_or(0)));
    }

    /// Returns the messages received and sent per second, in this order.
    #[func]
    fn get_rates(&mut self) -> Vector2 {
        let status = self.server.as_ref().map(Server::summary);
        let (received, sent) = status.map_or((0, 0), |s| (s.extras.messages_received, s.extras.messages_sent));
        self.rates.update(Instant::now(), received, sent)
    }
}

impl HallooServer {
    fn frame(this: Gd<Self>) {
        // The usual case, which takes only a few microseconds.
        if this.bind().waiting_events() == 0 && !log::has_lines() {
            return;
        }
        log::print_some();
        let (emitter, budget, waiting) = {
            let node = this.bind();
            (node.emitter(), Rc::clone(&node.frame_budget), node.waiting_events())
        };
        drain::drain(drain::Source {
            emitter,
            budget,
            waiting,
            next: &|| if this.is_instance_valid() { this.bind().try_event() } else { None },
        });
    }

    fn emit_all(this: &Gd<Self>, events: Vec<Event<'static>>) {
        // A statement of its own, so that the node is no longer borrowed when the handlers run.
        let emitter = this.bind().emitter();
        drain::emit_all(emitter, events);
    }

    fn emitter(&self) -> Emitter {
        let own = || self.to_gd().upcast::<Object>();
        Emitter::new(self.receiver.clone().filter(Gd::is_instance_valid).unwrap_or_else(own), Rc::clone(&self.names))
    }

    fn waiting_events(&self) -> usize {
        self.server.as_ref().map_or(0, Server::waiting_events)
    }

    fn try_event(&self) -> Option<Event<'static>> {
        self.server.as_ref()?.try_event()
    }

    fn running(&self) -> Option<&Server> {
        self.server.as_ref().filter(|server| server.summary().server_running)
    }

    fn launch(&mut self, mut options: Options) -> Result<(), halloo::StartError> {
        self.pages.configure(&mut options.config);
        self.frame_budget.set_limit(options.frame_budget);
        self.is_status_stale.set(true);
        self.is_stop_reported.set(false);
        match &mut self.server {
            Some(server) => server.restart(options.config),
            None => {
                self.server = Some(Server::start(options.config)?);
                Ok(())
            }
        }
    }

    /// Stops the server and returns its last events, without messages.
    fn stop_and_take_events(&self) -> Vec<Event<'static>> {
        let Some(server) = self.running() else { return Vec::new() };
        let was_active = server.summary().discovery_active;
        server.stop();
        let mut last: Vec<_> =
            server.events().filter(|event| !matches!(event, Event::MessageReceived { .. })).collect();
        if was_active {
            last.push(Event::DiscoveryChanged { active: false });
        }
        last
    }

    fn deliver(&self, send: impl FnOnce(&Server) -> Result<Delivery, Stopped>) -> Error {
        let delivery = convert::delivery(self.server.as_ref().map_or(Err(Stopped), send));
        if delivery == Error::ERR_UNCONFIGURED {
            self.report_stopped();
        }
        delivery
    }

    fn in_rooms(&self, act: impl FnOnce(&Server) -> Result<Delivery, RoomError>) -> Error {
        let (code, advice) = match self.server.as_ref().map_or(Err(Stopped.into()), act) {
            Ok(delivery) => (convert::delivery(Ok(delivery)), None),
            Err(error) => convert::room_error(&error),
        };
        if code == Error::ERR_UNCONFIGURED {
            self.report_stopped();
        }
        advice.iter().for_each(|advice| log::error(advice));
        code
    }

    fn request(&self, request: impl FnOnce(&Server)) -> Error {
        let Some(server) = self.running() else {
            self.report_stopped();
            return Error::ERR_UNCONFIGURED;
        };
        request(server);
        self.is_status_stale.set(true);
        Error::OK
    }

    /// Prints an error once per stop, because a game may send in every frame.
    fn report_stopped(&self) {
        if !self.is_stop_reported.replace(true) {
            log::error("the server is not running; start it with start_server()");
        }
    }

    fn log_sent(&self, to: &dyn std::fmt::Display, text: &str, bytes: usize) {
        if log::is_verbose() {
            tracing::debug!("{bytes} bytes sent to {to}: {}", halloo_proto::text::escape(text, 200));
        }
    }
}

/// Converts an id; a negative number becomes 0, which is never the id of a client.
fn client(id: i64) -> ClientId {
    ClientId(u64::try_from(id).unwrap_or(0))
}
